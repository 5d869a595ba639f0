// How a camera was held in, pixels as they are shown out.

/// Which way up a stored picture is shown: transposed or not, then mirrored in either direction.
struct Orientation: Equatable {
  let isTransposed: Bool
  /// Whether left and right, or top and bottom, of the shown picture change places.
  let flipsX: Bool
  let flipsY: Bool

  static let upright = Orientation(isTransposed: false, flipsX: false, flipsY: false)
}

extension Orientation {
  /// Reads the number that EXIF has for it, 1 to 8; nil for other numbers.
  init?(exif: Int) {
    guard (1...8).contains(exif) else { return nil }
    self.init(
      isTransposed: exif > 4, flipsX: [2, 3, 6, 7].contains(exif),
      flipsY: [3, 4, 7, 8].contains(exif))
  }

  /// Reads a display matrix: x' = a x + c y, y' = b x + d y.
  ///
  /// Other angles are rounded to the nearest quarter turn.
  init(a: Int32, b: Int32, c: Int32, d: Int32) {
    let straight = Int64(a).magnitude + Int64(d).magnitude
    let isTransposed = Int64(b).magnitude + Int64(c).magnitude > straight
    self.init(
      isTransposed: isTransposed, flipsX: (isTransposed ? c : a) < 0,
      flipsY: (isTransposed ? b : d) < 0)
  }

  /// The size in which a picture is shown that is stored in `size`.
  func shownSize(of size: PixelSize) -> PixelSize {
    isTransposed ? PixelSize(width: size.height, height: size.width) : size
  }

  /// Moves height × width pixels to where they are shown; elements after them stay as they are.
  func turned<Element>(_ stored: [Element], size: PixelSize, elementsPerPixel count: Int)
    -> [Element]
  {
    guard self != .upright else { return stored }
    let target = shownSize(of: size)
    var shown = stored
    for y in 0..<target.height {
      let across = flipsY ? target.height - 1 - y : y
      for x in 0..<target.width {
        let along = flipsX ? target.width - 1 - x : x
        let source = isTransposed ? along * size.width + across : across * size.width + along
        let place = y * target.width + x
        for element in 0..<count {
          shown[place * count + element] = stored[source * count + element]
        }
      }
    }
    return shown
  }
}
