// Everything that differs between the two worlds of the demo: light, materials, camera, sensor.

/// The look of a world; what stands in the streets does not depend on it.
struct Look {
  // Light.
  let sunlight: Ink
  let ambient: Ink
  let zenith: InkRange
  let haze: InkRange
  let cloud: Ink
  let cloudCover: ClosedRange<Float>
  /// Metres after which haze leaves 1/e of a thing's own colour.
  let clearness: ClosedRange<Float>
  /// Share of the windows that are lit.
  let litWindows: Float
  /// Whether lamps and cars shine.
  let lamps: Bool

  // Materials.
  let asphalt: InkRange
  let paving: InkRange
  let marking: Ink
  let grass: InkRange
  let leaves: Palette
  let bark: Ink
  let walls: Palette
  /// The ink of window frames, doors and ledges.
  let trim: Ink
  let roofs: Palette
  let glass: Ink
  let paints: Palette
  let clothes: Palette

  // Camera.
  /// Height of the camera above the ground, in metres.
  let eye: ClosedRange<Float>
  /// Focal length as a share of the frame's width.
  let focal: ClosedRange<Float>
  /// Row of the horizon as a share of the frame's height.
  let horizon: ClosedRange<Float>
  /// How far the lens moves the corners towards the middle, as a share of their distance.
  let distortion: Float

  // Sensor.
  let exposure: ClosedRange<Float>
  let contrast: ClosedRange<Float>
  let noise: ClosedRange<Float>
  /// How much light spreads around what is brighter than white.
  let bloom: Float
}

/// Two inks as 0xRRGGBB; a scene takes a mixture of them.
typealias InkRange = ClosedRange<UInt32>
/// Inks as 0xRRGGBB; a thing takes one of them.
typealias Palette = [UInt32]

extension SplitMix64 {
  mutating func mix(_ inks: InkRange) -> Ink {
    Ink(inks.lowerBound).mixed(with: Ink(inks.upperBound), unit())
  }

  mutating func pick(_ inks: Palette) -> Ink {
    Ink(inks[index(below: inks.count)])
  }
}

extension Look {
  /// What the network of the demo was trained on: a clear day.
  static let day = Look(
    sunlight: Ink(0.72, 0.66, 0.54),
    ambient: Ink(0.52, 0.56, 0.64),
    zenith: 0x3f7fd0...0x5c9ae0, haze: 0xbcd4ea...0xd6e2ec,
    cloud: Ink(0xf8f8fa), cloudCover: -0.35...0.15, clearness: 180...400,
    litWindows: 0, lamps: false,
    asphalt: 0x63646a...0x85858a, paving: 0xa79f94...0xc2bcb2,
    marking: Ink(0xeeeeea), grass: 0x5d8a34...0x7ba044,
    leaves: [0x4f8a34, 0x6a9c3c, 0x3f7a3a, 0x86a648], bark: Ink(0x6f5642),
    walls: [
      0xc98f6a, 0xe6cfa4, 0xf0e6d2, 0xb8654a, 0xd9b48a, 0xa7553f, 0xe3c37a, 0xbfc8c4, 0xe8b9a0,
    ],
    trim: Ink(0xf4eee2), roofs: [0xa8503a, 0x8f4a3a, 0x6a5c58],
    glass: Ink(0x3c5870),
    paints: [
      0xc42a30, 0x2450a0, 0xe8eaec, 0x33363c, 0x90959b, 0xf0b93a, 0x2f7a5a, 0x6aa0cc, 0xa04f2c,
    ],
    clothes: [
      0x3a4a80, 0xb0343a, 0x2e3036, 0xe0d8cc, 0x3f7a54, 0xe0973a, 0x7a5296, 0x5c6470, 0x3c88b0,
    ],
    eye: 1.35...1.6, focal: 0.84...0.96, horizon: 0.44...0.5, distortion: 0,
    exposure: 0.94...1.06, contrast: 0...0.25, noise: 0.003...0.007, bloom: 0)

  /// What the network adapts to without labels: dusk, seen from a van.
  static let dusk = Look(
    sunlight: Ink(0.3, 0.18, 0.12), ambient: Ink(0.66, 0.62, 0.74),
    zenith: 0x4a72bc...0x628cce, haze: 0xdab2a0...0xe8c6b4,
    cloud: Ink(0xd0a0a8), cloudCover: -0.3...0.2, clearness: 110...200,
    litWindows: 0.4, lamps: true,
    asphalt: 0x54525c...0x6c6872, paving: 0x8a8078...0x9c948c,
    marking: Ink(0xd8d0bc), grass: 0x5c6a34...0x6e7038,
    leaves: [0x5c8a34, 0x7e8a30, 0x467a3c, 0x947a30], bark: Ink(0x54463e),
    walls: [0x9a9aa2, 0xa47c6c, 0xc4b4a0, 0x8c8c94, 0x94604c, 0xb49878, 0x9c7060],
    trim: Ink(0xb0a8a0), roofs: [0x4c4a54, 0x5a4644, 0x3e444c],
    glass: Ink(0x2c3448),
    paints: [0xa42a30, 0x223c7a, 0xd4d4d8, 0x2c2e34, 0x7a7e84, 0x2c5a50, 0xc89a4a, 0x5a3a64],
    clothes: [0x2c3c68, 0x8a2c34, 0x26282e, 0xa89c8c, 0x3a5a46, 0xa06a34, 0x5c3c74, 0xc4bca8],
    eye: 2.0...2.3, focal: 0.7...0.8, horizon: 0.38...0.44, distortion: 0.12,
    exposure: 0.9...1.04, contrast: 0...0.2, noise: 0.008...0.016, bloom: 0.4)
}
