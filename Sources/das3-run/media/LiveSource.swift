// An --input in, whether it is a camera, an address or a pipe out.
import CFFmpeg
import Foundation

/// A stream that is there only once: a camera of Video4Linux, an address, or bytes of a pipe.
enum LiveSource {
  case camera
  case address
  case pipe

  /// Schemes of addresses that FFmpeg reads and that may carry video.
  private static let schemes: Set<String> = [
    "rtsp", "rtsps", "rtp", "srt", "udp", "tcp", "http", "https",
  ]

  /// Nil where it is a file, a directory, or nothing.
  init?(_ path: String) {
    if let end = path.range(of: "://"), Self.schemes.contains(path[..<end.lowerBound].lowercased())
    {
      self = .address
    } else if path.hasPrefix("/dev/video") || SystemFile.kind(path) == .camera {
      self = .camera
    } else if path == "-" || SystemFile.kind(path) == .pipe {
      self = .pipe
    } else {
      return nil
    }
  }

  /// What names results that are called after the input.
  func stem(of path: String) -> String {
    switch self {
    case .camera: Path.name(of: path)
    case .address:
      Path.stem(of: Path.name(of: String(path.prefix { $0 != "?" && $0 != "#" })))
    case .pipe: path == "-" ? "stdin" : Path.name(of: path)
    }
  }

  /// Protocols that may be opened on the way; never files.
  static let protocols = "rtsp,rtsps,rtp,srtp,srt,udp,tcp,tls,http,https,httpproxy,crypto"

  /// Microseconds after which a silent address has failed.
  static let patience = 10_000_000

  /// The format of Video4Linux; libavdevice is loaded for it alone, because it needs so much else.
  static func cameraFormat() throws(Failure) -> UnsafePointer<AVInputFormat> {
    let names = ["libavdevice.so.\(LIBAVFORMAT_VERSION_MAJOR)", "libavdevice.so"]
    for name in names {
      guard let library = unsafe dlopen(name, RTLD_NOW) else { continue }
      guard let address = unsafe dlsym(library, "avdevice_register_all") else { continue }
      let register = unsafe unsafeBitCast(address, to: (@convention(c) () -> Void).self)
      register()
      if let format = unsafe av_find_input_format("v4l2") { return unsafe format }
    }
    throw Failure(
      "cameras need libavdevice, which is not installed: apt install libavdevice\(LIBAVFORMAT_VERSION_MAJOR)"
    )
  }
}
