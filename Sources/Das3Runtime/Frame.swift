internal import CKernels
import Das3Graph

/// A picture of a camera, lent for one call: its size, pixel format and first byte.
@safe package struct Frame {
  /// The raw values are those of `das3_format`.
  package enum Format: Int32, Sendable {
    case rgb8 = 1
    case bgr8 = 2
    case rgba8 = 3
    case bgra8 = 4
    case gray8 = 5
    case nv12 = 6
    case yuyv = 7
    case float32 = 8

    /// Bytes of one row of `width` pixels without padding.
    func rowByteCount(_ width: Int) -> Int {
      switch self {
      case .rgb8, .bgr8: 3 * width
      case .rgba8, .bgra8, .float32: 4 * width
      case .gray8: width
      // A row of chroma holds one pair for two pixels, so an odd width takes one byte more.
      case .nv12: (width + 1) / 2 * 2
      case .yuyv: 2 * width
      }
    }

    /// The number of rows of all planes together; float32 has one plane for each channel.
    func rowCount(_ height: Int, channelCount: Int) -> Int {
      switch self {
      case .rgb8, .bgr8, .rgba8, .bgra8, .gray8, .yuyv: height
      case .nv12: height + (height + 1) / 2
      case .float32: channelCount * height
      }
    }
  }

  /// Larger frames are refused.
  package static let maximumSize = 1 << 15

  package let height: Int
  package let width: Int
  package let format: Format
  package let data: UnsafeRawPointer
  package let strideBytes: Int

  /// Checks the description of the picture; reads no pixels.
  ///
  /// - Parameters:
  ///   - data: first byte of the first row.
  ///   - height: in pixels.
  ///   - width: in pixels.
  ///   - strideBytes: from one row to the next, 0 = rows without padding.
  ///   - format: a number of `das3_format`.
  /// - Throws: `.argument` naming the value that is out of range.
  package init(
    data: UnsafeRawPointer, height: Int, width: Int, strideBytes: Int64, format: Int32
  ) throws(Das3Error) {
    guard let format = Format(rawValue: format) else {
      throw .argument("image format is \(format); expected a das3_format from 1 to 8")
    }
    guard (1...Self.maximumSize).contains(width), (1...Self.maximumSize).contains(height) else {
      throw .argument(
        "image is \(width)x\(height); expected sizes from 1 to \(Self.maximumSize)")
    }
    guard format != .yuyv || width % 2 == 0 else {
      throw .argument("a YUYV image is \(width) pixels wide; expected an even number")
    }
    let row = format.rowByteCount(width)
    guard strideBytes == 0 || (Int64(row)...Int64(Int32.max)).contains(strideBytes) else {
      throw .argument("stride_bytes is \(strideBytes); a row of \(width) pixels needs \(row)")
    }
    if format == .float32, strideBytes % 4 != 0 || UInt(bitPattern: data) % 4 != 0 {
      throw .argument("a float32 image is not aligned to 4 bytes")
    }
    unsafe self.data = data
    self.height = height
    self.width = width
    self.format = format
    self.strideBytes = strideBytes == 0 ? row : Int(strideBytes)
  }

  /// Refuses planes of float32 that hold an infinity or a NaN.
  ///
  /// - Cost: one pass over the pixels; nothing for other formats.
  /// - Parameter channelCount: of the network.
  /// - Throws: `.argument` naming the row.
  package func checkFinite(channelCount: Int) throws(Das3Error) {
    guard format == .float32 else { return }
    for row in 0..<format.rowCount(height, channelCount: channelCount) {
      let start = unsafe (data + row * strideBytes).assumingMemoryBound(to: Float.self)
      guard unsafe d3k_all_finite(start, Int64(width)) != 0 else {
        throw .argument(
          "row \(row % height) of plane \(row / height) of a float32 image holds an infinity or NaN"
        )
      }
    }
  }

  /// The frame and preprocessing as the kernel takes them: (pixel · scale − mean) / deviation
  /// as pixel · factor + offset.
  func kernelFrame(_ model: SegmentationModel) -> d3k_frame {
    let (scale, mean, deviation) = (
      model.metadata.scale, model.metadata.mean, model.metadata.deviation
    )
    var frame = unsafe kernelFrame(channelCount: model.channelCount)
    unsafe frame.swaps_colours = model.metadata.swapsColours ? 1 : 0
    unsafe frame.factor = (scale / deviation[0], scale / deviation[1], scale / deviation[2])
    unsafe frame.offset = (
      -mean[0] / deviation[0], -mean[1] / deviation[1], -mean[2] / deviation[2]
    )
    return unsafe frame
  }

  /// The frame as it is, without preprocessing.
  func kernelFrame(channelCount: Int) -> d3k_frame {
    unsafe d3k_frame(
      data: data, width: Int32(width), height: Int32(height), stride_bytes: Int64(strideBytes),
      format: format.rawValue, swaps_colours: 0, channels: Int32(channelCount),
      factor: (1, 1, 1), offset: (0, 0, 0))
  }
}

/// A frame's own copy of a picture.
package struct StoredFrame: Sendable {
  private let bytes: FrameBytes
  private let height, width, strideBytes: Int
  private let format: Frame.Format

  /// Copies the rows for a network of so many input channels, without what lies between them.
  ///
  /// - Parameters:
  ///   - frame: lent for the call.
  ///   - channelCount: of the network.
  ///   - pool: whose memory is used where it fits; nil = memory of its own.
  package init(_ frame: Frame, channelCount: Int, in pool: FramePool? = nil) {
    (height, width, format) = (frame.height, frame.width, frame.format)
    strideBytes = format.rowByteCount(width)
    bytes = FrameBytes(Self.byteCount(of: frame, channelCount: channelCount), of: pool)
    for row in 0..<format.rowCount(height, channelCount: channelCount) {
      unsafe (bytes.start + row * strideBytes).copyMemory(
        from: frame.data + row * frame.strideBytes, byteCount: strideBytes)
    }
  }

  /// Bytes that a copy of the picture takes.
  package static func byteCount(of frame: Frame, channelCount: Int) -> Int {
    frame.format.rowCount(frame.height, channelCount: channelCount)
      * frame.format.rowByteCount(frame.width)
  }

  /// Lends the picture; valid within `body`.
  package func withFrame(_ body: (Frame) throws(Das3Error) -> Void) throws(Das3Error) {
    // Nothing else keeps the bytes while the body has their address.
    defer { withExtendedLifetime(bytes) {} }
    try unsafe body(
      Frame(
        data: UnsafeRawPointer(bytes.start), height: height, width: width,
        strideBytes: Int64(strideBytes), format: format.rawValue))
  }

  /// Bytes of the copy.
  package var byteCount: Int { bytes.count }
}
