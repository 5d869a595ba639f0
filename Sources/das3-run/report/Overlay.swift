// A frame and its labels in, the frame tinted with class colours above a legend out.

/// Draws a frame with its labels and a legend.
struct Overlay {
  let classes: [ModelClass]

  /// Draws into `canvas`, which becomes higher than the frame and, where names need it, wider.
  func draw(
    _ frame: Frame, labels: [UInt8], shares: [Double], into canvas: inout Frame
  ) {
    let width = max(frame.size.width, Legend.leastWidth(for: classes))
    let picture = PixelSize(width: width, height: frame.size.height)
    let legend = Legend.fitting(picture, classes: classes)
    canvas.resize(
      to: PixelSize(
        width: width, height: picture.height + legend.height(belowHeight: picture.height)))
    canvas.fill(
      x: frame.size.width, y: 0, width: width - frame.size.width, height: picture.height,
      with: .background)
    canvas.name = frame.name
    canvas.stem = frame.stem
    blend(frame, labels: labels, into: &canvas)
    legend.draw(shares, top: frame.size.height, into: &canvas)
  }

  /// Mixes frame and class colours half and half; pixels without a class keep their colour.
  private func blend(_ frame: Frame, labels: [UInt8], into canvas: inout Frame) {
    guard labels.count >= frame.size.pixelCount else { return }
    for row in 0..<frame.size.height {
      for column in 0..<frame.size.width {
        let index = row * frame.size.width + column
        let (colour, label) = (frame[index], Int(labels[index]))
        canvas[row * canvas.size.width + column] =
          label < classes.count ? colour.mixed(with: classes[label].colour) : colour
      }
    }
  }
}
