// Bytes of a picture in, a PNG file out.
import CFFmpeg

/// FFmpeg's PNG encoder for one pixel format; a change of the picture's size makes a new encoder.
@safe
final class ImageWriter {
  enum Format {
    case gray
    case rgb
    /// Numbers of colours, of which there are at most 256; further numbers are black.
    case indexed([Colour])
  }

  /// How much time a smaller file may take.
  enum Effort {
    case quick
    case thorough
  }

  private let format: Format
  private let effort: Effort
  private var size: PixelSize?
  private var codec: Codec?

  /// The level of zlib: at higher levels photographs hardly get smaller and take much longer.
  private static let quickLevel: Int32 = 3
  private static let thoroughLevel: Int32 = 9

  init(format: Format, effort: Effort = .quick) {
    av_log_set_level(AV_LOG_QUIET)
    self.format = format
    self.effort = effort
  }

  /// Writes height × width pixels of one or three bytes, without padding.
  func write(_ pixels: [UInt8], size: PixelSize, to path: String) throws(Failure) {
    try SystemFile.write(encode(pixels, size: size, for: path), to: path)
  }

  /// The bytes of a PNG of height × width pixels; a message says that `path` cannot be written.
  func encode(_ pixels: [UInt8], size: PixelSize, for path: String) throws(Failure) -> [UInt8] {
    if size != self.size || codec == nil { codec = try makeCodec(size: size, path: path) }
    self.size = size
    let rowBytes = Int32(size.width * channelCount)
    guard pixels.count >= Int(rowBytes) * size.height, let codec else {
      throw Failure("cannot write \(path): memory ran out")
    }
    let (picture, packet) = unsafe (codec.picture, codec.packet)
    try MediaError.check(unsafe av_frame_make_writable(picture), "cannot write \(path)")
    unsafe pixels.withUnsafeBufferPointer { source in
      unsafe av_image_copy_plane(
        picture.pointee.data.0, picture.pointee.linesize.0, source.baseAddress, rowBytes, rowBytes,
        Int32(size.height))
    }
    if case .indexed(let colours) = format { unsafe fillPalette(of: picture, with: colours) }
    try MediaError.check(unsafe avcodec_send_frame(codec.context, picture), "cannot write \(path)")
    try MediaError.check(
      unsafe avcodec_receive_packet(codec.context, packet), "cannot write \(path)")
    defer { unsafe av_packet_unref(packet) }
    return unsafe Array(
      UnsafeBufferPointer(start: packet.pointee.data, count: Int(packet.pointee.size)))
  }

  private func makeCodec(size: PixelSize, path: String) throws(Failure) -> Codec {
    codec = nil
    guard let encoder = unsafe avcodec_find_encoder(AV_CODEC_ID_PNG) else {
      throw Failure("cannot write \(path): this FFmpeg has no PNG encoder")
    }
    let codec = try unsafe Codec(encoder)
    unsafe codec.context.pointee.time_base = AVRational(num: 1, den: 25)
    let isThorough = effort == .thorough
    unsafe codec.context.pointee.compression_level =
      isThorough ? Self.thoroughLevel : Self.quickLevel
    if isThorough {
      // Where the encoder does not know this, the picture is larger and otherwise the same.
      _ = unsafe av_opt_set(codec.context.pointee.priv_data, "pred", "mixed", 0)
    }
    unsafe codec.context.pointee.thread_count = 1
    try codec.openEncoder(size: size, pixels: pixelFormat, path: path)
    return codec
  }

  private var channelCount: Int {
    if case .rgb = format { 3 } else { 1 }
  }

  private var pixelFormat: AVPixelFormat {
    switch format {
    case .gray: AV_PIX_FMT_GRAY8
    case .rgb: AV_PIX_FMT_RGB24
    case .indexed: AV_PIX_FMT_PAL8
    }
  }

  /// Writes the colours behind the pixels, where FFmpeg has them: 256 numbers, alpha first.
  private func fillPalette(
    of picture: UnsafeMutablePointer<AVFrame>, with colours: [Colour]
  ) {
    guard let plane = unsafe picture.pointee.data.1 else { return }
    let palette = unsafe UnsafeMutableRawPointer(plane).assumingMemoryBound(to: UInt32.self)
    for index in 0..<256 {
      let colour =
        index < colours.count ? colours[index] : Colour(red: 0, green: 0, blue: 0)
      unsafe palette[index] = 0xFF00_0000 | colour.number
    }
  }
}
