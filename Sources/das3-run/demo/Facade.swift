// A place on the wall of a house in, its ink and the light that comes out of it out.

/// Bricks or plaster, windows in rows, perhaps a shop below.
struct Facade {
  let height: Float
  let hasShop: Bool

  let floor: Float
  let wall: Ink
  let trim: Ink
  let glass: Ink
  /// What the sky adds to glass.
  let reflection: Ink
  let shutters: Ink?
  /// Of shop signs and doors.
  let accent: Ink
  /// Metres from one window to the next.
  let pitch: Float
  let window: Point
  /// Share of the windows with light in them.
  let lit: Float
  let noise: Noise
  private let isBrick: Bool

  private static let concrete = Ink(0.5, 0.5, 0.5)

  init(_ look: Look, _ light: Light, _ random: inout SplitMix64) {
    floor = random.within(2.9...3.5)
    height = floor * Float(2 + random.index(below: 5)) + 0.7
    wall = random.pick(look.walls) * random.within(0.88...1.08)
    trim = wall.mixed(with: look.trim, 0.55)
    glass = look.glass * random.within(0.8...1.2)
    reflection = light.zenith.mixed(with: light.haze, 0.4)
    isBrick = random.chance(0.4)
    hasShop = random.chance(0.42)
    let paint = random.pick(look.paints).mixed(with: wall, 0.35) * 0.8
    shutters = !isBrick && random.chance(0.35) ? paint : nil
    accent = random.pick(look.paints)
    pitch = random.within(2...3)
    window = Point(random.within(0.95...1.3), random.within(1.35...1.7))
    lit = look.litWindows
    noise = Noise(&random)
  }

  /// - Parameter spot: a place on the wall and the size of a sample there.
  /// - Returns: the surface's own colour, and what it shines with by itself.
  @inline(__always)
  func surface(_ spot: Wall.Spot) -> (ink: Ink, glow: Ink) {
    let (u, v) = (spot.along, spot.up)
    if v > height - 0.45 { return (v > height - 0.3 ? trim : trim * 0.72, .zero) }
    if v < 0.55 { return (wall.mixed(with: Self.concrete, 0.4) * 0.82, .zero) }
    let near = 1 / (1 + 6 * (spot.height + spot.width / 3))
    var tone = 1 + 0.06 * noise.smooth(u * 0.5, v * 0.35)
    if near > 0.3 { tone *= 1 + 0.06 * near * noise.smooth(u * 13, v * 13) }
    if isBrick, near > 0.2 { tone *= bricks(spot, near) }
    tone *= 1 - 0.2 * (0.8 - v).step(0, 0.8)  // splashes
    if hasShop, v < floor { return shop(wall * tone, spot) }
    return windows(wall * tone, spot)
  }

  private func bricks(_ spot: Wall.Spot, _ near: Float) -> Float {
    let row = (spot.up / 0.085).floored
    let brick = noise.cell((spot.along / 0.26 + row * 0.5).floored, row) - 0.5
    let mortar = spot.up.stripe(0.085, width: 0.012, blur: spot.height)
    return 1 + near * (0.24 * near * brick + 0.1 * mortar)
  }
}
