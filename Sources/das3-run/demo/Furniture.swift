// What stands at the kerb: street lamps, traffic signs and lights.

struct Lamp: Thing {
  let root: Vector
  /// The side on which the road is: -1 or 1.
  private let arm: Float
  private let height: Float
  private let metal: Ink

  init(at root: Vector, arm: Float, _ random: inout SplitMix64) {
    self.root = root
    self.arm = arm
    height = random.within(5...7)
    metal = Ink(0.42, 0.44, 0.46) * random.within(0.75...1.3)
  }

  func paint(_ painter: inout Painter) {
    painter.shadow(at: root, Point(0.35, 0.3))
    let top = Point(arm * 1.3, height + 0.3)
    if painter.look.lamps {
      painter.pool(at: root + Vector(top.x, 0, 0), Point(3.2, 3), Ink(0.8, 0.55, 0.26))
    }
    painter.limb(Point(0, 0), Point(0, 0.9), widths: Point(0.14, 0.12), at: root, metal, .pole)
    painter.limb(Point(0, 0.9), Point(0, height), widths: Point(0.11, 0.09), at: root, metal, .pole)
    painter.limb(Point(0, height), top, widths: Point(0.08, 0.07), at: root, metal, .pole)
    let head = [
      top + Point(0, -0.08), top + Point(arm * 0.75, -0.02), top + Point(arm * 0.7, 0.1),
      top + Point(0, 0.12),
    ]
    painter.board(head, at: root, metal * 1.3, .pole)
    guard painter.look.lamps else { return }
    let bulb = top + Point(arm * 0.4, -0.1)
    painter.limb(
      bulb - Point(0.26, 0), bulb + Point(0.26, 0), widths: Point(0.06, 0.06), at: root,
      Ink(4, 3.2, 2), .pole)
    painter.glow(root + Vector(bulb.x, bulb.y, 0), 1.6, Ink(0.6, 0.42, 0.2))
  }
}

struct Sign: Thing {
  private enum Kind: CaseIterable {
    case forbids, warns, orders, priority, light
  }

  let root: Vector
  private let height: Float
  private let size: Float
  private let kind: Kind
  private let state: Int

  private static let red = Ink(0.8, 0.11, 0.13)
  private static let white = Ink(0.95, 0.94, 0.91)
  private static let blue = Ink(0.13, 0.33, 0.7)
  private static let yellow = Ink(0.95, 0.72, 0.14)
  private static let dark = Ink(0.14, 0.15, 0.17)
  private static let lights = [Ink(0.95, 0.22, 0.16), Ink(1, 0.74, 0.2), Ink(0.26, 0.9, 0.5)]

  init(at root: Vector, _ random: inout SplitMix64) {
    self.root = root
    height = random.within(2.3...2.9)
    size = random.within(0.42...0.58)
    kind = random.pick(Kind.allCases)
    state = random.index(below: 3)
  }

  func paint(_ painter: inout Painter) {
    painter.shadow(at: root, Point(0.25, 0.2))
    painter.limb(
      Point(0, 0), Point(0, height), widths: Point(0.07, 0.07), at: root,
      Ink(0.52, 0.53, 0.54), .pole)
    let middle = Point(0, height)
    func plate(_ grow: Float, _ ink: Ink, every: Int = 1) {
      let corners = stride(from: 0, to: Circle.count, by: every)
      painter.board(
        corners.map { middle + Circle.points[$0] * (size * grow) }, at: root, ink, .sign)
    }
    func bar(_ width: Float, _ height: Float, _ ink: Ink) {
      let corner = Point(width, height) * size
      painter.rectangle(
        -corner.x...corner.x, middle.y - corner.y...middle.y + corner.y, at: root, ink, .sign)
    }
    switch kind {
    case .forbids:
      plate(1, Self.red)
      plate(0.74, Self.white)
      bar(0.42, 0.12, Self.dark)
    case .warns:
      plate(1.1, Self.red, every: 8)
      plate(0.7, Self.white, every: 8)
      bar(0.07, 0.26, Self.dark)
    case .orders:
      plate(1, Self.white)
      plate(0.92, Self.blue)
      bar(0.1, 0.5, Self.white)
    case .priority:
      plate(1.05, Self.white, every: 6)
      plate(0.74, Self.yellow, every: 6)
    case .light:
      paintLight(&painter)
    }
  }

  private func paintLight(_ painter: inout Painter) {
    let width: Float = 0.32
    let (low, high) = (height - 0.55, height + 0.8)
    painter.rectangle(-width...width, low...high, at: root, Self.dark, .sign)
    for (index, ink) in Self.lights.enumerated() {
      let place = root + Vector(0, high - 0.24 - Float(index) * 0.43, 0)
      let isOn = index == state
      painter.board(
        Circle.points.map { $0 * 0.16 }, at: place, ink * (isOn ? 1.5 : 0.3), .sign)
      if isOn, painter.look.lamps { painter.glow(place, 0.9, ink * 0.7) }
    }
  }
}
