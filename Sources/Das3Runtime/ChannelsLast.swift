internal import CKernels
import Das3Graph

/// An image of floats with its channels last, made of channel planes.
package struct ChannelsLast {
  package let channelCount, height, width: Int
  package private(set) var values: [Float]
  private let threads: Int

  /// - Parameters:
  ///   - planes: channels × height × width; that many values.
  ///   - channelCount: from 1.
  ///   - height: from 1.
  ///   - width: from 1.
  ///   - threads: of the one pool.
  package init(_ planes: [Float], channelCount: Int, height: Int, width: Int, threads: Int) {
    self.channelCount = channelCount
    self.height = height
    self.width = width
    self.threads = threads
    values = [Float](repeating: 0, count: planes.count)
    var walk = d3k_walk(
      Shape([height, width, channelCount]), order: [0, 1, 2],
      strides: [[width, 1, height * width], [width * channelCount, channelCount, 1]])
    unsafe values.withUnsafeMutableBufferPointer { target in
      guard let start = target.baseAddress else { return }
      unsafe d3k_copy(Int32(threads), &walk, planes, start)
    }
  }

  /// The image at another size: bilinear, half-pixel centres.
  package func resized(height newHeight: Int, width newWidth: Int) -> Self {
    guard (newHeight, newWidth) != (height, width) else { return self }
    var result = self
    result.resize(from: self, height: newHeight, width: newWidth)
    return result
  }

  private mutating func resize(from source: Self, height: Int, width: Int) {
    self = Self(channelCount: channelCount, height: height, width: width, threads: threads)
    let resize = ImageResize(
      from: (source.height, source.width), to: (height, width), channelCount: channelCount,
      threads: threads)
    unsafe values.withUnsafeMutableBufferPointer { target in
      guard let start = target.baseAddress else { return }
      unsafe resize.run(source.values, stride: channelCount, into: start)
    }
  }

  private init(channelCount: Int, height: Int, width: Int, threads: Int) {
    self.channelCount = channelCount
    self.height = height
    self.width = width
    self.threads = threads
    values = [Float](repeating: 0, count: channelCount * height * width)
  }
}
