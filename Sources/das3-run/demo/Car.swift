// One car.

struct Car {
  private let root: Vector
  /// Half of its width, in metres.
  private let half: Float
  private let shape: CarShape
  private let ink: Ink
  private let isOncoming: Bool

  private static let rubber = Ink(0.1, 0.1, 0.11)
  private static let rim = Ink(0.6, 0.61, 0.63)
  private static let trim = Ink(0.2, 0.2, 0.22)

  init(_ look: Look, at root: Vector, isOncoming: Bool, _ random: inout SplitMix64) {
    self.root = root
    self.isOncoming = isOncoming
    half = random.within(0.86...0.94)
    let shape: CarShape = random.pick([.hatchback, .hatchback, .saloon, .saloon, .van])
    self.shape = isOncoming ? shape.turned : shape
    ink = random.pick(look.paints) * random.within(0.88...1.1)
  }

  var thing: Thing { Thing(root: root, paint: paint) }

  private func paint(_ painter: inout Painter) {
    let middle = root + Vector(0, 0, shape.length / 2)
    painter.shadow(at: middle, Point(half * 1.3, shape.length * 0.6), strength: 1.3)
    paintBelow(&painter)
    for segment in (0..<shape.outline.count - 1).reversed() { paintSegment(&painter, segment) }
    paintEnd(&painter)
    let across = painter.camera.across(root.x, root.z)
    if abs(across) > half { paintSide(&painter, across > 0 ? -1 : 1) }
  }

  /// A corner of the outline on one side of the car, -1 to 1.
  private func corner(_ index: Int, _ side: Float) -> Vector {
    let point = shape.outline[index]
    return root + Vector(side * half * shape.width(at: index), point.y, point.x)
  }

  private func paintBelow(_ painter: inout Painter) {
    panel(&painter, -half * 0.88...half * 0.88, 0.16...0.4, Ink(0.05, 0.05, 0.06))
    for side: Float in [-1, 1] {
      let tyre = side * (half - 0.14)
      panel(&painter, tyre - 0.1...tyre + 0.1, 0.01...0.4, Self.rubber)
    }
  }

  /// Paints one strip across the car if it faces the camera: bumper, boot, window, roof or bonnet.
  private func paintSegment(_ painter: inout Painter, _ index: Int) {
    let (from, to) = (shape.outline[index], shape.outline[index + 1])
    let normal = Vector(0, to.x - from.x, from.y - to.y).normalized
    let corners = [
      corner(index, -1), corner(index, 1), corner(index + 1, 1), corner(index + 1, -1),
    ]
    painter.face(corners, ink, .car, facing: normal)
    guard index == shape.windows.lowerBound || index == shape.windows.upperBound else { return }
    let centre = corners.reduce(.zero, +) / 4
    let sky = painter.light.zenith.mixed(with: painter.light.haze, 0.5)
    let glass = painter.look.glass.mixed(with: sky, 0.16 + 0.3 * max(0, normal.y))
    painter.face(
      corners.map { centre + ($0 - centre) * Vector(0.88, 0.84, 0.84) }, glass, .car,
      facing: normal)
  }

  /// Paints bumper, number plate and lamps of the near end.
  private func paintEnd(_ painter: inout Painter) {
    let top = shape.outline[2].y
    panel(&painter, -half...half, 0.28...0.38, Self.trim)
    panel(&painter, -half...half, 0.38...0.54, ink * 1.06)
    panel(&painter, -half...half, 0.54...0.57, ink * 0.7)
    panel(&painter, -0.26...0.26, isOncoming ? 0.4...0.51 : 0.62...0.74, Ink(0.93, 0.92, 0.85))
    if isOncoming {
      panel(&painter, -half * 0.5...half * 0.5, 0.6...0.72, Self.trim)
    } else {
      panel(&painter, -half * 0.94...half * 0.94, top - 0.06...top - 0.04, ink * 0.74)
    }
    let shines = painter.look.lamps
    let lamp = isOncoming ? Ink(0.95, 0.94, 0.86) : Ink(0.74, 0.09, 0.08)
    let height = isOncoming ? top - 0.22...top - 0.06 : top - 0.3...top - 0.1
    for side: Float in [-1, 1] {
      let (inner, outer) = (side * (half - 0.26), side * (half - 0.02))
      panel(
        &painter, min(inner, outer)...max(inner, outer), height,
        shines ? lamp * (isOncoming ? 3 : 1.7) : lamp)
      let bright = height.lowerBound...height.lowerBound + 0.06
      if !isOncoming {
        panel(&painter, min(inner, outer)...max(inner, outer), bright, Ink(0.9, 0.55, 0.3))
      }
      guard shines else { continue }
      let bulb = root + Vector((inner + outer) / 2, top - 0.15, 0)
      painter.glow(bulb, isOncoming ? 0.8 : 0.45, lamp * (isOncoming ? 0.45 : 0.3))
    }
  }

  private func paintSide(_ painter: inout Painter, _ side: Float) {
    let place = root.x + side * half
    let wall = Wall(
      painter.camera, from: Point(place, root.z), to: Point(place, root.z + shape.length))
    let (light, ink, seams) = (painter.light, ink, shape.pillars)
    let outline = shape.outline.indices.map { painter.camera.at(corner($0, side)) }
    let normal = Vector(side, 0.25, 0).normalized
    painter.raster.fill(outline, .car) { sample, _ in
      let spot = wall.spot(sample)
      var tone = 0.72 + 0.28 * spot.up.step(0.36, 0.62) + 0.12 * (spot.up - 0.6).step(0, 0.4)
      if abs(spot.up - 0.8) < 0.02 { tone *= 1.12 }
      for seam in seams where abs(spot.along - seam) < 0.02 && spot.up < 1 { tone *= 0.75 }
      let body = spot.up < 0.38 ? Self.trim : ink * tone
      return light.seen(body, facing: normal, metres: spot.ahead)
    }
    let sky = light.zenith.mixed(with: light.haze, 0.5)
    let low = shape.sideWindow.reduce(Float.infinity) { min($0, $1.y) }
    let rows = painter.camera
    let glass = shape.sideWindow.map { point in
      let lean = side * half * (1 - 0.2 * ((point.y - low) / 0.5).clamped)
      return rows.at(root + Vector(lean, point.y, point.x))
    }
    let (pane, pillars) = (painter.look.glass, shape.pillars)
    painter.raster.fill(glass, .car) { sample, _ in
      let spot = wall.spot(sample)
      let shine = (spot.up * 0.9 + spot.along * 0.12).stripe(0.9, width: 0.22, blur: 0.1)
      var ink = pane.mixed(with: sky, 0.18 + 0.16 * shine)
      for pillar in pillars where abs(spot.along - pillar) < 0.05 { ink = Self.trim }
      return light.seen(ink, facing: normal, metres: spot.ahead)
    }
    for along in [0.78, shape.length - 0.82] { paintWheel(&painter, place, along) }
  }

  private func paintWheel(_ painter: inout Painter, _ place: Float, _ along: Float) {
    let normal = Vector(place < root.x ? -1 : 1, 0, -0.2).normalized
    let rings: [(Float, Ink)] = [
      (0.4, Self.trim * 0.6), (0.33, Self.rubber), (0.2, Self.rim), (0.06, Self.trim),
    ]
    for (radius, ink) in rings {
      let ring = Circle.points.map { point in
        let height = 0.33 + point.y * radius
        return Vector(place, max(height, 0.01), root.z + along + point.x * radius)
      }
      painter.face(ring, ink, .car, facing: normal)
    }
  }

  /// Paints a rectangle on the near end.
  private func panel(
    _ painter: inout Painter, _ width: ClosedRange<Float>, _ height: ClosedRange<Float>, _ ink: Ink
  ) {
    painter.rectangle(width, height, at: root, ink, .car)
  }
}

/// A car seen from its side.
struct CarShape {
  /// Metres from the near end and from the ground, going over the car from end to end.
  let outline: [Point]
  /// Indices of the outline's segments that are the near and the far window; the roof is between.
  let windows: ClosedRange<Int>
  /// Metres from the near end to the pillars between the side windows.
  let pillars: [Float]

  static let hatchback = CarShape(
    outline: [
      Point(0.06, 0.3), Point(0, 0.5), Point(0.05, 0.94), Point(0.36, 1.38), Point(0.85, 1.48),
      Point(2.1, 1.46), Point(2.9, 0.98), Point(3.8, 0.84), Point(4, 0.58), Point(3.96, 0.3),
    ], windows: 2...5, pillars: [0.75, 1.6])

  static let saloon = CarShape(
    outline: [
      Point(0.06, 0.3), Point(0, 0.55), Point(0.06, 0.94), Point(0.7, 0.99), Point(1.3, 1.4),
      Point(2.4, 1.42), Point(3.2, 0.98), Point(4.25, 0.84), Point(4.5, 0.58), Point(4.46, 0.3),
    ], windows: 3...5, pillars: [1.95])

  static let van = CarShape(
    outline: [
      Point(0.04, 0.34), Point(0, 0.6), Point(0.02, 1.15), Point(0.1, 1.92), Point(0.3, 2.04),
      Point(3.5, 2), Point(4.2, 1.2), Point(4.75, 1), Point(4.9, 0.6), Point(4.86, 0.34),
    ], windows: 2...5, pillars: [1.3, 2.6])

  var length: Float { outline.reduce(0) { max($0, $1.x) } }

  /// The same car coming towards us.
  var turned: CarShape {
    let last = outline.count - 2
    let length = length
    return CarShape(
      outline: outline.reversed().map { Point(length - $0.x, $0.y) },
      windows: last - windows.upperBound...last - windows.lowerBound,
      pillars: pillars.map { length - $0 })
  }

  /// Half the car's width at a corner of the outline, as a share of its width at the doors.
  func width(at corner: Int) -> Float {
    corner > windows.lowerBound && corner <= windows.upperBound ? 0.8 : 1
  }

  /// The outline of the side windows as one pane.
  var sideWindow: [Point] {
    let corners = outline[windows.lowerBound...windows.upperBound + 1]
    let middle = corners.reduce(.zero, +) / Float(corners.count)
    return corners.map { middle + ($0 - middle) * Point(0.86, 0.74) + Point(0, 0.02) }
  }
}
