// A place on the wall of a house in, its ink and the light that it gives off out.

/// The front of a house: bricks or plaster, windows in rows, perhaps a shop below.
struct Facade {
  let height: Float
  let hasShop: Bool

  private let floor: Float
  private let wall: Ink
  private let trim: Ink
  private let glass: Ink
  /// The sky that glass reflects.
  private let reflection: Ink
  private let shutters: Ink?
  /// The ink of shop signs and doors.
  private let accent: Ink
  /// Metres from the middle of one window to the next.
  private let pitch: Float
  private let window: Point
  /// Share of the windows that are lit.
  private let lit: Float
  private let noise: Noise
  private let isBrick: Bool

  private static let concrete = Ink(0.5, 0.5, 0.5)
  /// Metres from a floor to its windows.
  private static let sill: Float = 0.9
  private static let frame: Float = 0.09
  private static let shopTop: Float = 2.6
  private static let shopPitch: Float = 2.4
  private static let curtain = Ink(0.8, 0.78, 0.72)
  private static let lamps = [Ink(1.15, 0.85, 0.48), Ink(1.05, 0.7, 0.36), Ink(0.8, 0.8, 0.75)]

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
  /// - Returns: the surface's own colour, and the light that it gives off.
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

  // MARK: Windows, doors, shops

  /// Rows of windows in a wall of the ink `wall`.
  private func windows(_ wall: Ink, _ spot: Wall.Spot) -> (ink: Ink, glow: Ink) {
    let level = (spot.up / floor).floored
    guard level >= 0, level * floor + Self.sill + window.y + 0.3 < height else {
      return (wall, .zero)
    }
    let column = (spot.along / pitch).floored
    if level == 0, noise.cell(column + 300, 0) < 0.16 { return door(wall, spot) }
    guard cover(spot, sideways: 0.5, below: 0.2) > 0 else { return (wall, .zero) }
    var ink = wall
    if let shutters {
      let wings = cover(spot, sideways: 0.5) - cover(spot, sideways: Self.frame)
      let slat = spot.up.stripe(0.12, width: 0.06, blur: spot.height)
      ink = ink.mixed(with: shutters * (0.85 + 0.15 * slat), max(0, wings))
    }
    ink = ink.mixed(
      with: trim, cover(spot, sideways: Self.frame, above: Self.frame, below: Self.frame * 1.6))
    let open = cover(spot)
    guard open > 0 else { return (ink, .zero) }
    let (pane, glow) = pane(spot, column, level)
    return (ink.mixed(with: pane, open), glow * open)
  }

  /// The share of a sample that windows cover, or what surrounds them by so many metres.
  private func cover(
    _ spot: Wall.Spot, sideways: Float = 0, above: Float = 0, below: Float = 0
  ) -> Float {
    spot.along.stripe(
      pitch, start: (pitch - window.x) / 2 - sideways, width: window.x + 2 * sideways,
      blur: spot.width)
      * spot.up.stripe(
        floor, start: Self.sill - below, width: window.y + above + below, blur: spot.height)
  }

  /// One window: bars, curtains, the sky in it, or a lamp behind it.
  private func pane(_ spot: Wall.Spot, _ column: Float, _ level: Float) -> (ink: Ink, glow: Ink) {
    let corner = Point(column * pitch + (pitch - window.x) / 2, level * floor + Self.sill)
    let place = (Point(spot.along, spot.up) - corner) / window
    let height = place.y.clamped
    let middle = abs(place.x - 0.5)
    if middle < 0.03 || abs(place.y - 0.64) < 0.025 { return (trim * 0.9, .zero) }
    let chance = noise.cell(column + 500, level)
    let hasCurtain = noise.cell(column + 900, level) < 0.4
    var ink = glass * (1 + 0.4 * chance)
    if hasCurtain, middle > 0.28 { ink = ink.mixed(with: Self.curtain, 0.5) }
    guard chance < lit else {
      let shine = 0.4 + 0.6 * noise.cell(column, level + 90)
      return (ink, reflection * (0.1 + 0.26 * height * shine))
    }
    let lamp = Self.lamps[min(Int(chance / lit * 3), 2)]
    return (ink, lamp * ((0.62 + 0.38 * height) * (hasCurtain ? 0.7 : 1)))
  }

  /// A front door in the middle of a column of windows.
  private func door(_ wall: Ink, _ spot: Wall.Spot) -> (ink: Ink, glow: Ink) {
    let column = (spot.along / pitch).floored
    let (side, up) = (abs(spot.along - (column + 0.5) * pitch), spot.up)
    if side > 0.68 || up > 2.5 { return (wall, .zero) }
    if side > 0.54 || up > 2.36 { return (trim, .zero) }
    if up > 2.02 { return (glass, reflection * 0.25) }
    let isPanel = side < 0.4 && up.stripe(0.9, start: 0.2, width: 0.7, blur: spot.height) > 0.5
    return (accent * (isPanel ? 0.62 : 0.78), .zero)
  }

  /// Large panes with goods behind them, and a sign above.
  private func shop(_ wall: Ink, _ spot: Wall.Spot) -> (ink: Ink, glow: Ink) {
    let (u, v) = (spot.along, spot.up)
    if v > Self.shopTop + 0.5 { return (wall, .zero) }
    if v > Self.shopTop {
      let isLetter = abs(v - Self.shopTop - 0.25) < 0.12 && noise.cell((u * 4).floored, 7) < 0.6
      let isName = (u / 9).floored == ((u + 4) / 9).floored
      return (isLetter && isName ? trim * 1.1 : accent * 0.9, .zero)
    }
    let open = u.stripe(Self.shopPitch, start: 0.12, width: 2.16, blur: spot.width)
    let height = ((v - 0.5) / 2.1).clamped
    let goods = 0.5 + 0.5 * noise.smooth(u * 2.2, v * 2.2)
    let isLit = lit > 0 && noise.cell((u / Self.shopPitch).floored, -3) < 0.8
    let glow =
      isLit
      ? Self.lamps[0] * ((0.5 + 0.5 * goods) * (0.7 + 0.3 * height))
      : reflection * (0.08 + 0.22 * height)
    let frame = trim.mixed(with: accent, 0.4)
    return (frame.mixed(with: glass * (0.7 + 0.5 * goods), open), glow * open)
  }
}
