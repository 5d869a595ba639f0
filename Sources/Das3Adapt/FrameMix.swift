internal import CKernels
import Das3Graph
import Das3Runtime

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

  /// Cuts out all but a part of the second frame, which shows there as it is: everything stays at its
  /// place.
  ///
  /// - Parameters:
  ///   - part: of the second frame.
  ///   - height: of the scores.
  ///   - width: of the scores.
  package mutating func cut(allBut part: FramePart, height: Int, width: Int) {
    let columns = part.columns.pixels(of: width)
    mask = [UInt8](repeating: 1, count: height * width)
    for y in part.rows.pixels(of: height) {
      mask.replaceSubrange(
        y * width + columns.lowerBound..<y * width + columns.upperBound,
        with: repeatElement(0, count: columns.count))
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
  /// The four parts that a horizontal and a vertical line leave, at 0.2 + 0.6 · Beta(¼, ¼) of the
  /// sides: mostly near one of both ends; without `random` in the middle (Luo et al., CROTS, 2024).
  package static func drawQuadrants(_ random: inout Random?) -> [FramePart] {
    func drawLine(_ random: inout Random?) -> Double {
      (random?.beta { $0 * $0 * $0 * $0 }).map { 0.2 + 0.6 * Double($0) } ?? 0.5
    }
    let (row, column) = (drawLine(&random), drawLine(&random))
    return [(0, row), (row, 1)].flatMap { top, bottom in
      [(0, column), (column, 1)].map { left, right in
        FramePart(rows: .init(start: top, end: bottom), columns: .init(start: left, end: right))
      }
    }
  }
}
