// One house beside the road.

struct House {
  /// The side of the road: -1 or 1.
  let side: Float
  /// Metres from the road's middle to the front and to the back of the house.
  private let front: Float
  private let back: Float
  private let near: Float
  private let far: Float
  private let facade: Facade
  private let roof: Ink
  /// Metres from eaves to ridge; 0 for a flat roof.
  private let rise: Float
  private let awning: Ink?

  init(
    _ look: Look, _ light: Light, side: Float, front: Float, near: Float, far: Float,
    _ random: inout SplitMix64
  ) {
    self.side = side
    self.front = front
    back = front + random.within(8...12)
    self.near = near
    self.far = far
    facade = Facade(look, light, &random)
    roof = random.pick(look.roofs) * random.within(0.85...1.1)
    rise = random.chance(0.55) ? random.within(2.2...3.6) : 0
    awning = facade.hasShop && random.chance(0.6) ? random.pick(look.paints) : nil
  }

  /// What throws a shadow on the road: where the front begins and ends, in metres ahead, its
  /// distance from the road's middle, and its height.
  var shade: (near: Float, far: Float, front: Float, height: Float) {
    (near, far, front, facade.height)
  }

  var thing: Thing { Thing(root: Vector(side * front, 0, far), paint: paint) }

  private func paint(_ painter: inout Painter) {
    let (x, deep, high) = (side * front, side * back, facade.height)
    if rise > 0 {
      let ridge = (x + deep) / 2
      let slope = Vector(-side * rise, back / 2 - front / 2, 0).normalized
      painter.face(
        [
          Vector(x - side * 0.3, high - 0.1, near), Vector(ridge, high + rise, near),
          Vector(ridge, high + rise, far), Vector(x - side * 0.3, high - 0.1, far),
        ], roof, .building, facing: slope)
      painter.face(
        [Vector(x, high, near), Vector(ridge, high + rise, near), Vector(deep, high, near)],
        painter.light.haze.mixed(with: roof, 0.9), .building, facing: Vector(0, 0, -1))
    }
    paintWall(&painter, from: Point(x, near), to: Point(deep, near), Vector(0, 0, -1))
    paintWall(&painter, from: Point(x, near), to: Point(x, far), Vector(-side, 0, 0))
    if rise > 0 { paintChimney(&painter) }
    guard let awning else { return }
    var stripes = 0
    for start in stride(from: max(near, 1), to: far - 0.4, by: 0.8) {
      let end = min(start + 0.8, far)
      stripes += 1
      painter.face(
        [
          Vector(x, 2.95, start), Vector(x, 2.95, end), Vector(x - side * 1.1, 2.45, end),
          Vector(x - side * 1.1, 2.45, start),
        ], stripes % 2 == 0 ? awning : Ink(0.92, 0.9, 0.86) * painter.look.marking, .building,
        facing: Vector(-side * 0.4, 0.9, 0))
    }
  }

  private func paintChimney(_ painter: inout Painter) {
    let foot = Vector(side * (front + back) / 2, facade.height + rise - 0.5, (near + far) / 2)
    let ink = roof.mixed(with: Ink(0.5, 0.4, 0.36), 0.5)
    painter.rectangle(-0.45...0.45, 0...1.4, at: foot, ink, .building)
    painter.rectangle(-0.52...0.52, 1.3...1.5, at: foot, ink * 0.8, .building)
  }

  private func paintWall(
    _ painter: inout Painter, from: Point, to: Point, _ normal: Vector
  ) {
    let wall = Wall(painter.camera, from: from, to: to)
    let corners = [
      Vector(from.x, 0, from.y), Vector(to.x, 0, to.y), Vector(to.x, facade.height, to.y),
      Vector(from.x, facade.height, from.y),
    ].map(painter.camera.at)
    let (facade, light) = (facade, painter.light)
    painter.raster.fill(corners, .building, step: Lens.fineness) { sample, _ in
      let spot = wall.spot(sample)
      let (ink, glow) = facade.surface(spot)
      return light.through(light.on(ink, facing: normal) + glow, metres: spot.ahead)
    }
  }
}
