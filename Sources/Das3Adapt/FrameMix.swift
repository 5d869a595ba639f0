internal import CKernels
import Das3Graph

/// Two frames and their labels → one: what is cut out of the first is laid over the second.
package struct FrameMix: Sendable, Equatable {
  /// One byte a pixel of the scores: 1 where the first frame shows.
  package private(set) var mask: [UInt8] = []

  package init() {}

  /// Cuts out the pixels of the chosen classes (equation 10; Olsson et al., ClassMix, 2021).
  package mutating func cut(_ chosen: [UInt8], outOf labels: [UInt8], threads: Int) {
    if mask.count != labels.count { mask = labels }
    var isChosen = [UInt8](repeating: 0, count: 256)
    for label in chosen { isChosen[Int(label)] = 1 }
    unsafe mask.withUnsafeMutableBufferPointer { mask in
      guard let target = mask.baseAddress else { return }
      unsafe d3k_class_mask(Int32(threads), labels, Int64(labels.count), isChosen, target)
    }
  }

  /// Cuts out all but one of the four parts that a horizontal and a vertical line leave: in that one
  /// the second frame shows, and everything stays at its height (SpatialMix; Luo et al., CROTS, 2024).
  ///
  /// - Parameters:
  ///   - quadrant: from 0: above left, above right, below left, below right.
  ///   - lines: where they are, as parts of height and width.
  ///   - height: of the scores.
  ///   - width: of the scores.
  package mutating func cut(
    allBut quadrant: Int, at lines: (row: Float, column: Float), height: Int, width: Int
  ) {
    let (row, column) = (Int(lines.row * Float(height)), Int(lines.column * Float(width)))
    let rows = quadrant < 2 ? 0..<row : row..<height
    let columns = quadrant % 2 == 0 ? 0..<column : column..<width
    mask = [UInt8](repeating: 1, count: height * width)
    for y in rows {
      for x in columns { mask[y * width + x] = 0 }
    }
  }

  /// Lays the first labels over the second.
  package func mix(_ first: [UInt8], over second: inout [UInt8], threads: Int) {
    unsafe second.withUnsafeMutableBufferPointer { second in
      guard let target = second.baseAddress else { return }
      unsafe d3k_mix(Int32(threads), mask, first, target, target, Int64(first.count), 1)
    }
  }

  /// Lays the first image over the second, in place; both height × width × channels.
  ///
  /// Where the image is larger than the mask, a pixel of the mask covers those nearest to it.
  package func mix(
    _ first: UnsafePointer<Float>, over second: UnsafeMutablePointer<Float>, channelCount: Int,
    height: Int, width: Int, maskHeight: Int, maskWidth: Int, threads: Int
  ) {
    let fitting =
      (height, width) == (maskHeight, maskWidth)
      ? mask
      : (0..<height).flatMap { y in
        (0..<width).map { x in mask[y * maskHeight / height * maskWidth + x * maskWidth / width] }
      }
    unsafe d3k_mix(
      Int32(threads), fitting, first, second, second, Int64(height * width),
      Int64(channelCount * MemoryLayout<Float>.stride))
  }
}

/// Which classes are cut out of a frame.
package enum ClassMix {
  /// Half of the classes present, rounded up; drawn without replacement, or without `random` every
  /// second one from the smallest.
  package static func choose(from labels: [UInt8], _ random: inout Random?) -> [UInt8] {
    var isPresent = [Bool](repeating: false, count: 256)
    for label in labels { isPresent[Int(label)] = true }
    let present = (0..<255).filter { isPresent[$0] }.map { UInt8($0) }
    guard random != nil else {
      return present.enumerated().filter { $0.offset % 2 == 0 }.map(\.element)
    }
    let drawn = random?.shuffled(present) ?? present
    return Array(drawn.prefix((present.count + 1) / 2))
  }
}

/// Where four frames are cut.
package enum SpatialMix {
  /// Parts of height and width, 0.2 + 0.6 · Beta(¼, ¼): mostly near one of both ends; without `random`
  /// the middle.
  package static func drawLines(_ random: inout Random?) -> (row: Float, column: Float) {
    guard var generator = random else { return (0.5, 0.5) }
    defer { random = generator }
    func line() -> Float { 0.2 + 0.6 * generator.beta { $0 * $0 * $0 * $0 } }
    return (line(), line())
  }
}
