// An image or a range of rows in, a mask of the pixels that count for nothing out.

/// What `--ignore` names: pixels that count for nothing in all frames.
enum IgnoredArea {
  /// Rows from the top, counted from 0; both are ignored, too.
  case rows(ClosedRange<Int>)
  case image(Mask)

  struct Mask {
    let size: PixelSize
    /// One a pixel, 1 = ignored.
    let values: [UInt8]
  }

  /// A channel below this is black: what a camera or JPEG makes of it.
  private static let leastLevel: UInt8 = 16

  /// Reads `argument`: rows such as 400-479, or else the name of an image.
  init(_ argument: String, reading: ReadingOptions) throws(Failure) {
    if let rows = try Self.rows(argument) {
      self = .rows(rows)
      return
    }
    guard SystemFile.exists(argument), !Folder.exists(argument) else {
      throw Failure(
        "'--ignore \(argument)': no such image; expected one, whose pixels that are not black are "
          + "ignored, or rows such as 400-479")
    }
    let reader = try FrameReader(path: argument, reading: reading, threadCount: 1)
    guard reader.kind == .image else {
      throw Failure("'--ignore \(argument)' is a video; expected one image")
    }
    var frame = Frame()
    guard try reader.read(into: &frame) else { throw Failure("\(argument): no image") }
    let values = (0..<frame.size.pixelCount).map { pixel -> UInt8 in
      let colour = frame[pixel]
      return max(colour.red, colour.green, colour.blue) >= Self.leastLevel ? 1 : 0
    }
    guard values.contains(1) else {
      throw Failure("'--ignore \(argument)': all of it is black; pixels that are not are ignored")
    }
    self = .image(Mask(size: frame.size, values: values))
  }

  /// nil where the argument does not look like rows.
  private static func rows(_ argument: String) throws(Failure) -> ClosedRange<Int>? {
    let parts = argument.split(separator: "-", omittingEmptySubsequences: false)
    guard parts.count == 2, parts.allSatisfy({ !$0.isEmpty && $0.allSatisfy(\.isASCIIDigit) })
    else { return nil }
    guard let first = Int(parts[0]), let last = Int(parts[1]), first <= last else {
      throw Failure(
        "'--ignore \(argument)': expected the upper row first, counted from 0, such as 400-479")
    }
    return first...last
  }

  /// The mask for frames of a size: rows become one column as high as the frame.
  ///
  /// Says where rows reach below the frame.
  func mask(for frame: PixelSize) throws(Failure) -> Mask {
    switch self {
    case .image(let mask): return mask
    case .rows(let rows):
      guard rows.lowerBound < frame.height else {
        throw Failure(
          "'--ignore \(rows.lowerBound)-\(rows.upperBound)': the frame has rows 0 to "
            + "\(frame.height - 1)")
      }
      if rows.upperBound >= frame.height {
        Terminal.note(
          "rows \(rows.lowerBound) to \(frame.height - 1) are ignored; the frame has no more")
      }
      return Mask(
        size: PixelSize(width: 1, height: frame.height),
        values: (0..<frame.height).map { rows.contains($0) ? 1 : 0 })
    }
  }
}

extension IgnoredArea.Mask {
  /// Calls `body` with each ignored pixel of a frame of a size, by the nearest one here.
  func forEach(in frame: PixelSize, _ body: (Int) -> Void) {
    let columns = (0..<frame.width).map { (2 * $0 + 1) * size.width / (2 * frame.width) }
    for y in 0..<frame.height {
      let row = (2 * y + 1) * size.height / (2 * frame.height) * size.width
      for (x, column) in columns.enumerated() where values[row + column] != 0 {
        body(y * frame.width + x)
      }
    }
  }
}

/// The masks of an area for frames of any size, of which the last is kept.
struct IgnoredMasks {
  /// nil = every pixel counts.
  let area: IgnoredArea?
  private var last: (size: PixelSize, mask: IgnoredArea.Mask)?

  init(_ area: IgnoredArea?) {
    self.area = area
  }

  /// Makes all that is ignored in the class numbers of a frame 255.
  mutating func apply(to labels: inout [UInt8], of frame: PixelSize) throws(Failure) {
    guard let area else { return }
    let mask = last?.size == frame ? last?.mask : nil
    let made = if let mask { mask } else { try area.mask(for: frame) }
    last = (frame, made)
    made.forEach(in: frame) { labels[$0] = 255 }
  }
}

extension Character {
  fileprivate var isASCIIDigit: Bool { isASCII && isNumber }
}

extension IgnoredArea {
  /// Such as "25.0 % of the pixels, 12.5 % found because they never change"; nil for nothing.
  static func part(_ share: Double, found: Double) -> String? {
    guard share > 0 else { return nil }
    let why =
      found == 0
      ? "given" : "\(found == share ? "" : fixed(found * 100, 1) + " % ")found: they never change"
    return "\(fixed(share * 100, 1)) % of the pixels, \(why)"
  }
}
