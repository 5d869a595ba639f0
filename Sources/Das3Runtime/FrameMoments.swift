internal import CKernels
import Das3Graph
import Glibc

/// Mean and standard deviation of each channel of a frame, in levels of an 8-bit pixel: what scenes
/// of a place are told apart by before the network runs.
///
/// They are of a grid of pixels and do not depend on the size that the network works on. Mirroring
/// changes nothing.
///
/// - Cost: reads about four pixels for each of the 1024 of the grid.
package final class FrameMoments {
  private static let side = 32

  private let channelCount: Int
  private var image: [Float]
  private var axes: (height: Int, width: Int, rows: AxisTable, columns: AxisTable)?

  package init(channelCount: Int) {
    self.channelCount = channelCount
    image = [Float](repeating: 0, count: Self.side * Self.side * channelCount)
  }

  /// The means first, then the deviations.
  package func read(_ frame: Frame) -> [Float] {
    let axes = axes(frame)
    self.axes = axes
    var kernelFrame = unsafe frame.kernelFrame(channelCount: channelCount)
    unsafe image.withUnsafeMutableBufferPointer { image in
      guard let start = image.baseAddress else { return }
      unsafe axes.rows.withAxis { rows in
        unsafe axes.columns.withAxis { columns in
          unsafe d3k_frame_read(1, &kernelFrame, rows, columns, start)
        }
      }
    }
    var sums = [Double](repeating: 0, count: 2 * channelCount)
    for pixel in stride(from: 0, to: image.count, by: channelCount) {
      for channel in 0..<channelCount {
        let level = Double(image[pixel + channel])
        sums[channel] += level
        sums[channelCount + channel] += level * level
      }
    }
    let count = Double(image.count / channelCount)
    return sums.indices.map { index in
      let mean = sums[index % channelCount] / count
      return Float(index < channelCount ? mean : sqrt(max(0, sums[index] / count - mean * mean)))
    }
  }

  /// The largest of the deviations.
  package func contrast(of moments: [Float]) -> Double {
    Double(moments[channelCount...].max() ?? 0)
  }

  private func axes(_ frame: Frame) -> (
    height: Int, width: Int, rows: AxisTable, columns: AxisTable
  ) {
    if let axes, axes.height == frame.height, axes.width == frame.width { return axes }
    return (
      frame.height, frame.width, AxisTable(.halfPixel(from: frame.height, to: Self.side)),
      AxisTable(.halfPixel(from: frame.width, to: Self.side))
    )
  }
}
