// A frame and its labels in, the frame tinted with class colours above a legend out.

/// Draws overlays.
///
/// The legend keeps its place from frame to frame: classes that a frame lacks are only dimmed.
struct Overlay {
  private let classes: [ModelClass]

  private static let background = Colour(red: 22, green: 24, blue: 29)
  private static let bright = Colour(red: 236, green: 238, blue: 242)
  private static let quiet = Colour(red: 146, green: 151, blue: 162)
  private static let dim = Colour(red: 84, green: 88, blue: 97)

  /// A class is shown as present from this share of the frame on.
  private static let smallestShare = 0.0005

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
    draw(legend, shares: shares, top: frame.size.height, into: &canvas)
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

  private func draw(
    _ legend: Legend, shares: [Double], top: Int, into canvas: inout Frame
  ) {
    let scale = legend.scale
    canvas.fill(
      x: 0, y: top, width: canvas.size.width, height: canvas.size.height - top,
      with: Self.background)
    for (index, entry) in classes.enumerated() {
      let share = index < shares.count ? shares[index] : 0
      let isPresent = share >= Self.smallestShare
      let place = legend.place(of: index)
      let y = top + place.y
      let side = Legend.swatchSide * scale
      let frameColour = isPresent ? Self.quiet : Self.dim
      let fillColour = isPresent ? entry.colour : entry.colour.mixed(with: Self.background)
      canvas.fill(x: place.x, y: y, width: side, height: side, with: frameColour)
      canvas.fill(
        x: place.x + scale, y: y + scale, width: side - 2 * scale, height: side - 2 * scale,
        with: fillColour)
      let textY = y + (Legend.swatchSide - BitmapFont.capitalHeight) / 2 * scale
      canvas.draw(
        String(entry.name.prefix(legend.nameLength)), x: place.x + Legend.nameOffset * scale,
        y: textY, scale: scale, colour: isPresent ? Self.bright : Self.dim)
      if isPresent, legend.showsShares {
        let percent = share < 0.01 ? "<1%" : "\(Int((share * 100).rounded()))%"
        let x = place.x + legend.shareEnd - percent.count * BitmapFont.advance * scale
        canvas.draw(percent, x: x, y: textY, scale: scale, colour: Self.quiet)
      }
    }
  }
}
