// Pictures of equal size and their captions in, one picture with all of them and a legend out.

/// Draws pictures side by side for comparison: a frame, its labels before and after, the truth.
struct PictureStrip {
  enum Picture {
    case frame(Frame)
    /// Height × width class numbers, drawn in the colours of the classes.
    case labels([UInt8])
  }

  struct Panel {
    let caption: String
    let picture: Picture
  }

  let classes: [ModelClass]

  /// Narrower pictures are enlarged.
  private static let smallestWidth = 320
  /// Pictures of this ratio of width to height, or wider ones, are drawn one above the other.
  private static let wideRatio = 2.5
  private static let captionMargin = 4
  private static let gap = 4

  /// Draws the panels row by row.
  /// - Parameters:
  ///   - panels: pictures of `size`, at least one.
  ///   - size: of each picture.
  ///   - columnCount: panels in a row; nil = all, or one where pictures are wide.
  ///   - canvas: becomes as large as needed; its height is even.
  func draw(
    _ panels: [Panel], size: PixelSize, columnCount: Int? = nil, into canvas: inout Frame
  ) {
    let isWide = Double(size.width) >= Self.wideRatio * Double(size.height)
    let columnCount = max(1, columnCount ?? (isWide ? 1 : panels.count))
    let rowCount = (panels.count + columnCount - 1) / columnCount
    let zoom = (Self.smallestWidth + size.width - 1) / size.width
    let cell = PixelSize(width: size.width * zoom, height: size.height * zoom)
    let fontScale = max(1, (cell.width + 380) / 640)
    let captionHeight = (BitmapFont.lineHeight + 2 * Self.captionMargin) * fontScale
    let pitch = captionHeight + cell.height
    let width = columnCount * (cell.width + Self.gap) - Self.gap
    let legend = Legend.fitting(
      PixelSize(width: width, height: rowCount * pitch), classes: classes, showsShares: false)
    canvas.resize(
      to: PixelSize(
        width: width, height: rowCount * pitch + legend.height(belowHeight: rowCount * pitch)))
    canvas.fill(x: 0, y: 0, width: width, height: rowCount * pitch, with: .background)

    var shares = ClassShares(names: classes.map(\.name))
    for (index, panel) in panels.enumerated() {
      let x = index % columnCount * (cell.width + Self.gap)
      let y = index / columnCount * pitch
      let letterCount = max(0, cell.width / (BitmapFont.advance * fontScale))
      canvas.draw(
        String(panel.caption.prefix(letterCount)), x: x + fontScale,
        y: y + Self.captionMargin * fontScale, scale: fontScale, colour: .bright)
      draw(panel.picture, size: size, zoom: zoom, x: x, y: y + captionHeight, into: &canvas)
      if case .labels(let labels) = panel.picture { shares.add(labels) }
    }
    legend.draw(shares.shares, top: rowCount * pitch, into: &canvas)
  }

  private func draw(
    _ picture: Picture, size: PixelSize, zoom: Int, x: Int, y: Int, into canvas: inout Frame
  ) {
    for row in 0..<size.height {
      for column in 0..<size.width {
        let colour = colour(of: picture, at: row * size.width + column)
        canvas.fill(
          x: x + column * zoom, y: y + row * zoom, width: zoom, height: zoom, with: colour)
      }
    }
  }

  private func colour(of picture: Picture, at index: Int) -> Colour {
    switch picture {
    case .frame(let frame):
      return 3 * index + 2 < frame.pixels.count ? frame[index] : .background
    case .labels(let labels):
      guard index < labels.count, labels[index] < classes.count else { return .background }
      return classes[Int(labels[index])].colour
    }
  }
}
