// The width of a picture and the classes in, columns of colours and names out.

/// The columns of colours and names below a picture.
///
/// Lengths are in pixels of the font unless they are multiplied by `scale`.
struct Legend {
  /// Picture pixels per font pixel.
  private let scale: Int
  private let classes: [ModelClass]
  /// How many characters of a name are shown.
  private let nameLength: Int
  private let showsShares: Bool
  private let columnWidth: Int
  private let rowCount: Int

  /// A class with a smaller share of the picture is shown as absent.
  private static let smallestShare = 0.0005

  private static let swatchSide = 9
  private static let nameOffset = 13
  private static let margin = 8
  private static let rowHeight = 13
  private static let columnGap = 12
  private static let shareLength = 4

  /// The least width that has room for the longest name.
  static func leastWidth(for classes: [ModelClass]) -> Int {
    let longest = classes.map(\.name.count).max() ?? 1
    return 2 * margin + nameOffset + longest * BitmapFont.advance
  }

  /// The legend with the largest letters that is at most a quarter as high as the picture; where
  /// none is, the one with the smallest letters.
  static func fitting(
    _ size: PixelSize, classes: [ModelClass], showsShares: Bool = true
  ) -> Legend {
    let largest = max(1, min(6, (size.width + 380) / 640))
    let legends = (1...largest).map {
      Legend(width: size.width, classes: classes, scale: $0, showsShares: showsShares)
    }
    return legends.last { $0.stripHeight * 4 <= size.height } ?? legends[0]
  }

  private init(width: Int, classes: [ModelClass], scale: Int, showsShares: Bool) {
    self.scale = scale
    self.classes = classes
    let room = max(1, width - 2 * Self.margin * scale)
    let longest = max(1, classes.map(\.name.count).max() ?? 1)
    let shareWidth = (Self.shareLength * BitmapFont.advance + 4) * scale
    let fixedWidth = (Self.nameOffset + Self.columnGap) * scale
    let letterWidth = BitmapFont.advance * scale
    self.showsShares = showsShares && room >= fixedWidth + letterWidth * 8 + shareWidth
    let entryWidth = fixedWidth + (self.showsShares ? shareWidth : 0)
    let columnCount = max(1, (room + Self.columnGap * scale) / (entryWidth + longest * letterWidth))
    columnWidth = (room + Self.columnGap * scale) / columnCount
    nameLength = max(1, min(longest, (columnWidth - entryWidth) / letterWidth))
    rowCount = max(1, (classes.count + columnCount - 1) / columnCount)
  }

  /// The legend's height; together with the picture it is even, as videos need it.
  func height(belowHeight: Int) -> Int {
    stripHeight + (stripHeight + belowHeight) % 2
  }

  private var stripHeight: Int {
    (rowCount * Self.rowHeight + 2 * Self.margin - 4) * scale
  }

  /// Draws the legend from row `top` of `canvas` to its end.
  ///
  /// Classes that the picture lacks are dimmed, so that every class keeps its place.
  func draw(_ shares: [Double], top: Int, into canvas: inout Frame) {
    canvas.fill(
      x: 0, y: top, width: canvas.size.width, height: canvas.size.height - top, with: .background)
    for (index, entry) in classes.enumerated() {
      let share = index < shares.count ? shares[index] : 0
      let isPresent = share >= Self.smallestShare
      let x = Self.margin * scale + index / rowCount * columnWidth
      let y = top + (Self.margin + index % rowCount * Self.rowHeight) * scale
      let side = Self.swatchSide * scale
      canvas.fill(x: x, y: y, width: side, height: side, with: isPresent ? .quiet : .dim)
      canvas.fill(
        x: x + scale, y: y + scale, width: side - 2 * scale, height: side - 2 * scale,
        with: isPresent ? entry.colour : entry.colour.mixed(with: .background))
      let textY = y + (Self.swatchSide - BitmapFont.capitalHeight) / 2 * scale
      canvas.draw(
        String(entry.name.prefix(nameLength)), x: x + Self.nameOffset * scale, y: textY,
        scale: scale, colour: isPresent ? .bright : .dim)
      if isPresent, showsShares {
        let percent = share < 0.01 ? "<1%" : "\(Int((share * 100).rounded()))%"
        let end = x + columnWidth - Self.columnGap * scale
        canvas.draw(
          percent, x: end - percent.count * BitmapFont.advance * scale, y: textY, scale: scale,
          colour: .quiet)
      }
    }
  }
}
