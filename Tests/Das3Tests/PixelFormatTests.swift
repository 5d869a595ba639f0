import CDas3
import Das3
import Das3TestSupport
import Foundation
import Testing

/// The same picture in every memory layout gives the same labels.
@Suite("Pixel formats")
struct PixelFormatTests {
  let segmenter = TestSegmenter(ArgumentTests.model)
  let content = PictureContent(width: 46, height: 30)

  /// What the RGB8 picture gives: the reference of the others.
  private func expected(_ content: PictureContent) throws -> [Float] {
    try #require(segmenter.probabilities(content.rgb8(), classCount: 5), "\(lastError())")
  }

  @Test("rows may be padded", arguments: [1, 2, 6, 18, 4096])
  func padding(_ padding: Int) throws {
    #expect(
      try segmenter.probabilities(content.rgb8(padding: padding), classCount: 5)
        == expected(content))
  }

  @Test("the order of red, green and blue and an alpha byte change nothing", arguments: [0, 5])
  func order(_ padding: Int) throws {
    let pictures = [
      content.packed(DAS3_FORMAT_BGR8, padding: padding) { [$0.blue, $0.green, $0.red] },
      content.packed(DAS3_FORMAT_RGBA8, padding: padding) { [$0.red, $0.green, $0.blue, 13] },
      content.packed(DAS3_FORMAT_BGRA8, padding: padding) { [$0.blue, $0.green, $0.red, 200] },
    ]
    for picture in pictures {
      #expect(try segmenter.probabilities(picture, classCount: 5) == expected(content))
    }
  }

  @Test("the order does matter where it is stated wrongly")
  func wrongOrder() throws {
    var picture = content.rgb8()
    picture.format = DAS3_FORMAT_BGR8
    #expect(try segmenter.probabilities(picture, classCount: 5) != expected(content))
  }

  @Test("grey is the same in every channel", arguments: [0, 3])
  func grey(_ padding: Int) throws {
    var grey = content
    grey.pixels = content.pixels.map { ($0.green, $0.green, $0.green) }
    let picture = grey.packed(DAS3_FORMAT_GRAY8, padding: padding) { [$0.green] }
    #expect(try segmenter.probabilities(picture, classCount: 5) == expected(grey))
  }

  @Test("floats that are normalised already give the same labels", arguments: [0, 3])
  func float32(_ padding: Int) throws {
    let info = ArgumentTests.model.info
    let picture = content.float32(
      scale: info.scale, mean: [info.mean.0, info.mean.1, info.mean.2],
      deviation: [info.std.0, info.std.1, info.std.2], padding: padding)
    #expect(segmenter.labels(picture) == segmenter.labels(content.rgb8()))
    let values = try #require(segmenter.probabilities(picture, classCount: 5))
    // (pixel · scale − mean) / std and pixel · (scale / std) − mean / std differ in rounding.
    #expect(try largestDifference(values, expected(content)) < 1e-4)
  }

  /// Blocks of 2 × 2 keep their chroma; what is left is rounding to 8 bits: one level of luma is
  /// 255 / 219 of a pixel value, and colours that BT.601 clips are kept out by halving contrast.
  @Test("NV12 and YUYV are near", arguments: [0, 10])
  func yuv(_ padding: Int) throws {
    var blocks = PictureContent(width: 46, height: 30, blockSize: 2)
    blocks.pixels = blocks.pixels.map {
      (64 + $0.red / 2, 64 + $0.green / 2, 64 + $0.blue / 2)
    }
    let reference = try expected(blocks)
    for picture in [blocks.nv12(padding: padding), blocks.yuyv(padding: padding)] {
      let values = try #require(segmenter.probabilities(picture, classCount: 5), "\(lastError())")
      #expect(largestDifference(values, reference) < 0.1)
      let labels = try #require(segmenter.labels(picture))
      let same = zip(labels, try #require(segmenter.labels(blocks.rgb8()))).count { $0 == $1 }
      #expect(same * 100 >= 97 * labels.count)
    }
  }

  @Test("NV12 of odd sizes has half a chroma sample more")
  func oddNV12() throws {
    let odd = PictureContent(width: 25, height: 17, blockSize: 2)
    let values = try #require(
      segmenter.probabilities(odd.nv12(padding: 3), classCount: 5), "\(lastError())")
    #expect(try largestDifference(values, expected(odd)) < 0.3)
  }

  @Test("a model that wants blue first gets blue first")
  func swappedModel() throws {
    var options = TestModel.options()
    let json =
      #"{"input": {"colour_order": "bgr", "mean": [0.4, 0.5, 0.6], "std": [0.2, 0.25, 0.3]}}"#
    let model = json.withCString { text in
      options.metadata_json = text
      return TestModel(ArgumentTests.bytes, options: options)
    }
    #expect(model.info.swaps_colours == 1)
    var turned = content
    turned.pixels = content.pixels.map { ($0.blue, $0.green, $0.red) }
    #expect(
      try TestSegmenter(model).probabilities(turned.rgb8(), classCount: 5) == expected(content))
  }

  @Test("probabilities sum to 1, agree with labels, confidence and entropy")
  func results() throws {
    let picture = content.rgb8()
    let count = picture.width * picture.height
    let values = try expected(content)
    var labels = [UInt8](repeating: 254, count: count)
    var confidence = labels
    var entropy = [Float](repeating: -1, count: count)
    let status = labels.withUnsafeMutableBufferPointer { labels in
      confidence.withUnsafeMutableBufferPointer { confidence in
        entropy.withUnsafeMutableBufferPointer { entropy in
          segmenter.run(picture) {
            $0.labels = labels.baseAddress
            $0.confidence = confidence.baseAddress
            $0.entropy = entropy.baseAddress
          }
        }
      }
    }
    #expect(status == DAS3_OK)
    for pixel in 0..<count {
      let row = (0..<5).map { values[$0 * count + pixel] }
      #expect(abs(row.reduce(0, +) - 1) < 1e-5)
      #expect(row[Int(labels[pixel])] == row.max())
      #expect(abs(Float(confidence[pixel]) - 255 * (row.max() ?? 0)) <= 0.51)
      let expected = -row.reduce(0) { $1 > 0 ? $0 + $1 * log($1) : $0 } / log(5)
      #expect(abs(entropy[pixel] - expected) < 1e-4)
    }
  }

  private func largestDifference(_ a: [Float], _ b: [Float]) -> Float {
    zip(a, b).reduce(0) { max($0, abs($1.0 - $1.1)) }
  }
}
