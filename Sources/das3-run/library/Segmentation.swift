// The network's results for one frame.

/// Buffers for the results of one frame; those that were not asked for are empty.
struct Segmentation {
  /// Height × width class numbers; 255 = no class.
  var labels: [UInt8] = []
  /// Height × width, 255 = certain.
  var confidence: [UInt8] = []
  /// Height × width, 0 to 1.
  var entropy: [Float] = []
  /// Classes × height × width.
  var probabilities: [Float] = []

  private let wanted: Set<Output>
  private let classCount: Int
  private var size = PixelSize(width: 0, height: 0)

  enum Output: String {
    case labels, confidence, entropy, probabilities
  }

  init(_ wanted: Set<Output>, classCount: Int) {
    self.wanted = wanted
    self.classCount = classCount
  }

  /// Makes room for frames of `newSize`; does nothing where that is the size already.
  mutating func resize(to newSize: PixelSize) {
    guard newSize != size else { return }
    size = newSize
    func count(_ output: Output) -> Int { wanted.contains(output) ? newSize.pixelCount : 0 }
    labels = [UInt8](repeating: 0, count: count(.labels))
    confidence = [UInt8](repeating: 0, count: count(.confidence))
    entropy = [Float](repeating: 0, count: count(.entropy))
    probabilities = [Float](repeating: 0, count: count(.probabilities) * classCount)
  }
}
