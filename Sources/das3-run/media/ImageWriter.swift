// Bytes of a picture in, a PNG file out.
import CFFmpeg

/// FFmpeg's PNG encoder for one pixel format; made anew only when the size changes.
@safe
final class ImageWriter {
  enum Format {
    case gray
    case rgb
  }

  private let format: Format
  private var size: PixelSize?
  private var codec: UnsafeMutablePointer<AVCodecContext>?
  private var picture: UnsafeMutablePointer<AVFrame>?
  private var packet: UnsafeMutablePointer<AVPacket>?

  /// zlib's level: photographs hardly get smaller above it, but much slower.
  private static let compressionLevel: Int32 = 3

  init(format: Format) {
    av_log_set_level(AV_LOG_QUIET)
    self.format = format
  }

  deinit {
    release()
  }

  /// Writes height × width pixels of one or three bytes, without padding.
  func write(_ pixels: [UInt8], size: PixelSize, to path: String) throws(Failure) {
    try prepare(size: size, path: path)
    let rowBytes = Int32(size.width * (format == .gray ? 1 : 3))
    guard pixels.count >= Int(rowBytes) * size.height, let picture = unsafe picture,
      let packet = unsafe packet
    else { throw Failure("cannot write \(path): memory ran out") }
    try MediaError.check(unsafe av_frame_make_writable(picture), "cannot write \(path)")
    unsafe pixels.withUnsafeBufferPointer { source in
      unsafe av_image_copy_plane(
        picture.pointee.data.0, picture.pointee.linesize.0, source.baseAddress, rowBytes, rowBytes,
        Int32(size.height))
    }
    try MediaError.check(unsafe avcodec_send_frame(codec, picture), "cannot write \(path)")
    try MediaError.check(unsafe avcodec_receive_packet(codec, packet), "cannot write \(path)")
    defer { unsafe av_packet_unref(packet) }
    try unsafe SystemFile.write(
      UnsafeRawBufferPointer(start: packet.pointee.data, count: Int(packet.pointee.size)), to: path)
  }

  private func prepare(size: PixelSize, path: String) throws(Failure) {
    guard size != self.size else { return }
    release()
    guard let encoder = unsafe avcodec_find_encoder(AV_CODEC_ID_PNG),
      let codec = unsafe avcodec_alloc_context3(encoder), let picture = unsafe av_frame_alloc()
    else { throw Failure("cannot write \(path): this FFmpeg has no PNG encoder") }
    unsafe self.codec = codec
    unsafe self.picture = picture
    unsafe packet = av_packet_alloc()
    let pixelFormat = format == .gray ? AV_PIX_FMT_GRAY8 : AV_PIX_FMT_RGB24
    unsafe codec.pointee.width = Int32(size.width)
    unsafe codec.pointee.height = Int32(size.height)
    unsafe codec.pointee.pix_fmt = pixelFormat
    unsafe codec.pointee.time_base = AVRational(num: 1, den: 25)
    unsafe codec.pointee.compression_level = Self.compressionLevel
    unsafe codec.pointee.thread_count = 1
    try MediaError.check(unsafe avcodec_open2(codec, encoder, nil), "cannot write \(path)")
    unsafe picture.pointee.width = Int32(size.width)
    unsafe picture.pointee.height = Int32(size.height)
    unsafe picture.pointee.format = pixelFormat.rawValue
    try MediaError.check(unsafe av_frame_get_buffer(picture, 0), "cannot write \(path)")
    self.size = size
  }

  private func release() {
    unsafe av_packet_free(&packet)
    unsafe av_frame_free(&picture)
    unsafe avcodec_free_context(&codec)
    size = nil
  }
}
