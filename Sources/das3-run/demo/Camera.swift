// Metres in, samples out: a camera that looks along the road, without tilt or roll.

/// Upright lines stay upright, so that a wall has one distance in each column of the picture.
struct Camera {
  let width: Int
  let height: Int
  /// Samples per metre at a distance of one metre.
  let focal: Float
  /// The row of the horizon.
  let horizon: Float
  /// Metres above the ground.
  let eye: Float
  /// Metres from the camera to the road's middle.
  let offset: Float
  /// How the road bends: metres to the right per square metre ahead.
  let bend: Float

  /// Things nearer than this many metres are drawn at this distance.
  static let nearest: Float = 0.6

  func at(_ place: Vector) -> Point {
    let z = max(place.z, Self.nearest)
    return Point(
      Float(width) / 2 + focal * across(place.x, z) / z, horizon + focal * (eye - place.y) / z)
  }

  /// Metres right of the camera's axis.
  func across(_ x: Float, _ z: Float) -> Float {
    x + offset + bend * z * z
  }

  /// Samples per metre at a distance.
  func scale(at z: Float) -> Float {
    focal / max(z, Self.nearest)
  }
}

/// An upright wall between two places on the ground.
struct Wall {
  private let camera: Camera
  private let from: Point
  private let span: Point
  let length: Float
  private let turn: Float

  init(_ camera: Camera, from: Point, to: Point) {
    self.camera = camera
    self.from = Point(camera.across(from.x, from.y), from.y)
    span = Point(camera.across(to.x, to.y), to.y) - self.from
    length = (span * span).sum().squareRoot()
    turn = abs(self.from.y * span.x - self.from.x * span.y)
  }

  /// The place on a wall that a sample shows: metres along the wall, up and ahead; and how many
  /// metres of the wall the sample, with those that share its ink, covers.
  struct Spot {
    let along: Float
    let up: Float
    let ahead: Float
    let width: Float
    let height: Float
  }

  @inline(__always)
  func spot(_ sample: Point) -> Spot {
    let slope = (sample.x - Float(camera.width) / 2) / camera.focal
    let facing = 1 / (span.x - slope * span.y)
    let place = (slope * from.y - from.x) * facing
    let share: Float = place > 0 ? (place < 1 ? place : 1) : 0  // also where the view grazes
    let z = max(from.y + share * span.y, Camera.nearest)
    let size = z / camera.focal
    return Spot(
      along: share * length, up: camera.eye - (sample.y - camera.horizon) * size, ahead: z,
      width: min(turn * facing * facing * length / camera.focal * Float(Lens.fineness), length),
      height: size)
  }
}
