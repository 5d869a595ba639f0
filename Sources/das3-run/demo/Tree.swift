// Trees and hedges.

/// The leaves of one plant: discs that are painted from the bottom to the top.
struct Leaves {
  private let ink: Ink
  private let noise: Noise
  private var random: SplitMix64

  init(_ look: Look, _ random: inout SplitMix64) {
    ink = random.pick(look.leaves) * random.within(0.85...1.12)
    noise = Noise(&random)
    // Leaves draw from a generator of their own: the rest of the scene does not depend on how many
    // numbers they take.
    self.random = SplitMix64(seed: random.next())
  }

  /// Paints `count` discs in an upright ellipse.
  func paint(_ painter: inout Painter, around centre: Vector, _ radii: Point, count: Int) {
    var random = random
    let scale = painter.camera.scale(at: centre.z)
    let (light, noise) = (painter.light, noise)
    let clump = 0.36 * radii.min()
    let grain = min(scale * 0.09, 6)
    for index in 0..<count {
      let height = 2 * Float(index) / Float(count) - 1
      let width = (1 - height * height).squareRoot()
      let rise = height * 0.85 + random.within(-0.15...0.15)
      let place = Point(random.within(-width...width), rise) * 0.82
      let front = (1 - min((place * place).sum(), 0.9)).squareRoot()
      let spot = centre + Vector(place.x * radii.x, place.y * radii.y, 0)
      let radius = clump * random.within(0.7...1.3)
      let tone = ink * random.within(0.86...1.12) * (0.82 + 0.22 * place.y)
      painter.raster.disc(
        painter.camera.at(spot), Point(radius, radius) * scale, .vegetation
      ) { inner, _ in
        let grain = noise.smooth(inner.x * grain + Float(index) * 7, inner.y * grain)
        guard (inner * inner).sum() < 0.82 + 0.3 * grain else { return nil }
        let normal = Vector(
          place.x + 0.6 * inner.x, place.y - 0.6 * inner.y + 0.2, -front - 0.3
        ).normalized
        return light.seen(tone * (1 + 0.22 * grain), facing: normal, metres: centre.z)
      }
    }
  }
}

extension Thing {
  static func tree(_ look: Look, at root: Vector, _ random: inout SplitMix64) -> Thing {
    let height = random.within(4.8...9)
    let width = random.within(1.4...2.6)
    let radii = Point(width, height * random.within(0.28...0.38))
    let leaves = Leaves(look, &random)
    let bark = look.bark * random.within(0.8...1.2)
    return Thing(root: root) { painter in
      painter.shadow(
        at: root - Vector(painter.light.side * 0.8, 0, 0), Point(radii.x, radii.x * 0.8))
      let middle = height - radii.y
      painter.board(
        [
          Point(-0.27, 0), Point(-0.16, 0.3), Point(-0.1, middle), Point(0.1, middle),
          Point(0.16, 0.3), Point(0.27, 0), Point(0, -0.03),
        ], at: root, bark, .vegetation, facing: Vector(-0.5, 0, -0.85))
      painter.board(
        [
          Point(0, 0), Point(0, middle), Point(0.1, middle), Point(0.16, 0.3), Point(0.27, 0),
        ], at: root, bark, .vegetation, facing: Vector(0.8, 0, -0.6))
      painter.limb(
        Point(0, middle * 0.75), Point(radii.x * 0.4, middle), widths: Point(0.08, 0.05),
        at: root, bark, .vegetation)
      let crown = root + Vector(0, middle, 0)
      leaves.paint(&painter, around: crown, radii, count: root.z < 30 ? 64 : 30)
    }
  }

  /// A hedge along the road, `near` to `far` metres ahead.
  static func hedge(
    _ look: Look, x: Float, near: Float, far: Float, _ random: inout SplitMix64
  ) -> Thing {
    let leaves = Leaves(look, &random)
    return Thing(root: Vector(x, 0, far)) { painter in
      for z in stride(from: min(far, 70), to: near, by: -1.1) {
        leaves.paint(
          &painter, around: Vector(x, 0.5, z), Point(0.95, 0.62), count: z < 20 ? 16 : 8)
      }
    }
  }
}
