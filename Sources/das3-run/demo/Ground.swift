// A place on the ground in, its ink and class out: road, kerb, pavement, grass and what is painted
// on them.

/// The ground of one street.
struct Ground {
  /// Half the width of the road, in metres.
  let half: Float
  let lane: Float
  /// The width of each pavement.
  let walk: Float
  /// Whether grass follows the pavement, as in a suburb; else paving goes on to the houses.
  let isGreen: Bool
  /// Metres to where a zebra crossing begins; nil = there is none.
  let zebra: Float?

  private let asphalt: Ink
  private let paving: Ink
  private let slab: Point
  private let grass: Ink
  private let marking: Ink
  private let hasEdgeLines: Bool
  private let dashStart: Float
  private let noise: Noise

  private static let kerb: Float = 0.17
  private static let zebraLength: Float = 3.4

  init(_ look: Look, _ random: inout SplitMix64) {
    lane = random.within(3.1...3.7)
    half = lane * random.pick([1, 1, 1.6])
    walk = random.within(2.2...4.2)
    isGreen = random.chance(0.45)
    zebra = random.chance(0.4) ? random.within(9...24) : nil
    asphalt = random.mix(look.asphalt)
    paving = random.mix(look.paving)
    slab = random.pick([Point(0.6, 0.6), Point(0.5, 1), Point(0.9, 0.6)])
    grass = random.mix(look.grass)
    marking = look.marking * random.within(0.9...1)
    hasEdgeLines = random.chance(0.6)
    dashStart = random.within(0...7)
    noise = Noise(&random)
  }

  /// - Parameters:
  ///   - place: metres right of the road's middle, and ahead.
  ///   - size: metres that a sample covers in both directions.
  /// - Returns: the surface's own colour and its class.
  @inline(__always)
  func surface(_ place: Point, _ size: Point) -> (ink: Ink, kind: StreetClass) {
    let side = abs(place.x)
    if side < half { return (road(place, size), .road) }
    if side < half + Self.kerb {
      let joint = place.y.stripe(1, width: 0.03, blur: size.y)
      return (paving * (1.16 - 0.3 * joint), .pavement)
    }
    if isGreen, side > half + walk { return (lawn(place, size), .vegetation) }
    return (slabs(place, size), .pavement)
  }

  private func road(_ place: Point, _ size: Point) -> Ink {
    let (x, z) = (place.x, place.y)
    let near = 1 / (1 + 14 * size.y)
    var tone = 1 + 0.07 * noise.smooth(x * 0.7, z * 0.23)
    if near > 0.1 { tone += 0.14 * near * noise.smooth(x * 19, z * 19) }
    let track = abs(abs(abs(x) - lane / 2) - 0.75)  // wheels polish the surface
    tone += 0.05 * (1 - track.step(0.1, 0.4))
    if near > 0.1 { tone *= 1 - 0.35 * near * cracks(x, z) }
    tone *= 1 - 0.25 * (abs(x) + 0.16 - half).step(0, 0.04)  // the gutter
    let painted = paint(x, z, size)
    let wear = painted == 0 ? 0 : 0.93 - 0.4 * near * max(0, noise.smooth(x * 8, z * 8) - 0.1)
    return (asphalt * tone).mixed(with: marking, painted * wear)
  }

  private func cracks(_ x: Float, _ z: Float) -> Float {
    let place = noise.smooth(x * 0.5 + 40, z * 0.4)
    return abs(place) < 0.14 && abs(place + 0.12 * noise.smooth(x * 3, z * 3)) < 0.012 ? 1 : 0
  }

  /// The share of a sample that is covered with white paint.
  private func paint(_ x: Float, _ z: Float, _ size: Point) -> Float {
    if let zebra, z > zebra, z < zebra + Self.zebraLength, abs(x) < half - 0.3 {
      return (x + half).stripe(1, start: 0.3, width: 0.5, blur: size.x)
    }
    if let zebra, z > zebra - 1.5, z < zebra + Self.zebraLength + 1.5 { return 0 }
    let edge = abs(x) - half + 0.36
    if hasEdgeLines, abs(edge) < 0.3 + size.x {
      return (edge + 50).stripe(100, start: 50, width: 0.12, blur: size.x)
    }
    guard abs(x) < 0.3 + size.x else { return 0 }
    let line = (x + 50).stripe(100, start: 49.93, width: 0.14, blur: size.x)
    return line * z.stripe(7.5, start: dashStart, width: 3, blur: size.y)
  }

  private func slabs(_ place: Point, _ size: Point) -> Ink {
    let cell = place / slab
    let near = 1 / (1 + 4 * size.y)
    var tone = 1 + 0.16 * near * (noise.cell(cell.x.floored, cell.y.floored) - 0.5)
    tone += 0.06 * noise.smooth(place.x, place.y * 0.6)
    tone += 0.08 * near * noise.smooth(place.x * 23, place.y * 23)
    let joint = place.x.stripe(slab.x, width: 0.025, blur: size.x)
    tone -= 0.24 * max(joint, place.y.stripe(slab.y, width: 0.025, blur: size.y))
    return paving * tone
  }

  private func lawn(_ place: Point, _ size: Point) -> Ink {
    let near = 1 / (1 + 8 * size.y)
    var tone = 1 + 0.16 * noise.cloudy(place.x * 0.6, place.y * 0.4, octaves: 2)
    tone += 0.4 * near * noise.smooth(place.x * 16, place.y * 9)
    let straw = 0.5 + 0.5 * noise.smooth(place.x * 0.3, place.y * 0.2)
    return (grass * tone).mixed(with: grass * Ink(1.2, 1.05, 0.8), straw * 0.6)
  }
}
