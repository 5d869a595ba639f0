// "yuyv:640x480@30" in, how raw pictures lie out.
import ArgumentParser
import CFFmpeg

/// How the pixels of raw video lie, or what a camera is asked for.
struct RawLayout {
  /// FFmpeg's name of the pixel format, or a camera's codec.
  let format: String
  let size: PixelSize
  /// Frames per second, such as "30" or "30000/1001"; nil = FFmpeg's 25, or the camera's own.
  let rate: String?

  /// Names of das3.h, as FFmpeg has them.
  private static let names = [
    "rgb8": "rgb24", "bgr8": "bgr24", "rgba8": "rgba", "bgra8": "bgra", "gray8": "gray",
    "yuyv": "yuyv422",
  ]
  /// What cameras compress with.
  private static let cameraCodecs: Set<String> = ["mjpeg", "h264"]

  /// Reads the value of a command line option.
  init(argument: String) throws {
    let parts = argument.split(separator: ":", omittingEmptySubsequences: false)
    guard parts.count == 2 else { throw Self.unknown }
    let words = parts[1].split(separator: "@", omittingEmptySubsequences: false)
    guard let side = words.first, words.count <= 2 else { throw Self.unknown }
    size = try PixelSize(argument: String(side))
    rate = words.count == 2 ? String(words[1]) : nil
    if let rate {
      var value = AVRational()
      guard unsafe av_parse_video_rate(&value, rate) >= 0 else {
        throw ValidationError("'\(rate)' is no rate; expected frames per second, such as 30")
      }
    }
    let name = parts[0].lowercased()
    format = Self.names[name] ?? name
    let isKnown = unsafe av_get_pix_fmt(format) != AV_PIX_FMT_NONE
    guard isKnown || isCodec else {
      let known = (Self.names.keys.sorted() + ["nv12"]).joined(separator: ", ")
      throw ValidationError(
        "'\(name)' is no format of pixels; expected \(known), or a name of FFmpeg such as uyvy422")
    }
  }

  /// Whether only a camera can be asked for it.
  var isCodec: Bool { Self.cameraCodecs.contains(format) }

  private static let unknown = ValidationError(
    "expected FORMAT:WIDTHxHEIGHT or FORMAT:WIDTHxHEIGHT@RATE, such as yuyv:640x480@30")
}
