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
    let dims = [height, width, channelCount].map(Int64.init)
    let (from, to) = ([width, 1, height * width], [width * channelCount, channelCount, 1])
    unsafe values.withUnsafeMutableBufferPointer { target in
      guard let start = target.baseAddress else { return }
      unsafe d3k_copy(
        Int32(threads), 3, dims, planes, from.map(Int64.init), start, to.map(Int64.init))
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
            unsafe d3k_resize_linear(
              threads, source.values, channelCount, 1, Int64(source.height), Int64(source.width),
              channelCount, rows, columns, 0, &chain, target.baseAddress, channelCount,
              scratch.baseAddress)
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
