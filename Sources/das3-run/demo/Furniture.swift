// What stands at the kerb: street lamps, traffic signs and traffic lights.

extension Thing {
  /// A street lamp; `arm` is the side on which the road is, -1 or 1.
  static func lamp(at root: Vector, arm: Float, _ random: inout SplitMix64) -> Thing {
    let height = random.within(5...7)
    let metal = Ink(0.42, 0.44, 0.46) * random.within(0.75...1.3)
    return Thing(root: root) { painter in
      painter.shadow(at: root, Point(0.35, 0.3))
      let top = Point(arm * 1.3, height + 0.3)
      if painter.look.lamps {
        painter.pool(at: root + Vector(top.x, 0, 0), Point(3.2, 3), Ink(0.8, 0.55, 0.26))
      }
      func pole(_ from: Point, _ to: Point, _ widths: Point) {
        painter.limb(from, to, widths: widths, at: root, metal, .pole)
      }
      pole(Point(0, 0), Point(0, 0.9), Point(0.14, 0.12))
      pole(Point(0, 0.9), Point(0, height), Point(0.11, 0.09))
      pole(Point(0, height), top, Point(0.08, 0.07))
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

  /// A traffic sign or a traffic light.
  static func sign(at root: Vector, _ random: inout SplitMix64) -> Thing {
    let middle = Point(0, random.within(2.3...2.9))
    let size = random.within(0.42...0.58)
    let kind = random.pick(SignKind.allCases)
    let state = random.index(below: 3)
    return Thing(root: root) { painter in
      painter.shadow(at: root, Point(0.25, 0.2))
      painter.limb(
        Point(0, 0), middle, widths: Point(0.07, 0.07), at: root, Ink(0.52, 0.53, 0.54), .pole)
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
      func lights(_ low: Float, _ high: Float) {
        painter.rectangle(-0.32...0.32, low...high, at: root, SignKind.dark, .sign)
        for (index, ink) in SignKind.lights.enumerated() {
          let place = root + Vector(0, high - 0.24 - Float(index) * 0.43, 0)
          let isOn = index == state
          let disc = Circle.points.map { $0 * 0.16 }
          painter.board(disc, at: place, ink * (isOn ? 1.5 : 0.3), .sign)
          if isOn, painter.look.lamps { painter.glow(place, 0.9, ink * 0.7) }
        }
      }
      switch kind {
      case .forbids:
        plate(1, SignKind.red)
        plate(0.74, SignKind.white)
        bar(0.42, 0.12, SignKind.dark)
      case .warns:
        plate(1.1, SignKind.red, every: 8)
        plate(0.7, SignKind.white, every: 8)
        bar(0.07, 0.26, SignKind.dark)
      case .orders:
        plate(1, SignKind.white)
        plate(0.92, SignKind.blue)
        bar(0.1, 0.5, SignKind.white)
      case .priority:
        plate(1.05, SignKind.white, every: 6)
        plate(0.74, SignKind.yellow, every: 6)
      case .light:
        lights(middle.y - 0.55, middle.y + 0.8)
      }
    }
  }
}

private enum SignKind: CaseIterable {
  case forbids, warns, orders, priority, light

  static let red = Ink(0.8, 0.11, 0.13)
  static let white = Ink(0.95, 0.94, 0.91)
  static let blue = Ink(0.13, 0.33, 0.7)
  static let yellow = Ink(0.95, 0.72, 0.14)
  static let dark = Ink(0.14, 0.15, 0.17)
  /// Red, amber and green, from the top.
  static let lights = [Ink(0.95, 0.22, 0.16), Ink(1, 0.74, 0.2), Ink(0.26, 0.9, 0.5)]
}
