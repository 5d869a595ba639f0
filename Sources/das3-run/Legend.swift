// The width of a picture and the classes in, the place of each legend entry out.

/// A strip of columns below a picture; lengths without "scale" in their formula are font pixels.
struct Legend {
  static let swatchSide = 9
  static let nameOffset = 13

  /// Picture pixels per font pixel.
  let scale: Int
  /// Characters that fit a name.
  let nameLength: Int
  let showsShares: Bool
  private let columnWidth: Int
  private let rowCount: Int

  private static let margin = 8
  private static let rowHeight = 13
  private static let columnGap = 12
  private static let shareLength = 4

  /// The largest letters, within reason, whose strip stays small beside the picture.
  static func fitting(_ size: PixelSize, classes: [ModelClass]) -> Legend {
    let largest = max(1, min(6, (size.width + 380) / 640))
    let legends = (1...largest).reversed().map {
      Legend(width: size.width, classes: classes, scale: $0)
    }
    let smallest = Legend(width: size.width, classes: classes, scale: 1)
    return legends.first { $0.stripHeight * 4 <= size.height } ?? smallest
  }

  private init(width: Int, classes: [ModelClass], scale: Int) {
    self.scale = scale
    let room = max(1, width - 2 * Self.margin * scale)
    let longest = max(1, classes.map(\.name.count).max() ?? 1)
    let shareWidth = (Self.shareLength * BitmapFont.advance + 4) * scale
    let fixedWidth = (Self.nameOffset + Self.columnGap) * scale
    let letterWidth = BitmapFont.advance * scale
    showsShares = room >= fixedWidth + letterWidth * 8 + shareWidth
    let entryWidth = fixedWidth + (showsShares ? shareWidth : 0)
    let columnCount = max(1, (room + Self.columnGap * scale) / (entryWidth + longest * letterWidth))
    columnWidth = (room + Self.columnGap * scale) / columnCount
    nameLength = max(1, min(longest, (columnWidth - entryWidth) / letterWidth))
    rowCount = max(1, (classes.count + columnCount - 1) / columnCount)
  }

  /// Such that the height of picture and strip together is even, as videos need it.
  func height(belowHeight: Int) -> Int {
    stripHeight + (stripHeight + belowHeight) % 2
  }

  private var stripHeight: Int {
    (rowCount * Self.rowHeight + 2 * Self.margin - 4) * scale
  }

  /// The upper left corner of the swatch of a class, from the strip's upper left corner.
  func place(of index: Int) -> (x: Int, y: Int) {
    (
      x: Self.margin * scale + index / rowCount * columnWidth,
      y: (Self.margin + index % rowCount * Self.rowHeight) * scale
    )
  }

  /// Where the shares end, from the left edge of the swatch.
  var shareEnd: Int { columnWidth - Self.columnGap * scale }
}
