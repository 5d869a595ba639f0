// A decoder or encoder of libavcodec in, its context and room for one picture out.
import CFFmpeg

/// Owns an `AVCodecContext` and the `AVFrame` that goes through it.
@safe
final class Codec {
  let context: UnsafeMutablePointer<AVCodecContext>
  let picture: UnsafeMutablePointer<AVFrame>

  init(_ codec: UnsafePointer<AVCodec>) throws(Failure) {
    guard let context = unsafe avcodec_alloc_context3(codec), let picture = unsafe av_frame_alloc()
    else { throw Failure("memory ran out") }
    unsafe self.context = context
    unsafe self.picture = picture
  }

  deinit {
    var (context, picture) = unsafe (Optional(context), Optional(picture))
    unsafe avcodec_free_context(&context)
    unsafe av_frame_free(&picture)
  }

  /// Opens an encoder whose other options are set, and makes room for a picture.
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
  /// Such as "Invalid data found when processing input".
  static func text(_ status: Int32) -> String {
    var bytes = [CChar](repeating: 0, count: 128)
    unsafe av_strerror(status, &bytes, bytes.count)
    let text = bytes.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
    return String(decoding: text, as: UTF8.self)
  }

  /// Throws for a negative status; `subject` says what failed.
  static func check(_ status: Int32, _ subject: String) throws(Failure) {
    guard status < 0 else { return }
    throw Failure("\(subject): \(text(status))")
  }
}
