internal import CKernels
import Das3Graph

/// Frames of one size, or the same part of each → the input of a network of one size: resized,
/// normalised, NHWC.
struct FrameInput {
  let frameHeight, frameWidth: Int
  private let part: FramePart
  private let rows, columns: AxisTable

  init(
    frameHeight: Int, frameWidth: Int, _ part: FramePart = .whole, height: Int, width: Int
  ) {
    self.frameHeight = frameHeight
    self.frameWidth = frameWidth
    self.part = part
    rows = AxisTable(.halfPixel(from: part.rows.pixels(of: frameHeight), to: height))
    columns = AxisTable(.halfPixel(from: part.columns.pixels(of: frameWidth), to: width))
  }

  func fits(_ frame: Frame, _ part: FramePart = .whole) -> Bool {
    frame.height == frameHeight && frame.width == frameWidth && part == self.part
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
  /// Of the parts that were wanted of frames of the last size.
  private var inputs: [FrameInput] = []

  package init(_ model: SegmentationModel, height: Int, width: Int) {
    self.model = model
    self.height = height
    self.width = width
  }

  /// Writes a frame, or a part of it, into input 0 of the executor.
  package mutating func load(
    _ frame: Frame, _ part: FramePart = .whole, into executor: Executor
  ) {
    let fitting: FrameInput
    if let input = inputs.first(where: { $0.fits(frame, part) }) {
      fitting = input
    } else {
      fitting = FrameInput(
        frameHeight: frame.height, frameWidth: frame.width, part, height: height, width: width)
      inputs.removeAll { $0.frameHeight != frame.height || $0.frameWidth != frame.width }
      inputs.append(fitting)
    }
    fitting.read(frame, model, into: executor)
  }
}
