// Shapes in metres in, samples out.

/// Something that stands in the street.
struct Thing {
  /// Where it stands on the ground; what is farther ahead is painted earlier.
  let root: Vector
  /// Paints it over everything that stands behind it.
  let paint: (inout Painter) -> Void
}

/// A scene while it is painted, from far to near.
struct Painter {
  let look: Look
  let light: Light
  let camera: Camera
  var raster: Raster

  /// Paints a flat polygon of one ink, if its front faces the camera.
  mutating func face(
    _ corners: [Vector], _ ink: Ink, _ kind: StreetClass, facing normal: Vector
  ) {
    let middle = corners.reduce(.zero, +) / Float(max(corners.count, 1))
    let metres = middle.z
    let view = Vector(camera.across(middle.x, metres), middle.y - camera.eye, metres)
    guard view.dot(normal) < 0 else { return }
    let tone = light.seen(ink, facing: normal, metres: metres)
    raster.fill(corners.map(camera.at), kind) { _, _ in tone }
  }

  /// Paints a flat polygon across the view; its corners are metres right of `place` and above it.
  mutating func board(
    _ corners: [Point], at place: Vector, _ ink: Ink, _ kind: StreetClass,
    facing normal: Vector = Vector(0, 0, -1)
  ) {
    face(corners.map { place + Vector($0.x, $0.y, 0) }, ink, kind, facing: normal)
  }

  /// Paints an upright rectangle across the view.
  mutating func rectangle(
    _ width: ClosedRange<Float>, _ height: ClosedRange<Float>, at place: Vector, _ ink: Ink,
    _ kind: StreetClass
  ) {
    let (left, right) = (width.lowerBound, width.upperBound)
    let (low, high) = (height.lowerBound, height.upperBound)
    board(
      [Point(left, low), Point(right, low), Point(right, high), Point(left, high)], at: place, ink,
      kind)
  }

  /// Paints an ellipse that is shaded like a ball.
  mutating func ball(_ centre: Vector, _ radii: Point, _ ink: Ink, _ kind: StreetClass) {
    let scale = camera.scale(at: centre.z)
    let light = light
    raster.disc(camera.at(centre), radii * scale, kind) { place, _ in
      let front = (1 - (place * place).sum()).squareRoot()
      return light.seen(ink, facing: Vector(place.x, -place.y, -front), metres: centre.z)
    }
  }

  /// Paints a bar with round ends across the view, such as an arm; `widths` are half its widths.
  mutating func limb(
    _ from: Point, _ to: Point, widths: Point, at place: Vector, _ ink: Ink, _ kind: StreetClass
  ) {
    let along = to - from
    let length = max((along * along).sum().squareRoot(), 1e-3)
    let across = Point(-along.y, along.x) / length
    let (thick, thin) = (across * widths.x, across * widths.y)
    board([from + thick, to + thin, to - thin, from - thick], at: place, ink, kind)
    for (end, radius) in [(from, widths.x), (to, widths.y)] {
      board(Circle.points.map { end + $0 * radius }, at: place, ink, kind)
    }
  }

  /// Adds the light around a lamp that is on.
  mutating func glow(_ centre: Vector, _ radius: Float, _ ink: Ink) {
    let size = radius * camera.scale(at: centre.z)
    raster.disc(camera.at(centre), Point(size, size), nil) { place, under in
      let share = 1 - (place * place).sum()
      return under + ink * (share * share * share)
    }
  }

  /// A dark ellipse on the ground; the less sun there is, the fainter it is.
  mutating func shadow(at place: Vector, _ radii: Point, strength: Float = 1) {
    let depth = strength * (0.25 + 0.45 * light.sunlight.max())
    patch(at: place, radii) { place, under in
      let share = 1 - (place * place).sum()
      return under * (1 - depth * min(share * 1.6, 1))
    }
  }

  /// Brightens the ground below a lamp.
  mutating func pool(at place: Vector, _ radii: Point, _ ink: Ink) {
    patch(at: place, radii) { place, under in
      let share = 1 - (place * place).sum()
      return under * (1 + ink * (share * share))
    }
  }

  /// An ellipse on the ground, with radii across and along the road.
  @inline(__always)
  private mutating func patch(at place: Vector, _ radii: Point, _ paint: (Point, Ink) -> Ink) {
    let centre = camera.at(place)
    let edge = camera.at(place - Vector(0, 0, radii.y))
    let size = Point(radii.x * camera.scale(at: place.z), edge.y - centre.y)
    raster.disc(centre, size, nil, paint)
  }
}
