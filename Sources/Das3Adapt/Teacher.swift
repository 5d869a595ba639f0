internal import CKernels
import Das3Graph
import Das3Runtime

/// A network that only answers: the black box of section 4.4.
package protocol Teacher: AnyObject {
  /// What it says of a frame.
  func answer(_ index: Int, _ frame: Frame) throws(Das3Error) -> TeacherAnswer
  /// Classes of the student that it knows nothing of.
  var unknownClasses: [Int] { get }
  /// Takes the memory that frames of this size need.
  func prepare(for frame: Frame) throws(Das3Error)
  /// Bytes that it holds; what the caller's memory does is the caller's.
  var byteCount: Int { get }
}

extension Teacher {
  package var unknownClasses: [Int] { [] }
  package func prepare(for frame: Frame) {}
  package var byteCount: Int { 0 }
}

/// Predictions of any size for the student's classes.
package enum TeacherAnswer: Sendable {
  /// classes × height × width.
  case probabilities([Float], height: Int, width: Int)
  /// height × width; confidence 0…255 as 0…1; label 255 = none.
  case labels([UInt8], confidence: [UInt8], height: Int, width: Int)
}

/// A second model as teacher, at the frame's own size.
///
/// Where both models name their classes they are matched by name: the probability of a class that
/// the student lacks is left out.
package final class ModelTeacher: Teacher {
  private let segmenter: Segmenter
  /// Of each class of the student the teacher's; nil = it has none.
  private let sources: [Int?]
  /// Whether both have the same classes in the same order.
  private var isMatched: Bool { sources == Array(0..<segmenter.model.classCount) }
  private var probabilities: [Float] = []

  /// - Throws: `.shape` where the classes cannot be matched.
  package init(
    _ model: SegmentationModel, student: SegmentationModel, options: ExecutionOptions,
    memoryLimit: UInt64 = 0
  ) throws(Das3Error) {
    segmenter = try Segmenter(model, size: nil, options: options, memoryLimit: memoryLimit)
    if let names = model.metadata.classes, let wanted = student.metadata.classes {
      sources = wanted.map { names.firstIndex(of: $0) }
      guard sources.contains(where: { $0 != nil }) else {
        throw .shape("the teacher has none of the student's classes")
      }
    } else {
      guard model.classCount == student.classCount else {
        throw .shape(
          "the teacher has \(model.classCount) classes without names; expected the student's \(student.classCount)"
        )
      }
      sources = Array(0..<student.classCount)
    }
  }

  package var unknownClasses: [Int] { sources.indices.filter { sources[$0] == nil } }

  /// Its first answer makes the plan.
  package func prepare(for frame: Frame) throws(Das3Error) { _ = try answer(0, frame) }

  /// With the probabilities that it answers, which are turned to channels last, and before that
  /// copied where the classes have another order.
  package var byteCount: Int {
    segmenter.byteCount + (isMatched ? 2 : 3) * probabilities.count * MemoryLayout<Float>.stride
  }

  package func answer(_ index: Int, _ frame: Frame) throws(Das3Error) -> TeacherAnswer {
    let pixelCount = frame.height * frame.width
    let count = pixelCount * segmenter.model.classCount
    if probabilities.count != count { probabilities = [Float](repeating: 0, count: count) }
    try unsafe probabilities.withUnsafeMutableBufferPointer { target throws(Das3Error) in
      try segmenter.segment(
        frame,
        into: unsafe Segmenter.Results(
          labels: nil, confidence: nil, entropy: nil, probabilities: target.baseAddress))
    }
    if isMatched {
      return .probabilities(probabilities, height: frame.height, width: frame.width)
    }
    var matched: [Float] = []
    matched.reserveCapacity(sources.count * pixelCount)
    for source in sources {
      if let source {
        matched += probabilities[source * pixelCount..<(source + 1) * pixelCount]
      } else {
        matched += repeatElement(0, count: pixelCount)
      }
    }
    return .probabilities(matched, height: frame.height, width: frame.width)
  }
}

extension Prediction {
  /// Takes a teacher's answer, brought to the size of the scores: probabilities bilinearly, labels
  /// from the nearest pixel.
  ///
  /// A label says of the other classes only that none is likelier than what its confidence leaves:
  /// they are marked where that is below `negativeThreshold`.
  ///
  /// - Throws: `.shape` where the answer does not hold as many values as its size says.
  package mutating func fill(
    _ answer: TeacherAnswer, ignored: IgnoredPixels? = nil, negativeThreshold: Float, threads: Int
  ) throws(Das3Error) {
    switch answer {
    case .probabilities(let planes, let height, let width):
      guard height > 0, width > 0, planes.count == classCount * height * width else {
        throw .shape(
          "the teacher gave \(planes.count) probabilities; expected \(classCount)×\(height)×\(width)"
        )
      }
      let pixels = ChannelsLast(
        planes, channelCount: classCount, height: height, width: width, threads: threads
      ).resized(height: shape[2], width: shape[3])
      unsafe pixels.values.withUnsafeBufferPointer { values in
        guard let start = values.baseAddress else { return }
        unsafe fill(
          scores: start, stride: classCount, isProbability: true, ignored: ignored,
          negativeThreshold: negativeThreshold, threads: threads)
      }
    case .labels(let answered, let certainty, let height, let width):
      guard height > 0, width > 0, answered.count == height * width,
        certainty.count == answered.count
      else {
        throw .shape(
          "the teacher gave \(answered.count) labels and \(certainty.count) confidences; expected \(height)×\(width)"
        )
      }
      func fitted(_ values: [UInt8]) -> [UInt8] {
        FrameSet.Truth(height: height, width: width, labels: values)
          .labels(height: shape[2], width: shape[3])
      }
      labels = fitted(answered).map { Int($0) < classCount ? $0 : 255 }
      confidence = fitted(certainty).map { Float($0) / 255 }
      for index in labels.indices where (ignored?.marks[index] ?? 0) != 0 {
        (labels[index], confidence[index]) = (255, 0)
      }
      markOthers(negativeThreshold)
      meanEntropy = 0
      for label in masses.indices { masses[label] = 0 }
      for label in labels where label != 255 { masses[Int(label)] += 1 }
    }
  }

  /// Takes the marks of classes away.
  package mutating func unmark(_ classes: [Int]) {
    let markByteCount = Self.markByteCount(shape)
    for label in classes {
      for pixel in labels.indices {
        negatives[pixel * markByteCount + label / 8] &= ~(1 << UInt8(label % 8))
      }
    }
  }

  private mutating func markOthers(_ threshold: Float) {
    let markByteCount = Self.markByteCount(shape)
    for index in negatives.indices { negatives[index] = 0 }
    for pixel in labels.indices where labels[pixel] != 255 && 1 - confidence[pixel] < threshold {
      for label in 0..<classCount where label != Int(labels[pixel]) {
        negatives[pixel * markByteCount + label / 8] |= 1 << UInt8(label % 8)
      }
    }
  }
}
