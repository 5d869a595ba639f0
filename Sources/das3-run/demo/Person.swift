// One pedestrian.

extension Thing {
  static func person(_ look: Look, at root: Vector, _ random: inout SplitMix64) -> Thing {
    let skins: Palette = [0xe2b89c, 0xb07e60, 0x704e3c, 0xd0a080]
    let hairs: Palette = [0x281e18, 0x604228, 0xb89a64, 0x8a8a88]
    let h = random.within(1.5...1.9)
    let width = random.within(0.125...0.15)
    let step = random.within(0.03...0.15)
    let turn: Float = random.chance(0.5) ? 1 : -1
    let isFromSide = random.chance(0.4)
    let coat = random.pick(look.clothes)
    let legs = random.pick(look.clothes) * 0.8
    let skin = random.pick(skins)
    let hair = random.pick(hairs)
    let bag = random.chance(0.35) ? random.pick(look.clothes) : nil
    let coatLength = random.pick([0.46, 0.46, 0.34] as [Float])
    return Thing(root: root) { painter in
      painter.shadow(at: root, Point(0.4, 0.3))
      let body = isFromSide ? width * 0.72 : width
      let stride = isFromSide ? step : step * 0.45
      func limb(_ from: Point, _ to: Point, _ thick: Float, _ thin: Float, _ ink: Ink) {
        painter.limb(from * h, to * h, widths: Point(thick, thin) * h, at: root, ink, .person)
      }
      func arm(_ side: Float, _ ink: Ink) {
        let shoulder = Point(isFromSide ? 0 : side * body, 0.79)
        let elbow = shoulder + Point(isFromSide ? side * 0.07 : side * 0.035, -0.17)
        let hand = elbow + Point(isFromSide ? side * 0.08 + turn * 0.03 : side * 0.01, -0.14)
        limb(shoulder, elbow, 0.036, 0.031, ink)
        limb(elbow, hand, 0.031, 0.024, ink)
        limb(hand, hand - Point(0, 0.025), 0.022, 0.02, skin)
      }
      arm(-turn, coat * 0.75)
      for (side, ink) in [(-turn, legs * 0.78), (turn, legs)] {
        let foot = Point(side * stride + (isFromSide ? 0 : side * 0.03), 0.03)
        let knee = Point(foot.x * 0.6 + (isFromSide ? turn * 0.03 : 0), 0.27)
        limb(Point(isFromSide ? 0 : side * 0.045, 0.5), knee, 0.052, 0.042, ink)
        limb(knee, foot, 0.04, 0.03, ink)
        let toe = foot + Point(isFromSide ? turn * 0.06 : 0, -0.012)
        limb(foot - Point(0, 0.01), toe, 0.026, 0.022, Ink(0.14, 0.13, 0.13))
      }
      let light = painter.light
      let middle = painter.camera.at(root).x
      let half = body * h * painter.camera.scale(at: root.z)
      let outline = [
        Point(-body * 0.84, coatLength), Point(body * 0.84, coatLength), Point(body * 0.8, 0.6),
        Point(body * 1.1, 0.79), Point(body * 0.6, 0.835), Point(-body * 0.6, 0.835),
        Point(-body * 1.1, 0.79), Point(-body * 0.8, 0.6),
      ].map { painter.camera.at(root + Vector($0.x, $0.y, 0) * h) }
      painter.raster.fill(outline, .person) { sample, _ in
        let across = min(max((sample.x - middle) / half, -0.9), 0.9)
        let normal = Vector(across, 0, -(1 - across * across).squareRoot())
        return light.seen(coat, facing: normal, metres: root.z)
      }
      if let bag {
        let place = Point(-turn * body * (isFromSide ? 1.15 : 0.5), 0.68)
        limb(place - Point(0, 0.07), place + Point(0, 0.06), 0.06, 0.055, bag)
      }
      arm(turn, coat * 0.92)
      limb(Point(0, 0.82), Point(0, 0.87), 0.034, 0.034, skin * 0.9)
      let head = root + Vector(isFromSide ? turn * 0.012 : 0, 0.925, 0) * Vector(h, h, 1)
      painter.ball(head + Vector(0, 0.012 * h, 0), Point(0.063, 0.072) * h, hair, .person)
      let face = Vector(isFromSide ? turn * 0.018 : 0, -0.014, 0) * h
      painter.ball(head + face, Point(isFromSide ? 0.05 : 0.052, 0.058) * h, skin, .person)
    }
  }
}
