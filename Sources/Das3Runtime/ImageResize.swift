internal import CKernels

/// Images of floats, channels last → the same at another size: bilinear, half-pixel centres.
package struct ImageResize {
  private let rows, columns: AxisTable
  private let inHeight, inWidth, channelCount, threads: Int

  package init(
    from size: (height: Int, width: Int), to newSize: (height: Int, width: Int), channelCount: Int,
    threads: Int
  ) {
    rows = AxisTable(.halfPixel(from: size.height, to: newSize.height))
    columns = AxisTable(.halfPixel(from: size.width, to: newSize.width))
    (inHeight, inWidth) = size
    self.channelCount = channelCount
    self.threads = threads
  }

  /// - Parameters:
  ///   - image: to read.
  ///   - stride: floats from one pixel of it to the next.
  ///   - target: receives the result, densely.
  package func run(
    _ image: UnsafePointer<Float>, stride: Int, into target: UnsafeMutablePointer<Float>
  ) {
    var chain = d3k_chain()
    var scratch = [Float](repeating: 0, count: threads * 2 * columns.count * channelCount)
    unsafe scratch.withUnsafeMutableBufferPointer { scratch in
      unsafe rows.withAxis { rows in
        unsafe columns.withAxis { columns in
          var resize = unsafe d3k_resize(
            rows: rows, columns: columns, batch: 1, in_height: Int64(inHeight),
            in_width: Int64(inWidth), channels: Int64(channelCount), x_stride: Int64(stride),
            y_stride: Int64(channelCount), fill: 0)
          unsafe d3k_resize_linear(
            Int32(threads), &resize, &chain, image, target, scratch.baseAddress)
        }
      }
    }
  }
}
