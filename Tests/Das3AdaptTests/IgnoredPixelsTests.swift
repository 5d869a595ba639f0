import Das3Adapt
import Das3Graph
import Das3TestSupport
import Testing

/// Masks, and what is found by itself because it never changes.
@Suite("Ignored pixels")
struct IgnoredPixelsTests {
  @Test("at a smaller size no ignored pixel gets lost; at a larger one each is like the nearest")
  func fitted() {
    var marks = [UInt8](repeating: 0, count: 9 * 12)
    marks[4 * 12 + 7] = 200
    let mask = IgnoredPixels(height: 9, width: 12, marks: marks)
    #expect(mask.count == 1 && mask.fitted(height: 9, width: 12) == mask)
    #expect(mask.fitted(height: 3, width: 4).marks == [0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0])
    // It lies in both halves.
    #expect(mask.fitted(height: 2, width: 1).marks == [1, 1])
    let larger = mask.fitted(height: 18, width: 24)
    #expect(larger.count == 4 && larger.marks[9 * 24 + 15] == 1)
    #expect(larger.fitted(height: 9, width: 12) == mask)
  }

  @Test("mirror images, unions and digests")
  func operations() {
    let mask = IgnoredPixels(height: 2, width: 3, marks: [1, 0, 0, 0, 9, 0])
    #expect(mask.mirrored.marks == [0, 0, 1, 0, 1, 0] && mask.mirrored.mirrored == mask)
    #expect(mask.union(mask.mirrored).marks == [1, 0, 1, 0, 1, 0])
    #expect(mask.share == 1.0 / 3 && !mask.isEverything)
    let other = IgnoredPixels(height: 3, width: 2, marks: [1, 0, 0, 0, 1, 0])
    #expect(mask.digest != mask.mirrored.digest && mask.digest != other.digest)
    #expect(IgnoredPixels(height: 1, width: 1, marks: [1]).isEverything)
  }

  @Test("a covered lens shows nothing, whatever stands on an overlay that is ignored")
  func thumbnails() {
    let image = (0..<32 * 48).map { pixel -> Float in
      pixel < 10 * 48 && pixel % 16 < 8 ? 1 : 0
    }
    let marks = [UInt8](repeating: 1, count: 5) + [UInt8](repeating: 0, count: 11)
    let mask = IgnoredPixels(height: 16, width: 1, marks: marks)
    func contrast(_ ignored: IgnoredPixels?) -> Double {
      Thumbnail(
        image.span, height: 32, width: 48, channelCount: 1, Metadata(), ignored: ignored
      ).contrast
    }
    #expect(contrast(nil) > 10 && contrast(mask) == 0)
  }

  // MARK: What never changes

  private static let height = 40, width = 64

  /// Levels of the frames of a drive: blocks that move, in front of nothing.
  private static func drive(
    _ count: Int = 16, brightness: Float = 1, moves: Bool = true,
    _ paint: (_ y: Int, _ x: Int, _ frame: Int) -> Float?
  ) -> [[Float]] {
    (0..<count).map { frame in
      (0..<height * width).flatMap { pixel -> [Float] in
        let (y, x) = pixel.quotientAndRemainder(dividingBy: width)
        if let level = paint(y, x, frame) { return [level, level, level] }
        var random = SplitMix64(seed: UInt64((y / 4) * 1000 + (x + (moves ? 7 * frame : 0)) / 5))
        return random.bytes(3).map { Float($0) * brightness }
      }
    }
  }

  private static func search(_ frames: [[Float]]) -> IgnoredPixels? {
    var metadata = Metadata()
    (metadata.mean, metadata.deviation) = ([0.4, 0.5, 0.6], [0.2, 0.25, 0.3])
    var search = StillPixels(height: height, width: width, channelCount: 3, metadata)
    for _ in 0..<2 {
      for frame in frames {
        let image = frame.enumerated().map {
          ($1 / 255 - metadata.mean[$0 % 3]) / metadata.deviation[$0 % 3]
        }
        search.add(image.span)
      }
      guard search.endPass() else { return nil }
    }
    return search.found
  }

  private static func rows(_ range: Range<Int>) -> [UInt8] {
    (0..<height * width).map { range.contains($0 / width) ? 1 : 0 }
  }

  @Test("a bonnet, bars and logos are found, with the noise of a video, black and white, too")
  func overlays() throws {
    #expect(Self.search(Self.drive { _, _, _ in nil }) == nil)
    let bonnet = Self.drive { y, _, frame in y >= 32 ? Float(60 + frame % 2) : nil }
    let isFound = Self.search(bonnet)?.marks == Self.rows(32..<40)
    #expect(isFound)
    let bars = Self.drive { y, _, _ in y < 5 || y >= 35 ? 0 : nil }
    #expect(Self.search(bars)?.share == 0.25)
    for level: Float in [0, 128, 255] {
      let logo = Self.drive { y, x, _ in (4..<12).contains(y) && (50..<60).contains(x) ? level : nil
      }
      let found = try #require(Self.search(logo))
      #expect(found.count == 80 && found.marks[5 * Self.width + 51] == 1)
    }
  }

  @Test("what compression has smeared at the edge of a logo belongs to it")
  func compressed() throws {
    let logo = Self.drive { y, x, frame in
      guard (4..<24).contains(y), (30..<56).contains(x) else { return nil }
      let isInside = (9..<19).contains(y) && (35..<51).contains(x)
      return isInside ? 90 : Float(86 + (frame * 5 + x) % 9)
    }
    #expect(try #require(Self.search(logo)).count == 20 * 26)
  }

  @Test("a white sky is no overlay, nor is night, although parts of them never change")
  func skies() {
    // Where it ends differs from frame to frame.
    func sky(_ level: Float, _ brightness: Float) -> [[Float]] {
      Self.drive(brightness: brightness) { y, x, frame in
        y < (frame == 3 ? 9 : 13) + (x + 7 * frame) / 5 % 3 ? level : nil
      }
    }
    for frames in [sky(255, 0.7), sky(0, 0.2), sky(200, 0.7)] {
      #expect(Self.search(frames) == nil)
    }
    let night = Self.drive(brightness: 0.012) { _, _, _ in nil }
    #expect(Self.search(night) == nil)
  }

  @Test("a bar before a white sky does not make that an overlay; letters in a logo are of it")
  func neighbours() throws {
    let sky = Self.drive { y, x, frame in
      let isSky = x < 40 && y < (frame == 3 ? 12 : 17) + (x + 7 * frame) / 5 % 3
      return y < 8 ? 0 : isSky ? 255 : nil
    }
    let isBarAlone = Self.search(sky)?.marks == Self.rows(0..<8)
    #expect(isBarAlone)
    let logo = Self.drive { y, x, _ in
      guard (4..<30).contains(y), (20..<50).contains(x) else { return nil }
      return (12..<20).contains(y) && (30..<40).contains(x) ? 200 : 40
    }
    #expect(Self.search(logo)?.count == 26 * 30)
  }

  @Test("lone pixels, few frames, and a camera that stands tell nothing")
  func nothing() {
    let lines = Self.drive { y, x, _ in y == 20 || (x == 7 && y < 9) ? 50 : nil }
    #expect(Self.search(lines) == nil)
    #expect(Self.search(Self.drive(7) { y, _, _ in y >= 32 ? 60 : nil }) == nil)
    #expect(Self.search(Self.drive(moves: false) { _, _, _ in nil }) == nil)
    // What passes before it covers more than half of the picture, one part after the other.
    let traffic = Self.drive(moves: false) { y, x, frame in
      y >= 16 && (x + 5 * frame) % 64 < 12 ? Float(frame * 31 % 200) : nil
    }
    #expect(Self.search(traffic) == nil)
  }
}
