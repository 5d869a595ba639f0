// Numbers that pictures are made of. They use only operations that every machine rounds alike, so no
// sine or exponential of a mathematics library.

/// Red, green and blue; 0 is black, 1 the brightest that a sensor measures; lamps are brighter.
typealias Ink = SIMD3<Float>
/// Column and row of a sample.
typealias Point = SIMD2<Float>
/// Metres: right of the road's middle, up from the ground, ahead of the camera.
typealias Vector = SIMD3<Float>

extension SIMD3 where Scalar == Float {
  /// 0xRRGGBB.
  init(_ hexadecimal: UInt32) {
    self.init(
      Float(hexadecimal >> 16 & 255) / 255, Float(hexadecimal >> 8 & 255) / 255,
      Float(hexadecimal & 255) / 255)
  }

  @inline(__always)
  func mixed(with other: Self, _ share: Float) -> Self {
    self + (other - self) * share
  }

  func dot(_ other: Self) -> Float {
    (self * other).sum()
  }

  var normalized: Self {
    self / dot(self).squareRoot()
  }
}

extension Float {
  @inline(__always)
  var clamped: Float { min(max(self, 0), 1) }

  /// The whole number below; `rounded(.down)` would call the mathematics library.
  @inline(__always)
  var floored: Float {
    let whole = Float(Int32(self))
    return whole > self ? whole - 1 : whole
  }

  /// 0 below `low`, 1 above `high`, smooth between.
  @inline(__always)
  func step(_ low: Float, _ high: Float) -> Float {
    let t = ((self - low) / (high - low)).clamped
    return t * t * (3 - 2 * t)
  }

  /// An approximation of e^-self for self ≥ 0, which is good enough for haze.
  var decay: Float {
    let eighth = 1 / (1 + self / 8)
    let quarter = eighth * eighth
    let half = quarter * quarter
    return half * half
  }

  /// The share of a window of width `blur` around self in which stripes lie: one from `start` to
  /// `start + width` in every `period`.
  @inline(__always)
  func stripe(_ period: Float, start: Float = 0, width: Float, blur: Float) -> Float {
    let size = max(blur, 1e-4)
    let from = (self - start - size / 2) / period
    let to = (self - start + size / 2) / period
    let before = from.floored * width + min((from - from.floored) * period, width)
    let after = to.floored * width + min((to - to.floored) * period, width)
    return (after - before) / size
  }
}

/// Points on the unit circle.
enum Circle {
  static let count = 24

  /// Points at equal distances, from the top on.
  static let points: [Point] = {
    // cos and sin of 15°, rounded once and for all.
    let (cosine, sine): (Float, Float) = (0.965_925_8, 0.258_819_05)
    var point = Point(0, 1)
    return (0..<count).map { _ in
      defer {
        point = Point(
          point.x * cosine - point.y * sine, point.x * sine + point.y * cosine)
      }
      return point
    }
  }()
}
