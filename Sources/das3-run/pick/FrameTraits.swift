// A frame and what the network says of it in, what is kept of it for the choice out.

/// A few hundred numbers about a frame, so that frames need not stay in memory.
struct FrameTraits {
  /// Its index in the reader.
  let index: Int
  let name: String
  /// Time since the first picture of a video.
  let seconds: Double
  /// The mean of the pixels that count, 0 to 1.
  let entropy: Double
  /// The standard deviation of 8 × 8 gray cells, in levels of an 8-bit pixel, by which the guard of an
  /// adaptation knows frames that show nothing: black, fog, a covered lens.
  let contrast: Double
  /// What is where: the square roots of the shares that each class has in each of 3 × 3 cells, of all
  /// pixels that count; its length is 1.
  ///
  /// Shares are sums of probabilities. A class that is hardly ever the most probable one has a part in
  /// them, and square roots give rare classes weight.
  let layout: [SIMD8<Float>]

  /// Cells on each side: two scenes with equal shares differ by where the classes are.
  private static let side = 3
  private static let contrastSide = 8

  /// nil where no pixel counts.
  ///
  /// - Parameters:
  ///   - frame: the picture.
  ///   - index: where the reader has it.
  ///   - timeBase: seconds in one unit of its time.
  ///   - result: labels, 255 = does not count, entropies and probabilities.
  init?(_ frame: Frame, index: Int, timeBase: Double, _ result: Segmentation) {
    let size = frame.size
    let counted = result.labels.indices.filter { result.labels[$0] != 255 }
    guard !counted.isEmpty else { return nil }
    let cells = counted.map { Self.cell($0, of: size, side: Self.side) }
    var shares: [Double] = []
    for start in stride(from: 0, to: result.probabilities.count, by: size.pixelCount) {
      var sums = [Double](repeating: 0, count: Self.side * Self.side)
      for (pixel, cell) in zip(counted, cells) {
        sums[cell] += Double(result.probabilities[start + pixel])
      }
      shares += sums
    }
    let all = shares.reduce(0, +)
    // A network whose scores are not finite has no labels either.
    guard all.isFinite, all > 0 else { return nil }
    var layout = [SIMD8<Float>](repeating: .zero, count: (shares.count + 7) / 8)
    for (place, share) in shares.enumerated() {
      layout[place / 8][place % 8] = Float((share / all).squareRoot())
    }
    self.layout = layout
    self.index = index
    name = frame.name
    seconds = Double(frame.time) * timeBase
    entropy =
      counted.reduce(0) { $0 + Double(result.entropy[$1]) } / Double(counted.count)
    var grays = [Mean](repeating: Mean(), count: Self.contrastSide * Self.contrastSide)
    for pixel in counted {
      grays[Self.cell(pixel, of: size, side: Self.contrastSide)].add(frame[pixel])
    }
    contrast = Mean.deviation(of: grays)
  }

  /// Which of `side` × `side` cells a pixel is in.
  private static func cell(_ pixel: Int, of size: PixelSize, side: Int) -> Int {
    pixel / size.width * side / size.height * side + pixel % size.width * side / size.width
  }

  /// How alike two frames are, to 1 = the same shares in all cells: the coefficient of Bhattacharyya.
  func likeness(to other: FrameTraits) -> Double {
    var sum = SIMD8<Float>.zero
    for place in layout.indices { sum += layout[place] * other.layout[place] }
    return min(1, Double(sum.sum()))
  }

  /// How much two frames differ, from 0 to 1: the distance of Hellinger.
  func distance(to other: FrameTraits) -> Double { (1 - likeness(to: other)).squareRoot() }
}

/// The mean gray level of some pixels.
private struct Mean {
  private var sum = 0
  private var count = 0

  mutating func add(_ colour: Colour) {
    sum += Int(colour.red) + Int(colour.green) + Int(colour.blue)
    count += 3
  }

  /// The standard deviation of the means of those that have pixels.
  static func deviation(of cells: [Mean]) -> Double {
    let levels = cells.filter { $0.count > 0 }.map { Double($0.sum) / Double($0.count) }
    let mean = levels.reduce(0, +) / Double(levels.count)
    let squares = levels.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
    return (squares / Double(levels.count)).squareRoot()
  }
}
