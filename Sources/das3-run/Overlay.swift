// A frame and its labels in, the frame tinted with class colours above a legend out.

/// Draws overlays.
///
/// The legend keeps its place from frame to frame: classes that a frame lacks are only dimmed.
struct Overlay {
  private let classes: [ModelClass]

  init(classes: [ModelClass]) {
    self.classes = classes
  }

  /// Draws into `canvas`, as wide as the frame and higher by the legend.
  func draw(
    _ frame: Frame, labels: [UInt8], shares: [Double], into canvas: inout Frame
  ) {
    let legend = Legend.fitting(frame.size, classes: classes)
    canvas.resize(
      to: PixelSize(
        width: frame.size.width,
        height: frame.size.height + legend.height(belowHeight: frame.size.height)))
    canvas.name = frame.name
    canvas.stem = frame.stem
    blend(frame, labels: labels, into: &canvas)
    legend.draw(shares, top: frame.size.height, into: &canvas)
  }

  /// Half frame, half class colour; pixels without a class stay as they are.
  private func blend(_ frame: Frame, labels: [UInt8], into canvas: inout Frame) {
    for index in 0..<min(labels.count, frame.size.pixelCount) {
      let offset = index * 3
      let red = frame.pixels[offset]
      let green = frame.pixels[offset + 1]
      let blue = frame.pixels[offset + 2]
      var colour = Colour(red: red, green: green, blue: blue)
      let label = Int(labels[index])
      if label < classes.count { colour = colour.mixed(with: classes[label].colour) }
      canvas.pixels[offset] = colour.red
      canvas.pixels[offset + 1] = colour.green
      canvas.pixels[offset + 2] = colour.blue
    }
  }
}
