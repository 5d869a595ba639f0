// A network before and after, the same streets by day and at dusk in, one picture of all out.
import Foundation

/// What the demo has to show, street by street.
struct DemoPicture {
  let labeller: Labeller
  let day: [LabelledFrame]
  let dusk: [LabelledFrame]

  private static let streetCount = 3
  private static let columnCount = 6

  func write(before: ModelHandle, after: ModelHandle, to directory: String) throws(Failure) {
    var panels: [PictureStrip.Panel] = []
    let blend = try before.with(statisticsOf: after)
    for index in 0..<min(Self.streetCount, dusk.count) {
      let (frame, truth) = (dusk[index].frame, dusk[index].truth)
      panels.append(.init(caption: "by day", picture: .frame(day[index].frame)))
      panels.append(.init(caption: "at dusk", picture: .frame(frame)))
      for (caption, model) in [("source", before), ("blend", blend), ("adapted", after)] {
        try labeller.setModel(model)
        panels.append(.init(caption: caption, picture: .labels(try labeller.label(frame))))
      }
      panels.append(.init(caption: "truth", picture: .labels(truth)))
    }
    var canvas = Frame()
    PictureStrip(classes: labeller.classes).draw(
      panels, size: StreetWorld.size, columnCount: Self.columnCount, into: &canvas)
    let path = Path.join(directory, "demo.png")
    try ImageWriter(format: .rgb).write(canvas.pixels, size: canvas.size, to: path)
  }
}
