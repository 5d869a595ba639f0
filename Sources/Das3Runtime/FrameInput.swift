internal import CKernels
import Das3Graph

/// Frames of one size → the input of a network of one size: resized, normalised, NHWC.
package struct FrameInput {
  package let frameHeight, frameWidth: Int
  private let rows, columns: AxisTable

  package init(frameHeight: Int, frameWidth: Int, height: Int, width: Int) {
    self.frameHeight = frameHeight
    self.frameWidth = frameWidth
    rows = AxisTable(.halfPixel(from: frameHeight, to: height))
    columns = AxisTable(.halfPixel(from: frameWidth, to: width))
  }

  package func fits(_ frame: Frame) -> Bool {
    frame.height == frameHeight && frame.width == frameWidth
  }

  /// Writes a frame of this size into input 0 of the executor.
  package func read(_ frame: Frame, _ model: SegmentationModel, into executor: Executor) {
    var kernelFrame = unsafe frame.kernelFrame(model)
    unsafe rows.withAxis { rows in
      unsafe columns.withAxis { columns in
        unsafe d3k_frame_read(
          Int32(executor.options.threads), &kernelFrame, rows, columns, executor.input(0))
      }
    }
  }
}
