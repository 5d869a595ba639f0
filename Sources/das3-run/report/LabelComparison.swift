// Two models of one graph and some frames in, how their labels differ out.

/// The labels of frames before and after an adaptation.
struct LabelComparison {
  let classes: [ModelClass]
  /// Over all compared frames.
  private(set) var before: ClassShares
  private(set) var after: ClassShares
  private(set) var comparedCount = 0
  private(set) var frames: [ShownFrame] = []
  private var changedCount = 0
  private var pixelCount = 0

  struct ShownFrame {
    let name: String
    let pictures: [PagePicture]
  }

  /// More frames would take longer than they are worth.
  private static let mostCompared = 24
  private static let mostShown = 6

  /// Compares some of `frameCount` frames, which are evenly spread; a few of them become pictures.
  ///
  /// `read` gives a frame and, where it is known, its truth; nil for a frame that is left out. It is
  /// called with growing numbers.
  init(
    before: ModelHandle, after: ModelHandle, labeller: Labeller, frameCount: Int,
    read: (Int) throws(Failure) -> (frame: Frame, truth: [UInt8]?)?
  ) throws(Failure) {
    classes = labeller.classes
    self.before = ClassShares(names: classes.map(\.name))
    self.after = self.before
    let count = min(frameCount, Self.mostCompared)
    let shown = Set(Self.places(Self.mostShown, among: count))
    var progress = ProgressBar(title: "report", count: count)
    for (position, index) in Self.places(count, among: frameCount).enumerated() {
      guard let (frame, truth) = try read(index) else { continue }
      try labeller.setModel(before)
      let old = try labeller.label(frame)
      try labeller.setModel(after)
      let new = try labeller.label(frame)
      comparedCount += 1
      self.before.add(old)
      self.after.add(new)
      changedCount += zip(old, new).count { $0 != $1 }
      pixelCount += new.count
      if shown.contains(position) {
        let drawing = Drawing(
          frame: frame, before: old, after: new, truth: truth, entropy: labeller.entropy,
          classes: classes)
        frames.append(ShownFrame(name: frame.name, pictures: try drawing.pictures()))
      }
      progress.update(finished: comparedCount)
    }
    progress.clear()
  }

  /// The share of pixels with another label, 0 to 1.
  var changedShare: Double {
    pixelCount > 0 ? Double(changedCount) / Double(pixelCount) : 0
  }

  /// At most `wanted` numbers below `count`, in the middles of parts of equal size.
  private static func places(_ wanted: Int, among count: Int) -> [Int] {
    let wanted = min(wanted, count)
    return (0..<wanted).map { (2 * $0 + 1) * count / (2 * wanted) }
  }
}

/// One frame with what two models say of it.
private struct Drawing {
  let frame: Frame
  let before, after: [UInt8]
  let truth: [UInt8]?
  /// Of the model after the adaptation, 0 to 1.
  let entropy: [Float]
  let classes: [ModelClass]

  private static let changed = Colour(red: 255, green: 140, blue: 0)
  /// From certain to all classes alike.
  private static let scale: [Colour] = [
    Colour(red: 13, green: 8, blue: 60), Colour(red: 126, green: 3, blue: 168),
    Colour(red: 204, green: 71, blue: 120), Colour(red: 248, green: 149, blue: 64),
    Colour(red: 240, green: 249, blue: 33),
  ]
  /// Fewer levels make smaller files.
  private static let levelCount = 32

  func pictures() throws(Failure) -> [PagePicture] {
    let writer = ImageWriter(format: .rgb, effort: .thorough)
    let reduction = Reduction(of: frame.size)
    let name = frame.name
    var pictures: [PagePicture] = []
    func add(_ picture: Frame, _ caption: String, _ alternative: String) throws(Failure) {
      pictures.append(
        try PagePicture(picture, caption: caption, alternative: alternative, writer))
    }
    let photograph = reduction.picture { row, column in
      func channel(_ offset: Int) -> UInt8 {
        UInt8(reduction.mean(of: row, column) { Double(frame.pixels[3 * $0 + offset]) }.rounded())
      }
      return Colour(red: channel(0), green: channel(1), blue: channel(2))
    }
    try add(photograph, "frame", "The frame \(name).")
    try add(labels(before, reduction), "labels before", "Labels before: \(mostly(before)).")
    try add(labels(after, reduction), "labels after", "Labels after: \(mostly(after)).")
    let changedCount = zip(before, after).count { $0 != $1 }
    let changedShare = Double(changedCount) / Double(max(1, after.count))
    let share = "\(fixed(changedShare * 100, 1)) % of the pixels"
    try add(
      changes(photograph, reduction), "labels changed (orange): \(share)",
      "Where labels changed: \(share).")
    if !entropy.isEmpty {
      let mean = entropy.reduce(0) { $0 + Double($1) } / Double(entropy.count)
      try add(
        uncertainty(reduction), "entropy after (dark = certain): mean \(fixed(mean, 3)) of 1",
        "Entropy after; its mean is \(fixed(mean, 3)) of at most 1.")
    }
    if let truth { try add(labels(truth, reduction), "truth", "Truth: \(mostly(truth)).") }
    return pictures
  }

  private func labels(_ labels: [UInt8], _ reduction: Reduction) -> Frame {
    reduction.picture { row, column in
      let label = Int(reduction.nearest(labels, of: row, column))
      return label < classes.count ? classes[label].colour : .background
    }
  }

  /// Changed pixels over the frame in dark grey.
  private func changes(_ photograph: Frame, _ reduction: Reduction) -> Frame {
    reduction.picture { row, column in
      let old = reduction.nearest(before, of: row, column)
      guard reduction.nearest(after, of: row, column) == old else { return Self.changed }
      let colour = photograph[row * reduction.to.width + column]
      let brightness = 2 * Int(colour.red) + 5 * Int(colour.green) + Int(colour.blue)
      let level = UInt8(brightness / 16 / 8 * 8)
      return Colour(red: level, green: level, blue: level)
    }
  }

  private func uncertainty(_ reduction: Reduction) -> Frame {
    reduction.picture { row, column in
      let mean = reduction.mean(of: row, column) { Double(entropy[$0]) }
      let most = Double(Self.levelCount - 1)
      let level = (max(0, min(1, mean.isFinite ? mean : 0)) * most).rounded() / most
      let place = level * Double(Self.scale.count - 1)
      let index = min(Int(place), Self.scale.count - 2)
      let (low, high, part) = (Self.scale[index], Self.scale[index + 1], place - Double(index))
      func between(_ one: UInt8, _ two: UInt8) -> UInt8 {
        UInt8((Double(one) + (Double(two) - Double(one)) * part).rounded())
      }
      return Colour(
        red: between(low.red, high.red), green: between(low.green, high.green),
        blue: between(low.blue, high.blue))
    }
  }

  /// The largest classes and their shares, in words.
  private func mostly(_ labels: [UInt8]) -> String {
    var shares = ClassShares(names: classes.map(\.name))
    shares.add(labels)
    let largest = zip(shares.names, shares.shares).filter { $0.1 > 0 }.sorted { $0.1 > $1.1 }
    let words = largest.prefix(3).map { "\($0) \(fixed($1 * 100, 0)) %" }
    return words.isEmpty ? "no class" : words.joined(separator: ", ")
  }
}
