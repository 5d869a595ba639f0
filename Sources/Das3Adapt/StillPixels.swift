import Das3Graph
import Das3Runtime

/// Frames of a moving camera → the pixels that move with it: a bonnet, bars, a logo.
///
/// A pixel is *still* whose levels hardly differ over all frames. Still pixels that touch each other
/// are a patch. It counts only where the picture changes at its border: around what is laid over a
/// picture the frames show this and that, while around the part of a white sky, a fog or a night that
/// all frames have in common most of them show more of it. Compression smears what changes over the
/// edge of a patch, so that its border is also looked for farther outwards.
///
/// Nothing is found where the camera seems to stand: where most of the picture is still, or where
/// edges outside the patches stay where they are.
///
/// The frames are gone through twice: `add` for each of them, `endPass`, and the same again.
///
/// Memory: three images. Cost: a few operations a value and frame.
package struct StillPixels {
  /// How far a pixel of a patch may change, and how far those around it may be from it to be more of
  /// the same; in levels of an 8-bit pixel.
  private struct Tolerance {
    let range, similarity: Float
  }

  /// The first is that of a still pixel, the others are of what compression has touched beside it.
  private static let tolerances = [
    Tolerance(range: 2, similarity: 4), Tolerance(range: 6, similarity: 8),
    Tolerance(range: 12, similarity: 16),
  ]
  /// Fewer frames may be alike by chance.
  private static let fewestFrames = 8
  /// The part of the picture above which the camera stands, or all frames are alike.
  private static let mostShare = 0.5
  /// Between neighbours of a patch; where they differ more, one patch ends and another begins.
  private static let mostStep: Float = 16
  /// How often pixels around a patch may show the same as it.
  private static let mostSimilar = 0.4
  /// From a patch to the pixels around it, over what resizing has blurred.
  private static let distance = 3
  /// What makes an edge, and how far it may change where it stays.
  private static let edge: Float = 16, edgeChange: Float = 8
  /// The part of the edges that may stay from one frame to the next.
  private static let mostStayingEdges = 0.5

  private let height, width: Int
  /// Of each channel: a difference between inputs of the network times this is one between levels.
  private let factors: [Float]
  private var lowest, highest: [Float]
  private var last: [Float] = []
  private var still: [Bool] = []
  private var patches: [Patch] = []
  private var isFirstPass = true
  private var frameCount = 0, edgeCount = 0, stayingEdgeCount = 0
  /// What is to be ignored, after both passes; nil = nothing.
  package private(set) var found: IgnoredPixels?

  private struct Patch {
    let pixels: [Int]
    /// Pixels around it that change, each with one of its own next to it.
    let border: [(outside: Int, inside: Int)]
    /// Those that do not: they may be of another patch.
    let stillBorder: [Int]
    let similarity: Float
    var similarCount = 0

    /// Whether the picture changes at its border, wherever that can change.
    func ends(frameCount: Int) -> Bool {
      Double(similarCount) < mostSimilar * Double(frameCount * border.count)
    }
  }

  /// - Parameters:
  ///   - height: of the images.
  ///   - width: of the images.
  ///   - channelCount: of the images.
  ///   - metadata: by whose preprocessing they are made.
  package init(height: Int, width: Int, channelCount: Int, _ metadata: Metadata) {
    (self.height, self.width) = (height, width)
    factors = (0..<channelCount).map { abs(metadata.deviation[$0] / metadata.scale) }
    lowest = [Float](repeating: .infinity, count: height * width * channelCount)
    highest = [Float](repeating: -.infinity, count: height * width * channelCount)
  }

  /// Looks at an image: height × width × channels, as the network sees it.
  package mutating func add(_ image: Span<Float>) {
    if isFirstPass {
      frameCount += 1
      for index in image.indices {
        lowest[index] = min(lowest[index], image[index])
        highest[index] = max(highest[index], image[index])
      }
    } else {
      compareBorders(image)
      if last.isEmpty { last = lowest } else { countEdges(image) }
      for index in image.indices { last[index] = image[index] }
    }
  }

  /// Ends a pass over the frames.
  ///
  /// - Returns: whether the first one has left something for the second, or that has found something.
  package mutating func endPass() -> Bool {
    guard isFirstPass else {
      if Double(stayingEdgeCount) <= Self.mostStayingEdges * Double(edgeCount) { found = marked }
      return found != nil
    }
    isFirstPass = false
    let map = pixels(within: Self.tolerances[0].range)
    guard frameCount >= Self.fewestFrames,
      Double(map.count { $0 }) <= Self.mostShare * Double(map.count)
    else { return false }
    still = opened(map)
    if still.contains(true) { patches = Self.tolerances.flatMap(makePatches) }
    return !patches.isEmpty
  }

  private var marked: IgnoredPixels? {
    var marks = [UInt8](repeating: 0, count: height * width)
    func mark(where isFound: (Patch) -> Bool) {
      // A patch within narrow bounds is wanted before the wider one around it.
      for patch in patches where marks[patch.pixels[0]] == 0 && isFound(patch) {
        for pixel in patch.pixels { marks[pixel] = 1 }
      }
    }
    mark { $0.ends(frameCount: frameCount) }
    // What lies within a patch, such as the letters of a logo, is of it.
    mark { $0.border.isEmpty && $0.stillBorder.contains { marks[$0] != 0 } }
    let result = IgnoredPixels(height: height, width: width, marks: marks)
    return result.count > 0 ? result : nil
  }
}

// MARK: Patches

extension StillPixels {
  /// Whether each pixel changes by at most so many levels.
  private func pixels(within most: Float) -> [Bool] {
    (0..<height * width).map { pixel in
      factors.indices.allSatisfy { channel in
        let index = pixel * factors.count + channel
        return (highest[index] - lowest[index]) * factors[channel] <= most
      }
    }
  }

  /// What is left where a square of 3 × 3 fits in: no lone pixels.
  private func opened(_ map: [Bool]) -> [Bool] {
    var result = [Bool](repeating: false, count: map.count)
    for y in 1..<max(1, height - 1) {
      for x in 1..<max(1, width - 1) {
        let pixel = y * width + x
        guard map[pixel], neighbours(of: pixel).allSatisfy({ map[$0] }) else { continue }
        result[pixel] = true
        for neighbour in neighbours(of: pixel) { result[neighbour] = true }
      }
    }
    return result
  }

  private func neighbours(of pixel: Int) -> [Int] {
    let (row, column) = pixel.quotientAndRemainder(dividingBy: width)
    var result: [Int] = []
    for y in max(0, row - 1)...min(height - 1, row + 1) {
      for x in max(0, column - 1)...min(width - 1, column + 1) where (y, x) != (row, column) {
        result.append(y * width + x)
      }
    }
    return result
  }

  /// Still pixels, and what is within the tolerance beside them.
  private func makePatches(_ tolerance: Tolerance) -> [Patch] {
    let map = pixels(within: tolerance.range)
    let beside = opened(map)
    var groups: [[Int]] = []
    // The last patch that a pixel was reached from.
    var reached = [Int](repeating: -1, count: still.count)
    for start in still.indices where still[start] && reached[start] < 0 {
      var pixels = [start]
      reached[start] = groups.count
      var next = 0
      while next < pixels.count {
        for pixel in neighbours(of: pixels[next])
        where beside[pixel] && reached[pixel] < 0
          && isSimilar(pixel, to: pixels[next], within: Self.mostStep)
        {
          reached[pixel] = groups.count
          pixels.append(pixel)
        }
        next += 1
      }
      groups.append(pixels)
    }
    return groups.enumerated().map { number, pixels in
      for pixel in pixels { reached[pixel] = number }
      var ring = pixels.map { (outside: $0, inside: $0) }
      for _ in 0..<Self.distance {
        var outer: [(outside: Int, inside: Int)] = []
        for (pixel, inside) in ring {
          for neighbour in neighbours(of: pixel) where reached[neighbour] != number {
            reached[neighbour] = number
            outer.append((neighbour, inside))
          }
        }
        ring = outer
      }
      return Patch(
        pixels: pixels, border: ring.filter { !map[$0.outside] },
        stillBorder: ring.map(\.outside).filter { map[$0] }, similarity: tolerance.similarity)
    }
  }

  /// Whether two pixels are alike in the middle of what each is over the frames.
  private func isSimilar(_ one: Int, to other: Int, within most: Float) -> Bool {
    factors.indices.allSatisfy { channel in
      let (i, j) = (one * factors.count + channel, other * factors.count + channel)
      return abs(middle(i) - middle(j)) * factors[channel] <= most
    }
  }

  private func middle(_ index: Int) -> Float { (lowest[index] + highest[index]) / 2 }
}

// MARK: The second pass

extension StillPixels {
  private mutating func compareBorders(_ image: Span<Float>) {
    for number in patches.indices {
      for (outside, inside) in patches[number].border {
        let isSimilar = factors.indices.allSatisfy { channel in
          let value = image[outside * factors.count + channel]
          let difference = abs(value - middle(inside * factors.count + channel))
          return difference * factors[channel] <= patches[number].similarity
        }
        if isSimilar { patches[number].similarCount += 1 }
      }
    }
  }

  /// Counts edges outside the patches, and those that were the same in the frame before.
  private mutating func countEdges(_ image: Span<Float>) {
    func differs(_ pixel: Int, _ other: Span<Float>, at otherPixel: Int, by least: Float) -> Bool {
      factors.indices.contains { channel in
        let difference =
          image[pixel * factors.count + channel] - other[otherPixel * factors.count + channel]
        return abs(difference) * factors[channel] > least
      }
    }
    for y in 0..<max(0, height - 1) {
      for x in 0..<max(0, width - 1) {
        let pixel = y * width + x
        guard !still[pixel],
          differs(pixel, image, at: pixel + 1, by: Self.edge)
            || differs(pixel, image, at: pixel + width, by: Self.edge)
        else { continue }
        edgeCount += 1
        if !differs(pixel, last.span, at: pixel, by: Self.edgeChange) { stayingEdgeCount += 1 }
      }
    }
  }
}

extension Trainer {
  /// What never changes over some frames although the camera moves, at the size of the scores.
  ///
  /// - Parameter read: lends each of them; it is called twice, with the same frames.
  /// - Returns: nil where there is nothing, or too few frames to say so.
  /// - Throws: what `read` throws.
  func stillPixels(
    _ read: ((Frame) throws(Das3Error) -> Void) throws(Das3Error) -> Void
  ) throws(Das3Error) -> IgnoredPixels? {
    var search = StillPixels(
      height: height, width: width, channelCount: model.channelCount, model.metadata)
    for _ in 0..<2 {
      try read { frame in
        load(frame)
        withImage { search.add($0) }
      }
      guard search.endPass() else { return nil }
    }
    return search.found?.fitted(height: scoreShape[2], width: scoreShape[3])
  }
}
