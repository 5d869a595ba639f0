import CDas3
import Das3TestSupport

/// One picture in the memory layouts that cameras give.
struct TestPicture {
  var bytes: [UInt8]
  var width: Int
  var height: Int
  var strideBytes: Int
  var format: das3_format

  func withImage<Result>(_ body: (das3_image) -> Result) -> Result {
    bytes.withUnsafeBytes { data in
      body(
        das3_image(
          data: data.baseAddress, width: Int32(width), height: Int32(height),
          stride_bytes: Int64(strideBytes), format: Int32(format.rawValue)))
    }
  }
}

/// Red, green and blue of every pixel, row by row: what the layouts are made from.
struct PictureContent {
  typealias Pixel = (red: UInt8, green: UInt8, blue: UInt8)

  var width: Int
  var height: Int
  var pixels: [Pixel]

  /// Squares of `blockSize` pixels have one colour.
  init(width: Int, height: Int, blockSize: Int = 1, seed: UInt64 = 7) {
    self.width = width
    self.height = height
    var random = SplitMix64(seed: seed)
    let columns = (width + blockSize - 1) / blockSize
    let rows = (height + blockSize - 1) / blockSize
    let colours = random.bytes(3 * rows * columns)
    pixels = (0..<height * width).map { index in
      let block = index / width / blockSize * columns + index % width / blockSize
      return (colours[3 * block], colours[3 * block + 1], colours[3 * block + 2])
    }
  }

  /// Each pixel as `bytes`, rows padded by `padding` bytes of noise.
  func packed(_ format: das3_format, padding: Int = 0, _ bytes: (Pixel) -> [UInt8]) -> TestPicture {
    var data: [UInt8] = []
    for row in 0..<height {
      for pixel in pixels[row * width..<(row + 1) * width] { data += bytes(pixel) }
      data += [UInt8](repeating: 99, count: padding)
    }
    return TestPicture(
      bytes: data, width: width, height: height,
      strideBytes: padding == 0 ? 0 : data.count / height, format: format)
  }

  func rgb8(padding: Int = 0) -> TestPicture {
    packed(DAS3_FORMAT_RGB8, padding: padding) { [$0.red, $0.green, $0.blue] }
  }

  /// (pixel · scale − mean) / std in planes.
  func float32(scale: Float, mean: [Float], deviation: [Float], padding: Int = 0) -> TestPicture {
    var values: [Float] = []
    for channel in 0..<3 {
      for (index, pixel) in pixels.enumerated() {
        let byte = [pixel.red, pixel.green, pixel.blue][channel]
        values.append((Float(byte) * scale - mean[channel]) / deviation[channel])
        if (index + 1) % width == 0 { values += [Float](repeating: .nan, count: padding) }
      }
    }
    return TestPicture(
      bytes: OnnxTensor.bytes(values), width: width, height: height,
      strideBytes: 4 * (width + padding), format: DAS3_FORMAT_FLOAT32)
  }

  // MARK: BT.601, video range

  private func luma(_ p: Pixel) -> Double {
    16 + 219 / 255 * (0.299 * Double(p.red) + 0.587 * Double(p.green) + 0.114 * Double(p.blue))
  }

  private func chroma(_ p: Pixel) -> [UInt8] {
    let y = (luma(p) - 16) / 219 * 255
    return [(Double(p.blue) - y) / 1.772, (Double(p.red) - y) / 1.402].map {
      UInt8((128 + 224 / 255 * $0).rounded())
    }
  }

  /// Chroma from the upper left pixel of each 2 × 2.
  func nv12(padding: Int = 0) -> TestPicture {
    var data: [UInt8] = []
    let noise = [UInt8](repeating: 99, count: padding)
    for row in 0..<height {
      data += pixels[row * width..<(row + 1) * width].map { UInt8(luma($0).rounded()) }
      if width % 2 == 1 { data.append(99) }
      data += noise
    }
    let stride = data.count / height
    for row in everySecond(height) {
      for column in everySecond(width) { data += chroma(pixels[row * width + column]) }
      data += noise
    }
    return TestPicture(
      bytes: data, width: width, height: height, strideBytes: stride, format: DAS3_FORMAT_NV12)
  }

  func yuyv(padding: Int = 0) -> TestPicture {
    var data: [UInt8] = []
    for row in 0..<height {
      for column in everySecond(width) {
        let (left, right) = (pixels[row * width + column], pixels[row * width + column + 1])
        let uv = chroma(left)
        data += [UInt8(luma(left).rounded()), uv[0], UInt8(luma(right).rounded()), uv[1]]
      }
      data += [UInt8](repeating: 99, count: padding)
    }
    return TestPicture(
      bytes: data, width: width, height: height, strideBytes: data.count / height,
      format: DAS3_FORMAT_YUYV)
  }

  private func everySecond(_ count: Int) -> StrideTo<Int> { stride(from: 0, to: count, by: 2) }
}
