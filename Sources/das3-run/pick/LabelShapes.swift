// Labels of a frame in, the shapes out that somebody can correct.

/// The polygons of a label picture, and what they leave out.
struct LabelShapes {
  let file: LabelMe
  /// Regions that were too small for a polygon and went to their neighbours.
  let speckCount: Int
  /// The share of the labelled pixels that the polygons label as the network does.
  let agreement: Double

  /// The detail that is kept, in pixels; it grows with the frame.
  ///
  /// Regions of fewer pixels than its square are specks, and borders move by a quarter of it at most.
  /// In a frame of 480 × 360 pixels that is 35 pixels, and 1.5.
  private static func detail(of size: PixelSize) -> Double {
    max(1, Double(size.pixelCount).squareRoot() / 70)
  }

  init(labels: [UInt8], size: PixelSize, classes: [String], path: String) throws(Failure) {
    let detail = Self.detail(of: size)
    var regions = Regions(labels, size: size, leastPixelCount: Int(detail * detail))
    let (numbers, firsts) = regions.numbered()
    let outlines = Outlines(numbers: numbers, size: size, tolerance: detail / 4)
    let found = firsts.map { (first: $0, outline: outlines.outline(of: $0)) }
    // What lies in a hole is smaller than what has the hole, and comes after it.
    let sorted = found.sorted {
      ($1.outline.doubledArea, $0.first) < ($0.outline.doubledArea, $1.first)
    }
    file = LabelMe(
      shapes: sorted.map { first, outline in
        let label = Int(regions.labels[first])
        return LabelMe.Shape(
          label: classes.indices.contains(label) ? classes[label] : LabelMe.ignoredName,
          outline: Polygon(
            points: outline.corners.map { Polygon.Point(x: Double($0.x), y: Double($0.y)) }))
      }, size: size)
    speckCount = regions.speckCount
    let drawn = try file.labels(of: classes, size: size, path: path)
    var (equal, all) = (0, 0)
    for (label, drawn) in zip(labels, drawn) where label != 255 {
      all += 1
      if label == drawn { equal += 1 }
    }
    agreement = Double(equal) / Double(max(1, all))
  }
}
