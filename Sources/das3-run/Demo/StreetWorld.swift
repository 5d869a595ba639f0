// A look and a seed in, a frame and its truth out.

/// A frame whose every pixel is known.
struct LabelledFrame {
  let frame: Frame
  /// Height × width class numbers.
  let truth: [UInt8]
}

/// The streets of one look.
struct StreetWorld {
  let look: Look

  static let size = PixelSize(width: 320, height: 240)

  /// Draws a street; the same seed gives the same bytes on every machine.
  func frame(seed: UInt64) -> LabelledFrame {
    var random = SplitMix64(seed: seed)
    let fine = PixelSize(
      width: Self.size.width * Lens.fineness, height: Self.size.height * Lens.fineness)
    let scene = StreetScene(look, size: fine, &random)
    let lens = Lens(look, &random)
    var frame = Frame()
    let truth = lens.develop(scene.painted(), size: Self.size, &random, into: &frame)
    return LabelledFrame(frame: frame, truth: truth)
  }
}
