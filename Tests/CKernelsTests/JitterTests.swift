import CKernels
import Das3TestSupport
import Foundation
import Testing

@Suite("Colour jitter")
struct JitterTests {
  /// Red, green and blue in 0…1.
  typealias Colour = [Double]

  static func clamp(_ x: Double) -> Double { min(max(x, 0), 1) }
  static func gray(_ v: Colour) -> Double { 0.2989 * v[0] + 0.587 * v[1] + 0.114 * v[2] }
  static func blend(_ v: Colour, _ other: Double, _ ratio: Float) -> Colour {
    v.map { clamp(Double(ratio) * $0 + (1 - Double(ratio)) * other) }
  }

  /// Through hue, saturation and value, as they are defined.
  static func turn(_ v: Colour, _ turns: Float) -> Colour {
    let (top, bottom) = (v.max() ?? 0, v.min() ?? 0)
    let chroma = top - bottom
    let saturation = top == bottom ? 0 : chroma / top
    let far = v.map { (top - $0) / (top == bottom ? 1 : chroma) }
    var hue = 4 + far[1] - far[0]
    if top == v[1] { hue = 2 + far[0] - far[2] }
    if top == v[0] { hue = far[2] - far[1] }
    hue = (hue / 6 + 1).truncatingRemainder(dividingBy: 1) + Double(turns)
    hue -= hue.rounded(.down)
    let sector = (hue * 6).rounded(.down)
    let f = hue * 6 - sector
    let p = clamp(top * (1 - saturation))
    let q = clamp(top * (1 - saturation * f))
    let t = clamp(top * (1 - saturation * (1 - f)))
    switch Int(sector) % 6 {
    case 0: return [top, t, p]
    case 1: return [q, top, p]
    case 2: return [p, top, t]
    case 3: return [p, q, top]
    case 4: return [t, p, top]
    default: return [top, p, q]
    }
  }

  /// The steps one after the other over all pixels.
  static func reference(_ jitter: d3k_jitter, _ pixels: [Colour]) -> [Colour] {
    let order = [jitter.order.0, jitter.order.1, jitter.order.2, jitter.order.3]
    let isGray = jitter.channels == 1
    return order.reduce(pixels) { pixels, step in
      switch d3k_jitter_step(rawValue: UInt32(step)) {
      case D3K_BRIGHTNESS: return pixels.map { blend($0, 0, jitter.brightness) }
      case D3K_CONTRAST:
        let sum = pixels.reduce(0) { $0 + (isGray ? $1[0] : gray($1)) }
        return pixels.map { blend($0, sum / Double(pixels.count), jitter.contrast) }
      case D3K_SATURATION:
        return isGray ? pixels : pixels.map { blend($0, gray($0), jitter.saturation) }
      default: return isGray ? pixels : pixels.map { turn($0, jitter.hue) }
      }
    }
  }

  static func jitter(channels: Int32 = 3, swapsColours: Bool = false) -> d3k_jitter {
    d3k_jitter(
      channels: channels, swaps_colours: swapsColours ? 1 : 0, factor: (0.229, 0.2, 0.25),
      offset: (0.485, 0.4, 0.45), brightness: 1, contrast: 1, saturation: 1, hue: 0,
      order: (0, 1, 2, 3))
  }

  /// 0…1 → what the network is given, and back.
  static func run(_ jitter: d3k_jitter, _ pixels: [Colour], threads: Int32 = 1) -> [Colour] {
    let factor = [jitter.factor.0, jitter.factor.1, jitter.factor.2].map(Double.init)
    let offset = [jitter.offset.0, jitter.offset.1, jitter.offset.2].map(Double.init)
    let count = Int(jitter.channels)
    let places = jitter.swaps_colours != 0 ? [2, 1, 0] : Array(0..<count)
    var image = pixels.flatMap { pixel in
      (0..<count).map { Float((pixel[places[$0]] - offset[$0]) / factor[$0]) }
    }
    withUnsafePointer(to: jitter) {
      d3k_jitter_colours(threads, $0, &image, Int64(pixels.count))
    }
    return pixels.indices.map { n in
      (0..<3).map { colour in
        let c = count == 1 ? 0 : places[colour]
        return Double(image[n * count + c]) * factor[c] + offset[c]
      }
    }
  }

  static func colours(_ count: Int, seed: UInt64 = 1) -> [Colour] {
    var random = SplitMix64(seed: seed)
    // Coarse values on purpose: ties between colours, grays, black and white.
    return (0..<count).map { n in
      (0..<3).map { _ in
        n % 2 == 0
          ? Double.random(in: 0...1, using: &random)
          : Double.random(in: 0...1, using: &random).rounded()
      }
    }
  }

  static func worst(_ a: [Colour], _ b: [Colour]) -> Double {
    zip(a.joined(), b.joined()).reduce(0) { max($0, abs($1.0 - $1.1)) }
  }

  static let orders: [[Int32]] = (0..<24).map { number in
    var (left, rest, order) = ([Int32](0..<4), number, [Int32]())
    for count in (1...4).reversed() {
      order.append(left.remove(at: rest % count))
      rest /= count
    }
    return order
  }

  @Test("every order of the four steps is the formulas' in double", arguments: orders)
  func order(_ order: [Int32]) {
    var random = SplitMix64(seed: 2)
    for (count, swapsColours) in [(1, false), (16, true), (1003, true), (5000, false)] {
      var jitter = Self.jitter(swapsColours: swapsColours)
      jitter.order = (order[0], order[1], order[2], order[3])
      jitter.brightness = Float.random(in: 0.5...1.6, using: &random)
      jitter.contrast = Float.random(in: 0.5...1.6, using: &random)
      jitter.saturation = Float.random(in: 0...2, using: &random)
      jitter.hue = Float.random(in: -0.5...0.5, using: &random)
      let pixels = Self.colours(count)
      let worst = Self.worst(Self.run(jitter, pixels), Self.reference(jitter, pixels))
      // A few roundings of values up to 6 sectors of hue.
      #expect(worst <= 1e-5, "\(worst) of \(count) pixels")
    }
  }

  @Test("gray images change in brightness and contrast alone", arguments: orders)
  func gray(_ order: [Int32]) {
    var jitter = Self.jitter(channels: 1)
    jitter.order = (order[0], order[1], order[2], order[3])
    jitter.brightness = 1.3
    jitter.contrast = 0.8
    jitter.saturation = 1.5
    jitter.hue = 0.2
    let pixels = Self.colours(1009).map { [$0[0], $0[0], $0[0]] }
    let worst = Self.worst(Self.run(jitter, pixels), Self.reference(jitter, pixels))
    #expect(worst <= 1e-6, "\(worst)")
  }

  @Test("without a change the image stays; a third of a turn makes red green")
  func known() {
    let pixels = Self.colours(200)
    #expect(Self.worst(Self.run(Self.jitter(), pixels), pixels) <= 1e-6)
    var jitter = Self.jitter()
    jitter.hue = 1 / 3
    let turned = Self.run(jitter, [[1, 0, 0], [0.25, 0.5, 0.25], [0.5, 0.5, 0.5]])
    #expect(Self.worst(turned, [[0, 1, 0], [0.25, 0.25, 0.5], [0.5, 0.5, 0.5]]) <= 1e-6)
    jitter = Self.jitter()
    jitter.saturation = 0
    let gray = Self.run(jitter, [[1, 0, 0], [0, 1, 0], [0, 0, 1]])
    let wanted = [0.2989, 0.587, 0.114].map { [$0, $0, $0] }
    #expect(Self.worst(gray, wanted) <= 1e-6)
  }

  @Test("any number of threads gives the same bits")
  func threads() {
    var jitter = Self.jitter()
    (jitter.contrast, jitter.hue, jitter.order) = (0.7, 0.1, (3, 0, 1, 2))
    let pixels = Self.colours(90_001)
    let one = Self.run(jitter, pixels)
    for threads: Int32 in [2, 3] {
      let isEqual = Self.run(jitter, pixels, threads: threads) == one
      #expect(isEqual, "\(threads) threads")
    }
  }
}
