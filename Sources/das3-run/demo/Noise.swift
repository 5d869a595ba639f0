// A place in, a number that looks random and is always the same there out.

/// Textures without pictures.
struct Noise {
  private let seed: UInt32

  init(_ random: inout SplitMix64) {
    seed = UInt32(truncatingIfNeeded: random.next() >> 32)
  }

  /// 0 to 1, unrelated from one whole-numbered place to the next.
  @inline(__always)
  func cell(_ x: Float, _ y: Float) -> Float {
    cell(Int32(x), Int32(y))
  }

  @inline(__always)
  private func cell(_ x: Int32, _ y: Int32) -> Float {
    var hash = UInt32(bitPattern: x) &* 0x85EB_CA6B
    hash ^= (UInt32(bitPattern: y) &+ seed) &* 0xC2B2_AE35
    hash = (hash ^ hash >> 15) &* 0x2C1B_3C6D
    hash = (hash ^ hash >> 12) &* 0x297A_2D39
    return Float((hash ^ hash >> 15) >> 8) * 0x1p-24
  }

  /// -1 to 1, smooth, with bumps about 1 wide.
  @inline(__always)
  func smooth(_ x: Float, _ y: Float) -> Float {
    let (left, top) = (x.floored, y.floored)
    let (column, row) = (Int32(left), Int32(top))
    let (across, down) = (x - left, y - top)
    let s = across * across * (3 - 2 * across)
    let t = down * down * (3 - 2 * down)
    let above = cell(column, row) * (1 - s) + cell(column &+ 1, row) * s
    let below = cell(column, row &+ 1) * (1 - s) + cell(column &+ 1, row &+ 1) * s
    return 2 * (above * (1 - t) + below * t) - 1
  }

  /// -1 to 1, smooth, with bumps on bumps.
  func cloudy(_ x: Float, _ y: Float, octaves: Int) -> Float {
    var (sum, size, scale): (Float, Float, Float) = (0, 0.5, 1)
    for _ in 0..<octaves {
      sum += size * smooth(x * scale, y * scale)
      size /= 2
      scale *= 2.03
    }
    return sum
  }
}
