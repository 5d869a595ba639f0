// A model at several times, some frames in, one picture of each out: frame, labels, truth.
import Foundation

/// Writes `NAME_strip.png` for a few frames, evenly spread over all of them.
struct StripWriter {
  let directory: String
  let labeller: Labeller

  private static let largestCount = 4

  /// - Parameters:
  ///   - models: what each is called, and the model.
  ///   - frameCount: how many frames there are.
  ///   - read: gives frame `index`, with its truth where there is one.
  /// - Throws: `Failure` where a frame cannot be read or a picture not be written.
  func write(
    _ models: [(name: String, model: ModelHandle)], frameCount: Int,
    read: (Int) throws(Failure) -> (frame: Frame, truth: [UInt8]?)
  ) throws(Failure) {
    let count = min(frameCount, Self.largestCount)
    let writer = ImageWriter(format: .rgb)
    let strip = PictureStrip(classes: labeller.classes)
    var canvas = Frame()
    for position in 0..<count {
      let (frame, truth) = try read((2 * position + 1) * frameCount / (2 * count))
      var panels = [PictureStrip.Panel(caption: frame.name, picture: .frame(frame))]
      for (caption, model) in models {
        try labeller.setModel(model)
        let labels = try labeller.label(frame)
        panels.append(PictureStrip.Panel(caption: caption, picture: .labels(labels)))
      }
      if let truth {
        panels.append(PictureStrip.Panel(caption: "truth", picture: .labels(truth)))
      }
      strip.draw(panels, size: frame.size, into: &canvas)
      let path = Path.join(directory, frame.stem + "_strip.png")
      try writer.write(canvas.pixels, size: canvas.size, to: path)
    }
  }
}
