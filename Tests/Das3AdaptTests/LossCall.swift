import Das3Adapt
import Das3Runtime

/// Arrays to values and gradient.
struct LossCall {
  var losses: Losses
  /// Pixels × classes.
  var scores: [Float]
  var classCount: Int
  var labels: [UInt8]?
  var confidences: [UInt8]?
  var pixelWeights: [UInt8]?
  var negatives: [UInt8]?
  /// Pixels × classes.
  var probabilities: [Float]?
  var ignored: [UInt8]?
  var scale: Float = 1
  var threads = 1
  /// Floats between pixels that no kernel may touch.
  var padding = 0
  var isInPlace = false

  struct Result: Equatable {
    var values: Losses.Values
    /// Pixels × classes.
    var gradient: [Float]
    /// What stands between the pixels of the gradient; zeros before.
    var padding: [Float]
  }

  var pixelCount: Int { scores.count / classCount }

  func run() throws -> Result {
    let stride = classCount + padding
    let input = Self.copy([Float](repeating: 0, count: pixelCount * stride))
    let output = Self.copy([Float](repeating: 0, count: pixelCount * stride))
    // Each in memory of its own size: nothing may read beyond.
    let bytes = [labels, confidences, pixelWeights, negatives, ignored].map { $0.map(Self.copy) }
    let lent = bytes.map { $0.map { UnsafePointer($0) } }
    let map = probabilities.map(Self.copy)
    defer {
      input.deallocate()
      output.deallocate()
      bytes.forEach { $0?.deallocate() }
      map?.deallocate()
    }
    for (index, score) in scores.enumerated() {
      input[index / classCount * stride + index % classCount] = score
    }
    let gradient = isInPlace ? input : output
    let batch = try Losses.Batch(
      scores: input, scoreStride: stride, pixelCount: pixelCount, classCount: classCount,
      labels: lent[0], confidences: lent[1], pixelWeights: lent[2], negatives: lent[3],
      probabilities: map.map { UnsafePointer($0) }, ignored: lent[4], gradient: gradient,
      gradientStride: stride)
    let scratch = try Arena(elementCount: batch.scratchElementCount)
    let values = try losses.evaluate(batch, scale: scale, scratch: scratch, threads: threads)
    let all = (0..<pixelCount * stride).map { ($0 % stride, gradient[$0]) }
    return Result(
      values: values, gradient: all.filter { $0.0 < classCount }.map(\.1),
      padding: all.filter { $0.0 >= classCount }.map(\.1))
  }

  private static func copy<Element>(_ values: [Element]) -> UnsafeMutablePointer<Element> {
    let memory = UnsafeMutablePointer<Element>.allocate(capacity: values.count)
    memory.initialize(from: values, count: values.count)
    return memory
  }
}

extension Losses {
  /// Every loss on, each with another weight.
  static var all: Losses {
    var losses = common
    losses.rankedNegative = 0.5
    losses.smallNegative = 1.1
    losses.consistency = 0.3
    losses.divergence = 0.2
    return losses
  }

  /// Those of which the kernel has a version without the others.
  static var common: Losses {
    var losses = Losses()
    losses.crossEntropy = 0.7
    losses.focalEntropy = 1.3
    losses.diversity = 0.9
    losses.negative = 0.4
    losses.entropy = 0.6
    losses.maxSquare = 0.8
    return losses
  }
}
