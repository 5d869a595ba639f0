// A decoder or encoder of libavcodec in, its context, one picture and one packet out.
import CFFmpeg

/// Owns an `AVCodecContext`, the `AVFrame` that goes through it, and the `AVPacket` that an encoder
/// gives.
@safe
final class Codec {
  let context: UnsafeMutablePointer<AVCodecContext>
  let picture: UnsafeMutablePointer<AVFrame>
  let packet: UnsafeMutablePointer<AVPacket>

  init(_ codec: UnsafePointer<AVCodec>) throws(Failure) {
    guard let context = unsafe avcodec_alloc_context3(codec),
      let picture = unsafe av_frame_alloc(), let packet = unsafe av_packet_alloc()
    else { throw Failure("memory ran out") }
    unsafe self.context = context
    unsafe self.picture = picture
    unsafe self.packet = packet
  }

  deinit {
    var (context, picture, packet) = unsafe (Optional(context), Optional(picture), Optional(packet))
    unsafe avcodec_free_context(&context)
    unsafe av_frame_free(&picture)
    unsafe av_packet_free(&packet)
  }

  /// Opens an encoder, whose other options are set before, and allocates the picture.
  func openEncoder(size: PixelSize, pixels: AVPixelFormat, path: String) throws(Failure) {
    unsafe context.pointee.width = Int32(size.width)
    unsafe context.pointee.height = Int32(size.height)
    unsafe context.pointee.pix_fmt = pixels
    try MediaError.check(unsafe avcodec_open2(context, nil, nil), "cannot write \(path)")
    unsafe picture.pointee.width = context.pointee.width
    unsafe picture.pointee.height = context.pointee.height
    unsafe picture.pointee.format = pixels.rawValue
    try MediaError.check(unsafe av_frame_get_buffer(picture, 0), "cannot write \(path)")
  }
}

/// FFmpeg's status numbers as messages.
enum MediaError {
  /// FFmpeg's own message, such as "Invalid data found when processing input".
  static func text(_ status: Int32) -> String {
    var bytes = [CChar](repeating: 0, count: 128)
    unsafe av_strerror(status, &bytes, bytes.count)
    let text = bytes.prefix { $0 != 0 }.map { UInt8(truncatingIfNeeded: $0) }
    return String(decoding: text, as: UTF8.self)
  }

  /// Throws for a negative status; `subject` says what failed.
  static func check(_ status: Int32, _ subject: String) throws(Failure) {
    guard status < 0 else { return }
    throw Failure("\(subject): \(text(status))")
  }
}
