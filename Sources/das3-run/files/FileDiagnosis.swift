// A path that cannot be used in, one sentence out: what is there, and what would do.

/// Finds out what somebody has given by mistake in place of a picture, a video or a network.
enum FileDiagnosis {
  private static let once = "which is there only once; expected a file or a directory"

  /// Throws where `path` is nothing that could be read as pictures.
  static func check(_ path: String) throws(Failure) {
    if let problem = problem(path) { throw Failure("cannot read \(path): \(problem)") }
  }

  private static func problem(_ path: String) -> String? {
    if path.contains("://") {
      return LiveSource(path) != nil
        ? "it is an address, \(once)"
        : "it is an address that is no stream; give the path of a file"
    }
    if path == "-" { return "it is stdin, \(once)" }
    switch SystemFile.kind(path) {
    case .regular: return SystemFile.status(path)?.st_size == 0 ? "the file is empty" : nil
    case .directory, .other: return nil
    case .camera: return "it is a camera, \(once)"
    case .device: return "it is a device; expected a file"
    case .pipe: return "it is a pipe, \(once)"
    case nil:
      return path.hasPrefix("/dev/video") ? "it is a camera, \(once)" : SystemFile.reason
    }
  }

  /// Says what a file is that FFmpeg does not read; nil where that is not known.
  static func reason(_ path: String) -> String? {
    guard let file = FileBytes(path) else { return nil }
    let head = file.bytes(at: 0, count: 512)
    let text = String(decoding: head, as: UTF8.self).lowercased()
    let start = text.drop { $0.isWhitespace || $0 == "\u{FEFF}" }
    if ["<!doctype html", "<html", "<head"].contains(where: start.hasPrefix) {
      return "it is an HTML page, as a download that failed leaves it"
    }
    if text.hasPrefix("version https://git-lfs") {
      return "it is a Git LFS pointer; 'git lfs pull' fetches the file itself"
    }
    if text.hasPrefix("%pdf") { return "it is a PDF; save its pictures as PNG" }
    if Path.ending(of: path).lowercased() == "onnx" {
      return "it is a network; it comes with '--model', or before the frames"
    }
    guard head.count >= 12 else { return nil }
    let brand = String(decoding: head[8..<12], as: UTF8.self)
    switch String(decoding: head[4..<8], as: UTF8.self) {
    case "ftyp"
    where ["heic", "heix", "heim", "heis", "hevc", "hevx", "mif1", "msf1"].contains(brand):
      return "it is HEIC, which this FFmpeg does not decode; save it as JPEG or PNG"
    case "ftyp", "mdat", "wide", "free", "skip":
      guard brand != "avif", brand != "avis",
        !file.boxes(in: 0..<file.count).contains(where: { $0.name == "moov" })
      else { return nil }
      return "it has no index (moov), as a recording that was cut off; a copy that is whole, or a "
        + "tool that repairs videos, would do"
    default: break
    }
    if String(decoding: head[0..<4], as: UTF8.self) == "RIFF", brand == "WEBP",
      head.count > 20, head[12..<16].elementsEqual("VP8X".utf8), head[20] & 2 != 0
    {
      return
        "it is an animated WebP, which this FFmpeg does not decode; save it as a video or as GIF"
    }
    return nil
  }

  /// Throws where `path` is something else than a network, such as a directory or a PyTorch file.
  static func checkNetwork(_ path: String) throws(Failure) {
    if let problem = networkProblem(path) { throw Failure("cannot load \(path): \(problem)") }
  }

  private static func networkProblem(_ path: String) -> String? {
    guard let kind = SystemFile.kind(path) else { return nil }
    guard kind != .directory else { return "it is a directory; expected an ONNX file" }
    guard kind == .regular, let file = FileBytes(path) else { return nil }
    guard file.count > 0 else { return "the file is empty" }
    let head = file.bytes(at: 0, count: 8)
    let isArchive = head.starts(with: [0x50, 0x4B, 3, 4])
    let isPickle = head.first == 0x80 && [2, 3, 4, 5].contains(head.dropFirst().first)
    if isArchive || isPickle {
      return "it looks like a PyTorch file; torch.onnx.export makes an ONNX file of a network"
    }
    return reason(path).flatMap { $0.contains("HTML") || $0.contains("LFS") ? $0 : nil }
  }
}
