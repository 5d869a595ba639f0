internal import CKernels
import Das3Graph

/// Frames of one size → the input of a network of one size: resized, normalised, NHWC.
struct FrameInput {
  let frameHeight, frameWidth: Int
  private let rows, columns: AxisTable

  init(frameHeight: Int, frameWidth: Int, height: Int, width: Int) {
    self.frameHeight = frameHeight
    self.frameWidth = frameWidth
    rows = AxisTable(.halfPixel(from: frameHeight, to: height))
    columns = AxisTable(.halfPixel(from: frameWidth, to: width))
  }

  func fits(_ frame: Frame) -> Bool {
    frame.height == frameHeight && frame.width == frameWidth
  }

  /// Writes a frame of this size into input 0 of the executor.
  func read(_ frame: Frame, _ model: SegmentationModel, into executor: Executor) {
    var kernelFrame = unsafe frame.kernelFrame(model)
    unsafe rows.withAxis { rows in
      unsafe columns.withAxis { columns in
        unsafe d3k_frame_read(
          Int32(executor.options.threads), &kernelFrame, rows, columns, executor.input(0))
      }
    }
  }
}

/// Frames of any size → the input of a network of one size.
package struct FrameLoader {
  private let model: SegmentationModel
  private let height, width: Int
  private var input: FrameInput?

  package init(_ model: SegmentationModel, height: Int, width: Int) {
    self.model = model
    self.height = height
    self.width = width
  }

  /// Writes a frame into input 0 of the executor.
  package mutating func load(_ frame: Frame, into executor: Executor) {
    let fitting: FrameInput
    if let input, input.fits(frame) {
      fitting = input
    } else {
      fitting = FrameInput(
        frameHeight: frame.height, frameWidth: frame.width, height: height, width: width)
      input = fitting
    }
    fitting.read(frame, model, into: executor)
  }
}
