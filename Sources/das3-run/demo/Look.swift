// Everything that differs between the places of the demo: light, materials, camera, sensor.

/// A look is where and when frames are taken; what stands in the street is the same everywhere.
struct Look {
  // Light.
  let sunlight: Ink
  let ambient: Ink
  let zenith: ClosedInks
  let haze: ClosedInks
  let cloud: Ink
  let cloudCover: ClosedRange<Float>
  /// Metres after which haze leaves 1/e of a thing.
  let clearness: ClosedRange<Float>
  /// Share of the windows with light in them.
  let litWindows: Float
  /// Whether lamps and cars shine.
  let lamps: Bool

  // Materials.
  let asphalt: ClosedInks
  let paving: ClosedInks
  let marking: Ink
  let grass: ClosedInks
  let leaves: [Ink]
  let bark: Ink
  let walls: [Ink]
  /// Of windows, doors and ledges.
  let trim: Ink
  let roofs: [Ink]
  let glass: Ink
  let paints: [Ink]
  let clothes: [Ink]

  // Camera.
  /// Metres above the ground.
  let eye: ClosedRange<Float>
  /// Of the frame's width.
  let focal: ClosedRange<Float>
  /// Of the frame's height.
  let horizon: ClosedRange<Float>
  /// How much nearer to the middle the lens draws the corners.
  let distortion: Float

  // Sensor.
  let exposure: ClosedRange<Float>
  let contrast: ClosedRange<Float>
  let noise: ClosedRange<Float>
  /// Light that spreads around what is brighter than white.
  let bloom: Float
}

/// Inks between two.
struct ClosedInks {
  let from: Ink
  let to: Ink

  init(_ from: UInt32, _ to: UInt32) {
    self.from = Ink(from)
    self.to = Ink(to)
  }
}

extension SplitMix64 {
  mutating func within(_ inks: ClosedInks) -> Ink {
    inks.from.mixed(with: inks.to, unit())
  }
}

extension Look {
  /// What the network of the demo was trained on: a clear day.
  static let day = Look(
    sunlight: Ink(0.72, 0.66, 0.54),
    ambient: Ink(0.52, 0.56, 0.64),
    zenith: ClosedInks(0x3f7fd0, 0x5c9ae0), haze: ClosedInks(0xbcd4ea, 0xd6e2ec),
    cloud: Ink(0xf8f8fa), cloudCover: -0.35...0.15, clearness: 180...400,
    litWindows: 0, lamps: false,
    asphalt: ClosedInks(0x63646a, 0x85858a), paving: ClosedInks(0xa79f94, 0xc2bcb2),
    marking: Ink(0xeeeeea), grass: ClosedInks(0x5d8a34, 0x7ba044),
    leaves: [Ink(0x4f8a34), Ink(0x6a9c3c), Ink(0x3f7a3a), Ink(0x86a648)], bark: Ink(0x6f5642),
    walls: [
      Ink(0xc98f6a), Ink(0xe6cfa4), Ink(0xf0e6d2), Ink(0xb8654a), Ink(0xd9b48a), Ink(0xa7553f),
      Ink(0xe3c37a), Ink(0xbfc8c4), Ink(0xe8b9a0),
    ],
    trim: Ink(0xf4eee2), roofs: [Ink(0xa8503a), Ink(0x8f4a3a), Ink(0x6a5c58)],
    glass: Ink(0x3c5870),
    paints: [
      Ink(0xc42a30), Ink(0x2450a0), Ink(0xe8eaec), Ink(0x33363c), Ink(0x90959b), Ink(0xf0b93a),
      Ink(0x2f7a5a), Ink(0x6aa0cc), Ink(0xa04f2c),
    ],
    clothes: [
      Ink(0x3a4a80), Ink(0xb0343a), Ink(0x2e3036), Ink(0xe0d8cc), Ink(0x3f7a54), Ink(0xe0973a),
      Ink(0x7a5296), Ink(0x5c6470), Ink(0x3c88b0),
    ],
    eye: 1.35...1.6, focal: 0.84...0.96, horizon: 0.44...0.5, distortion: 0,
    exposure: 0.94...1.06, contrast: 0...0.25, noise: 0.003...0.007, bloom: 0)

  /// Where it is to become good without labels: dusk, seen from a van.
  static let dusk = Look(
    sunlight: Ink(0.3, 0.18, 0.12), ambient: Ink(0.66, 0.62, 0.74),
    zenith: ClosedInks(0x4a72bc, 0x628cce), haze: ClosedInks(0xdab2a0, 0xe8c6b4),
    cloud: Ink(0xd0a0a8), cloudCover: -0.3...0.2, clearness: 110...200,
    litWindows: 0.4, lamps: true,
    asphalt: ClosedInks(0x54525c, 0x6c6872), paving: ClosedInks(0x8a8078, 0x9c948c),
    marking: Ink(0xd8d0bc), grass: ClosedInks(0x5c6a34, 0x6e7038),
    leaves: [Ink(0x5c8a34), Ink(0x7e8a30), Ink(0x467a3c), Ink(0x947a30)], bark: Ink(0x54463e),
    walls: [
      Ink(0x9a9aa2), Ink(0xa47c6c), Ink(0xc4b4a0), Ink(0x8c8c94), Ink(0x94604c), Ink(0xb49878),
      Ink(0x9c7060),
    ],
    trim: Ink(0xb0a8a0), roofs: [Ink(0x4c4a54), Ink(0x5a4644), Ink(0x3e444c)],
    glass: Ink(0x2c3448),
    paints: [
      Ink(0xa42a30), Ink(0x223c7a), Ink(0xd4d4d8), Ink(0x2c2e34), Ink(0x7a7e84), Ink(0x2c5a50),
      Ink(0xc89a4a), Ink(0x5a3a64),
    ],
    clothes: [
      Ink(0x2c3c68), Ink(0x8a2c34), Ink(0x26282e), Ink(0xa89c8c), Ink(0x3a5a46), Ink(0xa06a34),
      Ink(0x5c3c74), Ink(0xc4bca8),
    ],
    eye: 2.0...2.3, focal: 0.7...0.8, horizon: 0.38...0.44, distortion: 0.12,
    exposure: 0.9...1.04, contrast: 0...0.2, noise: 0.008...0.016, bloom: 0.4)
}
