// A look and a seed in, a painted street out.

/// One street: its light, its camera, and what stands along the road.
struct StreetScene {
  private let look: Look
  private let light: Light
  private let camera: Camera
  private let ground: Ground
  private let sky: Noise
  private let cloudCover: Float
  private var things: [Thing] = []
  private var houses: [House] = []

  /// Poles beyond this many metres are not drawn: they would be thinner than a pixel.
  private static let farthestPole: Float = 45

  init(_ look: Look, size: PixelSize, _ random: inout SplitMix64) {
    self.look = look
    light = Light(look, &random)
    ground = Ground(look, &random)
    let (width, height) = (Float(size.width), Float(size.height))
    camera = Camera(
      width: size.width, height: size.height, focal: random.within(look.focal) * width,
      horizon: (random.within(look.horizon) * height).floored,
      eye: random.within(look.eye),
      offset: random.within(-0.5...0.5) - ground.lane / 2,  // we drive on the right
      bend: 5e-4 * random.normal())
    sky = Noise(&random)
    cloudCover = random.within(look.cloudCover)
    placeHorizon(&random)
    placeHouses(&random)
    placeTreesAndSigns(&random)
    placeCars(&random)
    placePeople(&random)
  }

  func painted() -> Raster {
    var painter = Painter(
      look: look, light: light, camera: camera,
      raster: Raster(width: camera.width, height: camera.height))
    paintSky(&painter.raster)
    paintGround(&painter.raster)
    for thing in things.sorted(by: { $0.root.z > $1.root.z }) { thing.paint(&painter) }
    return painter.raster
  }

  // MARK: What stands where

  /// Metres from the road's middle to the outer edge of the pavement.
  private var edge: Float { ground.half + ground.walk }

  /// Puts trees and tall houses at the end of the street.
  private mutating func placeHorizon(_ random: inout SplitMix64) {
    for x in stride(from: Float(-150), to: 150, by: 9) {
      let z = random.within(190...260)
      if random.chance(0.3) {
        let house = House(look, light, side: 1, front: x, near: z, far: z + 12, &random)
        things.append(house.thing)
      } else {
        things.append(.tree(look, at: Vector(x, 0, z), &random))
      }
    }
  }

  private mutating func placeHouses(_ random: inout SplitMix64) {
    let isGreen = ground.isGreen
    for side: Float in [-1, 1] {
      var near = random.within(-4...6)
      while near < 170 {
        let far = near + random.within(7...17)
        let front = edge + random.within(isGreen ? 2.5...9 : 0.1...0.6)
        if random.chance(isGreen ? 0.7 : 0.92) {
          let house = House(
            look, light, side: side, front: front, near: max(near, 1.2), far: far, &random)
          houses.append(house)
          things.append(house.thing)
        } else {
          for _ in 0..<4 {
            let x = side * (front + random.within(1...9))
            let z = max(random.within(near...far), 1.5)
            things.append(.tree(look, at: Vector(x, 0, z), &random))
          }
        }
        if isGreen, random.chance(0.5) {
          let x = side * (edge + 0.9)
          things.append(.hedge(look, x: x, near: max(near, 2.5), far: far, &random))
        }
        let gap = random.within(2...(isGreen ? 12 : 7))
        near = far + (isGreen || random.chance(0.33) ? gap : 0)
      }
    }
  }

  private mutating func placeTreesAndSigns(_ random: inout SplitMix64) {
    for side: Float in [-1, 1] {
      let pitch = random.within(8...16)
      for near in stride(from: random.within(4...14), to: 130, by: pitch) {
        let x = side * (ground.half + 0.7)
        if random.chance(0.5) {
          let place = side * (ground.half + random.within(0.9...1.6))
          things.append(.tree(look, at: Vector(place, 0, near), &random))
        }
        guard near < Self.farthestPole else { continue }
        if random.chance(0.6) {
          things.append(.lamp(at: Vector(x, 0, near + 3), arm: -side, &random))
        }
        if random.chance(0.6) { things.append(.sign(at: Vector(x, 0, near + 5), &random)) }
      }
    }
  }

  private mutating func placeCars(_ random: inout SplitMix64) {
    for side: Float in [-1, 1] {
      for near in stride(from: random.within(4...14), to: 70, by: 6.5) where random.chance(0.42) {
        let parks = random.chance(0.6)
        let x = side * (parks ? ground.half - 1.15 : ground.lane / 2)
        let z = near + random.within(0...1.5)
        let car = Car(look, at: Vector(x, 0, z), isOncoming: side < 0, &random)
        things.append(car.thing)
      }
    }
  }

  private mutating func placePeople(_ random: inout SplitMix64) {
    for _ in 0..<4 + random.index(below: 8) {
      var z = random.within(4.5...26)
      var x = random.side() * random.within(ground.half + 0.5...edge - 0.3)
      if random.chance(0.2) {
        z = ground.zebra.map { $0 + 1.6 } ?? z
        x = random.within(-ground.half...ground.half)
      }
      things.append(.person(look, at: Vector(x, 0, z), &random))
    }
  }

  // MARK: Sky and ground

  /// Paints the sky; the clouds lie in one plane, so that they get smaller towards the horizon.
  private func paintSky(_ raster: inout Raster) {
    let pixel = Lens.fineness  // clouds are soft: all samples of a pixel get the same ink
    for row in stride(from: 0, to: Int(camera.horizon), by: pixel) {
      let rise = max(camera.horizon - Float(row) - Float(pixel) / 2, 0.5) / camera.focal
      let clear = light.haze.mixed(with: light.zenith, (rise * 2.3).clamped.squareRoot())
      let reach = 0.42 / (rise + 0.06)
      for column in stride(from: 0, to: camera.width, by: pixel) {
        let across = (Float(column) - Float(camera.width) / 2) / camera.focal
        let bump = sky.cloudy(across * reach * 2 + 90, reach * 2.2, octaves: 5)
        let cover = (bump + cloudCover).step(0, 0.5) * (rise * 9).clamped
        let shade = 0.86 + 0.16 * (bump - 0.1).step(-0.1, 0.5)
        let ink = clear.mixed(with: look.cloud * shade, cover * 0.9)
        for y in row..<row + pixel {
          for x in column..<column + pixel { raster.set(x, y, ink, .sky) }
        }
      }
    }
  }

  private func paintGround(_ raster: inout Raster) {
    let up = Vector(0, 1, 0)
    for row in Int(camera.horizon)..<camera.height {
      let z = camera.focal * camera.eye / (Float(row) + 0.5 - camera.horizon)
      let size = Point(z / camera.focal, z * z / (camera.focal * camera.eye))
      let shadows = shadows(at: z)
      let middle = Float(camera.width) / 2
      let start = camera.offset + camera.bend * z * z
      for column in 0..<camera.width {
        let x = (Float(column) + 0.5 - middle) * size.x - start
        let (ink, kind) = ground.surface(Point(x, z), size)
        var sunshine: Float = 1
        for shadow in shadows {
          let place = x * light.side
          sunshine = min(
            sunshine, max((shadow.x - place).step(-0.2, 0.2), (place - shadow.y).step(-0.2, 0.2)))
        }
        let lit = light.on(ink, facing: up, sunshine: sunshine)
        raster.set(column, row, light.through(lit, metres: z), kind)
      }
    }
  }

  /// The shadows of the houses on the ground at one distance: from where to where each goes, in
  /// metres towards the sun's side.
  private func shadows(at z: Float) -> [Point] {
    let rise = light.sun.y / abs(light.sun.x)
    let slope = light.sun.z / abs(light.sun.x)
    return houses.compactMap { house in
      guard house.side == light.side else { return nil }
      // A ray from `away` metres before the front meets it at z + away * slope.
      let shade = house.shade
      var (least, most): (Float, Float) = (-10, shade.height / rise)
      let ends = Point(shade.near - z, shade.far - z) / slope
      if abs(slope) > 1e-3 {
        least = max(least, ends.min())
        most = min(most, ends.max())
      } else if z < shade.near || z > shade.far {
        return nil
      }
      return least < most ? Point(shade.front - most, shade.front - least) : nil
    }
  }
}
