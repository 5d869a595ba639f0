// A path that cannot be used in, one sentence out: what is there, and what would do.

/// What people give as a file by mistake.
enum FileDiagnosis {
  private static let camera =
    "it is a camera; record a video first, or use the library (examples/c-segment)"

  /// Throws where there is nothing that could be read as pictures.
  static func check(_ path: String) throws(Failure) {
    let subject = "cannot read \(path)"
    if path.contains("://") {
      throw Failure("\(subject): it is an address; only files are read: download it, or record it")
    }
    if path == "-" || path.hasPrefix("/dev/stdin") || path.hasPrefix("/dev/fd/") {
      throw Failure(
        "\(subject): frames do not come through stdin, because some are read more than once; "
          + "write them to a file")
    }
    guard let kind = SystemFile.kind(path) else {
      let reason = SystemFile.reason
      if path.hasPrefix("/dev/video") { throw Failure("\(subject): \(camera)") }
      if path.contains(/[*?\[]|%[0-9]*d/), !SystemFile.isLink(path) {
        let parent = Path.parent(of: path)
        throw Failure("\(subject): patterns are not known; give the directory, \(parent)")
      }
      throw Failure("\(subject): \(reason)")
    }
    switch kind {
    case .regular, .directory, .other: break
    case .camera:
      throw Failure("\(subject): \(camera)")
    case .device: throw Failure("\(subject): it is a device; expected a file")
    case .pipe:
      throw Failure(
        "\(subject): it is a pipe, and some frames are read more than once; write them to a file")
    }
    if kind == .regular, SystemFile.status(path)?.st_size == 0 {
      throw Failure("\(subject): the file is empty")
    }
  }

  /// What a file is that FFmpeg does not take; nil where that is not known.
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

  /// What would be loaded as a network, where it is something else.
  static func checkNetwork(_ path: String) throws(Failure) {
    let subject = "cannot load \(path)"
    guard let kind = SystemFile.kind(path) else { return }
    guard kind != .directory else {
      throw Failure("\(subject): it is a directory; expected an ONNX file")
    }
    guard kind == .regular, let file = FileBytes(path) else { return }
    guard file.count > 0 else { throw Failure("\(subject): the file is empty") }
    let head = file.bytes(at: 0, count: 8)
    let isArchive = head.starts(with: [0x50, 0x4B, 3, 4])
    let isPickle = head.first == 0x80 && [2, 3, 4, 5].contains(head.dropFirst().first)
    if isArchive || isPickle {
      throw Failure(
        "\(subject): it looks like a PyTorch file; torch.onnx.export makes an ONNX file of a network"
      )
    }
    let known = reason(path).flatMap { $0.contains("HTML") || $0.contains("LFS") ? $0 : nil }
    if let known { throw Failure("\(subject): \(known)") }
  }
}
