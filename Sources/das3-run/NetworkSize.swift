// The size of a frame in, the size that the network works on out.

/// The size that was asked for, or one that large frames are brought down to.
struct NetworkSize {
  /// What the library is told; nil = it takes the model's own size, or that of the frame.
  let size: PixelSize?

  /// About one megapixel: more takes long, and most networks were trained on less.
  private static let largestPixelCount = 1 << 20

  /// - Parameters:
  ///   - wanted: what `--size` says.
  ///   - model: whose own size, or multiple, counts.
  ///   - frame: its size; nil where it is not known yet.
  init(wanted: PixelSize?, model: ModelHandle, frame: PixelSize?) {
    guard wanted == nil, model.fixedWidth == 0, model.fixedHeight == 0, let frame,
      frame.pixelCount > Self.largestPixelCount
    else {
      size = wanted
      return
    }
    let ratio = (Double(Self.largestPixelCount) / Double(frame.pixelCount)).squareRoot()
    let multiple = max(1, model.strideMultiple)
    func side(_ length: Int) -> Int {
      max(1, Int(Double(length) * ratio) / multiple) * multiple
    }
    size = PixelSize(width: side(frame.width), height: side(frame.height))
  }

  /// Says, once for each size, that frames are brought down.
  static func note(_ frame: Frame, works size: PixelSize) {
    Terminal.note(
      "\(frame.name) is \(frame.size); the network works on \(size), which is faster and what most "
        + "are trained for; '--size \(frame.size)' would keep all of it")
  }
}
