// Pixels in, a figure whose picture is part of the page out.
import Foundation

/// A picture with its caption; the PNG is inside the page.
struct PagePicture {
  let caption: String
  /// What the picture shows, for those who cannot see it.
  let alternative: String
  private let size: PixelSize
  private let png: [UInt8]

  /// Pictures with more pixels would make pages large.
  private static let largestWidth = 480
  private static let largestCount = 120_000

  /// The size at which a page shows pictures of `size`; they are never enlarged.
  static func shownSize(of size: PixelSize) -> PixelSize {
    let scale = min(
      1, Double(largestWidth) / Double(max(1, size.width)),
      (Double(largestCount) / Double(max(1, size.pixelCount))).squareRoot())
    return PixelSize(
      width: max(1, Int(Double(size.width) * scale)),
      height: max(1, Int(Double(size.height) * scale)))
  }

  /// Encodes a frame, which has its shown size already.
  init(_ frame: Frame, caption: String, alternative: String, _ writer: ImageWriter) throws(Failure)
  {
    self.caption = caption
    self.alternative = alternative
    size = frame.size
    png = try writer.encode(frame.pixels, size: frame.size, for: "the report")
  }

  var html: String {
    let data = Data(png).base64EncodedString()
    return """
      <figure>
      <img width="\(size.width)" height="\(size.height)" alt="\(Html.escaped(alternative))" \
      src="data:image/png;base64,\(data)">
      <figcaption>\(Html.escaped(caption))</figcaption>
      </figure>
      """
  }
}

/// How pixels of a picture fall together when it is made smaller.
struct Reduction {
  let from, to: PixelSize

  init(of size: PixelSize) {
    from = size
    to = PagePicture.shownSize(of: size)
  }

  /// The pixel in the middle of each group: for values that have no mean, such as class numbers.
  func nearest<Value>(_ values: [Value], of row: Int, _ column: Int) -> Value {
    let y = (2 * row + 1) * from.height / (2 * to.height)
    let x = (2 * column + 1) * from.width / (2 * to.width)
    return values[y * from.width + x]
  }

  /// The mean of each group.
  func mean(of row: Int, _ column: Int, value: (Int) -> Double) -> Double {
    let rows = range(row, from.height, to.height)
    let columns = range(column, from.width, to.width)
    var sum = 0.0
    for y in rows {
      for x in columns { sum += value(y * from.width + x) }
    }
    return sum / Double(rows.count * columns.count)
  }

  private func range(_ index: Int, _ from: Int, _ to: Int) -> Range<Int> {
    index * from / to..<max(index * from / to + 1, (index + 1) * from / to)
  }

  /// A picture of the shown size, whose pixels `colour` gives by row and column.
  func picture(_ colour: (Int, Int) -> Colour) -> Frame {
    var frame = Frame()
    frame.resize(to: to)
    for row in 0..<to.height {
      for column in 0..<to.width { frame[row * to.width + column] = colour(row, column) }
    }
    return frame
  }
}
