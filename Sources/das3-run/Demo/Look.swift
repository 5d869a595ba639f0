// Everything that differs between the places of the demo: light, materials, camera, sensor.

/// A look is where and when frames are taken; what stands in the street is the same everywhere.
struct Look {
  let name: String

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
    name: "day",
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
    name: "dusk",
    sunlight: Ink(0.1, 0.06, 0.06), ambient: Ink(0.5, 0.46, 0.58),
    zenith: ClosedInks(0x3c3f78, 0x5a5490), haze: ClosedInks(0xc98a78, 0xdb9c86),
    cloud: Ink(0xa2718c), cloudCover: -0.1...0.4, clearness: 60...120,
    litWindows: 0.4, lamps: true,
    asphalt: ClosedInks(0x54525c, 0x6c6872), paving: ClosedInks(0x8a8078, 0x9c948c),
    marking: Ink(0xd8d0bc), grass: ClosedInks(0x5c6a34, 0x6e7038),
    leaves: [Ink(0x5c6a30), Ink(0x8a6a30), Ink(0x466038), Ink(0x9a5a2c)], bark: Ink(0x54463e),
    walls: [
      Ink(0x9a9aa2), Ink(0x8c7a74), Ink(0xb4aaa0), Ink(0x7c8490), Ink(0x84685c), Ink(0xa49080),
      Ink(0x6c7078),
    ],
    trim: Ink(0xb0a8a0), roofs: [Ink(0x4c4a54), Ink(0x5a4644), Ink(0x3e444c)],
    glass: Ink(0x2c3448),
    paints: [
      Ink(0x8a2a30), Ink(0x22305a), Ink(0xc4c4c8), Ink(0x26282e), Ink(0x6a6e74), Ink(0x3c4a44),
      Ink(0xb08a4a), Ink(0x4a3a54),
    ],
    clothes: [
      Ink(0x2c3450), Ink(0x6a2c34), Ink(0x26282e), Ink(0x8c8478), Ink(0x3a4a3e), Ink(0x7a5a34),
      Ink(0x4c3c5c), Ink(0xb4b0a0),
    ],
    eye: 2.0...2.3, focal: 0.7...0.8, horizon: 0.38...0.44, distortion: 0.12,
    exposure: 0.86...1.0, contrast: 0...0.2, noise: 0.014...0.024, bloom: 0.5)
}
