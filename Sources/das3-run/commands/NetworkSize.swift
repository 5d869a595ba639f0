// The size of a frame in, the size that the network works on out.
import CDas3

/// The size that was asked for, or the size to which large frames are scaled down: the one that the
/// network was trained on, where metadata says it, else about one megapixel.
struct NetworkSize {
  /// The size for the library; nil = it takes the model's own size, or that of the frame.
  let size: PixelSize?

  /// About one megapixel: larger sizes are slow, and most networks were trained on smaller ones.
  private static let largestPixelCount = 1 << 20

  /// Takes `wanted`, the value of `--size`, or else chooses by the frame's size, if that is known.
  init(wanted: PixelSize?, model: ModelHandle, frame: PixelSize?) {
    guard wanted == nil, model.fixedWidth == 0, model.fixedHeight == 0, let frame,
      frame.pixelCount > Self.largestPixelCount
    else {
      size = wanted
      return
    }
    if let trained = model.trainingSize {
      size = trained
      return
    }
    let ratio = (Double(Self.largestPixelCount) / Double(frame.pixelCount)).squareRoot()
    let multiple = max(1, model.strideMultiple)
    func side(_ length: Int) -> Int {
      max(1, Int(Double(length) * ratio) / multiple) * multiple
    }
    size = PixelSize(width: side(frame.width), height: side(frame.height))
  }

  /// Throws for a negative status.
  ///
  /// Where `size`, which the library was given, is not a multiple of the model's stride, the message
  /// names sizes that would fit.
  static func check(
    _ status: das3_status, _ size: PixelSize?, _ model: ModelHandle
  ) throws(Failure) {
    do throws(Failure) {
      try Failure.check(status, model.path)
    } catch {
      let multiple = max(1, model.strideMultiple)
      guard let size, status == DAS3_E_SHAPE, model.fixedWidth == 0, model.fixedHeight == 0,
        size.width % multiple != 0 || size.height % multiple != 0
      else { throw error }
      func near(_ add: Int) -> PixelSize {
        PixelSize(
          width: max(1, (size.width + add) / multiple) * multiple,
          height: max(1, (size.height + add) / multiple) * multiple)
      }
      throw Failure(
        "'--size \(size)' does not fit \(model.path): its sizes are multiples of \(multiple), such "
          + "as \(near(0)) or \(near(multiple - 1)) (\(error.message))")
    }
  }

  /// Reports that a frame is scaled down.
  static func note(_ frame: Frame, works size: PixelSize) {
    Terminal.note(
      "\(frame.name) is \(frame.size); the network works on \(size), which is faster and what most "
        + "are trained for; '--size \(frame.size)' would keep all of it")
  }
}
