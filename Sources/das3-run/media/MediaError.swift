// FFmpeg's status numbers in, our one-line failures out.
import CFFmpeg

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
