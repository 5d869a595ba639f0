// Inks of surfaces in, inks as the camera sees them out.

/// The light of one scene.
struct Light {
  /// Towards the sun, of length 1.
  let sun: Vector
  let sunlight: Ink
  let ambient: Ink
  let zenith: Ink
  let haze: Ink
  private let clearness: Float

  /// The largest share of haze, so that nothing disappears in it.
  private static let densest: Float = 0.86

  init(_ look: Look, _ random: inout SplitMix64) {
    sun =
      Vector(
        random.side() * random.within(0.35...0.9), random.within(0.5...0.9),
        random.within(-0.7...0.1)
      ).normalized
    let warmth = Ink(1, random.within(0.96...1), random.within(0.9...1.02))
    sunlight = look.sunlight * random.within(0.85...1.1) * warmth
    ambient = look.ambient * random.within(0.94...1.06)
    zenith = random.mix(look.zenith)
    haze = random.mix(look.haze)
    clearness = random.within(look.clearness)
  }

  /// Which side of the road the sun is on: -1 or 1.
  var side: Float { sun.x < 0 ? -1 : 1 }

  /// A surface in this light.
  ///
  /// - Parameters:
  ///   - ink: its own colour.
  ///   - normal: where it faces, of length 1.
  ///   - sunshine: the share of the sun that is not blocked by other things.
  /// - Returns: what leaves the surface.
  @inline(__always)
  func on(_ ink: Ink, facing normal: Vector, sunshine: Float = 1) -> Ink {
    ink * (ambient * (0.86 + 0.14 * normal.y) + sunlight * (sunshine * max(0, sun.dot(normal))))
  }

  @inline(__always)
  func through(_ ink: Ink, metres: Float) -> Ink {
    ink.mixed(with: haze, min(1 - (metres / clearness).decay, Self.densest))
  }

  /// A surface in this light, seen through the haze of so many metres.
  @inline(__always)
  func seen(_ ink: Ink, facing normal: Vector, metres: Float) -> Ink {
    through(on(ink, facing: normal), metres: metres)
  }
}
