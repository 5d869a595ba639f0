// Class numbers of pixels in, the connected regions that are worth an outline out.

/// A label picture in which every region is large enough to be corrected by hand.
struct Regions {
  let size: PixelSize
  /// The class of each pixel; 255 = none.
  private(set) var labels: [UInt8]
  /// How many specks went to a class beside them.
  private(set) var speckCount = 0
  private var isSeen: [Bool]
  /// The pixels of the region that was flooded last.
  private var pixels: [Int] = []
  /// How many sides of these pixels have each class on their other side.
  private var borders = [Int](repeating: 0, count: 256)

  /// Gives regions of fewer than `leastPixelCount` pixels to the class that shares the longest border
  /// with them, the smallest region first.
  init(_ labels: [UInt8], size: PixelSize, leastPixelCount: Int) {
    self.size = size
    self.labels = labels
    isSeen = [Bool](repeating: false, count: labels.count)
    var specks: [(count: Int, seed: Int)] = []
    for seed in labels.indices where !isSeen[seed] {
      flood(from: seed)
      if pixels.count < leastPixelCount, labels[seed] != 255 { specks.append((pixels.count, seed)) }
    }
    for index in isSeen.indices { isSeen[index] = false }
    for speck in specks.sorted(by: <) {
      flood(from: speck.seed, atMost: leastPixelCount)
      for pixel in pixels { isSeen[pixel] = false }
      // Others may have joined it meanwhile.
      guard pixels.count < leastPixelCount, let other = neighbour else { continue }
      for pixel in pixels { self.labels[pixel] = other }
      speckCount += 1
    }
  }

  /// The class with the longest border; of equal ones the first.
  private var neighbour: UInt8? {
    var best: UInt8?
    for label in UInt8(0)..<255 where borders[Int(label)] > best.map({ borders[Int($0)] }) ?? 0 {
      best = label
    }
    return best
  }

  /// Finds the pixels that are connected with `seed` over their sides, and marks them as seen; stops
  /// when there are `most` of them.
  private mutating func flood(from seed: Int, atMost most: Int = .max) {
    let label = labels[seed]
    for index in borders.indices { borders[index] = 0 }
    pixels.removeAll(keepingCapacity: true)
    pixels.append(seed)
    isSeen[seed] = true
    var next = 0
    while next < pixels.count, pixels.count < most {
      let pixel = pixels[next]
      next += 1
      let x = pixel % size.width
      if x > 0 { visit(pixel - 1, label) }
      if x + 1 < size.width { visit(pixel + 1, label) }
      if pixel >= size.width { visit(pixel - size.width, label) }
      if pixel + size.width < labels.count { visit(pixel + size.width, label) }
    }
  }

  private mutating func visit(_ pixel: Int, _ label: UInt8) {
    if labels[pixel] != label {
      borders[Int(labels[pixel])] += 1
    } else if !isSeen[pixel] {
      isSeen[pixel] = true
      pixels.append(pixel)
    }
  }

  /// The number of the region of each pixel, counted from 0, and the first pixel of each region.
  mutating func numbered() -> (numbers: [Int32], firsts: [Int]) {
    var numbers = [Int32](repeating: 0, count: labels.count)
    var firsts: [Int] = []
    for index in isSeen.indices { isSeen[index] = false }
    for seed in labels.indices where !isSeen[seed] {
      flood(from: seed)
      for pixel in pixels { numbers[pixel] = Int32(truncatingIfNeeded: firsts.count) }
      firsts.append(seed)
    }
    return (numbers, firsts)
  }
}
