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
    let rows = AxisTable(.halfPixel(from: source.height, to: height))
    let columns = AxisTable(.halfPixel(from: source.width, to: width))
    var chain = d3k_chain()
    var scratch = [Float](repeating: 0, count: threads * 2 * width * channelCount)
    let (threads, channelCount) = (Int32(threads), Int64(channelCount))
    unsafe values.withUnsafeMutableBufferPointer { target in
      unsafe scratch.withUnsafeMutableBufferPointer { scratch in
        unsafe rows.withAxis { rows in
          unsafe columns.withAxis { columns in
            var resize = unsafe d3k_resize(
              rows: rows, columns: columns, batch: 1, in_height: Int64(source.height),
              in_width: Int64(source.width), channels: channelCount, x_stride: channelCount,
              y_stride: channelCount, fill: 0)
            unsafe d3k_resize_linear(
              threads, &resize, &chain, source.values, target.baseAddress, scratch.baseAddress)
          }
        }
      }
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
