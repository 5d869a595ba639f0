// Models and some frames in, for each frame a picture with its labels by each model out.

/// Writes `NAME_strip.png` for a few frames that are evenly spread over all of them.
struct StripWriter {
  let directory: String
  let labeller: Labeller

  private static let largestCount = 4

  /// Draws each frame that `read` gives, its labels by each of the models, and its truth.
  func write(
    _ models: [(name: String, model: ModelHandle)], frameCount: Int,
    read: (Int) throws(Failure) -> (frame: Frame, truth: [UInt8]?)
  ) throws(Failure) {
    let count = min(frameCount, Self.largestCount)
    for position in 0..<count {
      let (frame, truth) = try read((2 * position + 1) * frameCount / (2 * count))
      let own = PictureStrip.Panel(caption: frame.name, picture: .frame(frame))
      try write(
        [own] + panels(of: frame, truth: truth, models), size: frame.size,
        to: frame.stem + "_strip.png")
    }
  }

  /// The labels of a frame by each of the models, and its truth.
  func panels(
    of frame: Frame, truth: [UInt8]?, _ models: [(name: String, model: ModelHandle)]
  ) throws(Failure) -> [PictureStrip.Panel] {
    var panels: [PictureStrip.Panel] = []
    for (caption, model) in models {
      try labeller.setModel(model)
      panels.append(.init(caption: caption, picture: .labels(try labeller.label(frame))))
    }
    if let truth { panels.append(.init(caption: "truth", picture: .labels(truth))) }
    return panels
  }

  /// Writes panels of one size as a PNG.
  func write(
    _ panels: [PictureStrip.Panel], size: PixelSize, columnCount: Int? = nil, to name: String
  ) throws(Failure) {
    var canvas = Frame()
    PictureStrip(classes: labeller.classes).draw(
      panels, size: size, columnCount: columnCount, into: &canvas)
    try ImageWriter(format: .rgb).write(
      canvas.pixels, size: canvas.size, to: try Folder.place(name, in: directory))
  }
}
