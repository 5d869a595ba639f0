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

    /// The nearest label of every pixel of another size.
    package func labels(height newHeight: Int, width newWidth: Int) -> [UInt8] {
      guard (newHeight, newWidth) != (height, width) else { return labels }
      let columns = (0..<newWidth).map { (2 * $0 + 1) * width / (2 * newWidth) }
      return (0..<newHeight).flatMap { y in
        let row = (2 * y + 1) * height / (2 * newHeight) * width
        return columns.map { labels[row + $0] }
      }
    }
  }
}
