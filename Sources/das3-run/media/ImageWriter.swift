// Bytes of a picture in, a PNG file out.
import CFFmpeg

/// FFmpeg's PNG encoder for one pixel format; a change of the picture's size makes a new encoder.
@safe
final class ImageWriter {
  enum Format {
    case gray
    case rgb
  }

  private let format: Format
  private var size: PixelSize?
  private var codec: Codec?

  /// The level of zlib: at higher levels photographs hardly get smaller and take much longer.
  private static let compressionLevel: Int32 = 3

  init(format: Format) {
    av_log_set_level(AV_LOG_QUIET)
    self.format = format
  }

  /// Writes height × width pixels of one or three bytes, without padding.
  func write(_ pixels: [UInt8], size: PixelSize, to path: String) throws(Failure) {
    if size != self.size || codec == nil { codec = try makeCodec(size: size, path: path) }
    self.size = size
    let rowBytes = Int32(size.width * (format == .gray ? 1 : 3))
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
    try MediaError.check(unsafe avcodec_send_frame(codec.context, picture), "cannot write \(path)")
    try MediaError.check(
      unsafe avcodec_receive_packet(codec.context, packet), "cannot write \(path)")
    defer { unsafe av_packet_unref(packet) }
    try unsafe SystemFile.write(
      UnsafeRawBufferPointer(start: packet.pointee.data, count: Int(packet.pointee.size)), to: path)
  }

  private func makeCodec(size: PixelSize, path: String) throws(Failure) -> Codec {
    codec = nil
    guard let encoder = unsafe avcodec_find_encoder(AV_CODEC_ID_PNG) else {
      throw Failure("cannot write \(path): this FFmpeg has no PNG encoder")
    }
    let codec = try unsafe Codec(encoder)
    unsafe codec.context.pointee.time_base = AVRational(num: 1, den: 25)
    unsafe codec.context.pointee.compression_level = Self.compressionLevel
    unsafe codec.context.pointee.thread_count = 1
    try codec.openEncoder(
      size: size, pixels: format == .gray ? AV_PIX_FMT_GRAY8 : AV_PIX_FMT_RGB24, path: path)
    return codec
  }
}
