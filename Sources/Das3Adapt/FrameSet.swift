import Das3Graph
import Das3Runtime

/// The frames of the target: from memory, or from a callback that has more than memory holds.
package struct FrameSet {
  /// Lends frame `index`; valid within the body.
  package typealias Reader =
    (_ index: Int, _ body: (Frame) throws(Das3Error) -> Void) throws(Das3Error) -> Void

  /// Orders of so many frames are drawn in memory.
  package static let maximumCount = 1 << 24

  package let count: Int
  package let read: Reader
  /// Class numbers of each frame at its own size; empty where nobody knows them.
  package let truths: [Truth]

  package init(count: Int, read: @escaping Reader) {
    self.count = count
    self.read = read
    truths = []
  }

  package init(_ frames: [StoredFrame], truths: [Truth] = []) {
    count = frames.count
    read = { index, body throws(Das3Error) in try frames[index].withFrame(body) }
    self.truths = truths
  }

  /// What the pixels of a frame are.
  package struct Truth: Sendable {
    package let height, width: Int
    /// One a pixel, 255 = unknown.
    package let labels: [UInt8]

    package init(height: Int, width: Int, labels: [UInt8]) {
      self.height = height
      self.width = width
      self.labels = labels
    }

    /// The nearest label of every pixel of another size, of the whole or of a part.
    package func labels(_ part: FramePart = .whole, height newHeight: Int, width newWidth: Int)
      -> [UInt8]
    {
      part.nearest(
        of: labels, height: height, width: width, newHeight: newHeight, newWidth: newWidth)
    }
  }
}

/// Frames whose truth is known, by which weights are judged; nothing is learned from them.
package struct LabelledFrames {
  /// With the truth of each.
  package let frames: FrameSet
  /// Of each class of the network the class of the truth that it counts as, 255 = none; empty = the
  /// classes are the same.
  package let truthClasses: [UInt8]

  package init(_ frames: FrameSet = FrameSet([]), truthClasses: [UInt8] = []) {
    self.frames = frames
    self.truthClasses = truthClasses
  }

  package var count: Int { frames.count }

  /// What labels and truth of a frame have in common.
  ///
  /// - Parameters:
  ///   - labels: by the network, one a pixel of the scores.
  ///   - index: of the frame.
  ///   - shape: of the scores, 1×C×h×w.
  ///   - ignored: of the same size, 1 = counts for nothing; nil = all count.
  /// - Returns: one a class of the truth.
  /// - Throws: `.argument` for more than 255 classes.
  func overlaps(
    _ labels: [UInt8], ofFrame index: Int, _ shape: Shape, ignored: [UInt8]?
  ) throws(Das3Error) -> [ClassOverlap] {
    let known = truthClasses.filter { $0 != 255 }
    let classCount = truthClasses.isEmpty ? shape[1] : (known.max().map { Int($0) + 1 } ?? 1)
    var matrix = try ConfusionMatrix(classCount: classCount, ignoreLabel: 255)
    var truth = frames.truths[index].labels(height: shape[2], width: shape[3])
    if let ignored { truth = zip(truth, ignored).map { $1 == 0 ? $0 : 255 } }
    let labels =
      truthClasses.isEmpty ? labels : labels.map { truthClasses[Int($0)] }
    matrix.add(labels: labels.span, truth: truth.span)
    return matrix.overlaps
  }
}
