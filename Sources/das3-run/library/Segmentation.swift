// What the network says about one frame.

/// Buffers for the results of one frame; only those that were asked for have room.
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

  enum Output {
    case labels
    case confidence
    case entropy
    case probabilities
  }

  init(_ wanted: Set<Output>, classCount: Int) {
    self.wanted = wanted
    self.classCount = classCount
  }

  /// Makes room for frames of `newSize`; does nothing while the size stays.
  mutating func resize(to newSize: PixelSize) {
    guard newSize != size else { return }
    size = newSize
    let count = newSize.pixelCount
    labels = [UInt8](repeating: 0, count: wanted.contains(.labels) ? count : 0)
    confidence = [UInt8](repeating: 0, count: wanted.contains(.confidence) ? count : 0)
    entropy = [Float](repeating: 0, count: wanted.contains(.entropy) ? count : 0)
    let probabilityCount = wanted.contains(.probabilities) ? count * classCount : 0
    probabilities = [Float](repeating: 0, count: probabilityCount)
  }
}
