// A PNG of one number per pixel in, its bytes out: gray values or palette indices, not colours.
import Foundation

/// Truth or predictions as files of a directory, found by the stem of the frame's name.
final class GrayReader {
  private let directory: String
  /// Such as "truth".
  private let contents: String
  /// File names by stem.
  private let fileNames: [String: String]
  private(set) var values: [UInt8] = []

  init(directory: String, contents: String) throws(Failure) {
    guard Folder.exists(directory) else {
      throw Failure("\(directory): no such directory of \(contents) PNGs")
    }
    self.directory = directory
    self.contents = contents
    let names = try Folder.files(in: directory, endings: ["png"])
    fileNames = Dictionary(names.map { (Path.stem(of: $0), $0) }) { first, _ in first }
  }

  /// Throws where a frame has no file.
  func check(for stem: String) throws(Failure) {
    guard fileNames[stem] != nil else {
      throw Failure("frame \(stem) has no \(contents): expected \(stem).png in \(directory)")
    }
  }

  /// Reads the file of a frame into `values`, height × width bytes.
  func read(for stem: String, size: PixelSize) throws(Failure) {
    try check(for: stem)
    let path = Path.join(directory, fileNames[stem] ?? "")
    try checkHeader(path)
    let decoder = try PictureDecoder(path: path, threadCount: 1)
    let found = try decoder.withNextPicture { picture throws(Failure) in
      guard picture.copyIndices(into: &values) else {
        throw Failure("\(contents) \(path) was not decoded as numbers")
      }
      return picture.size
    }
    guard found == size else {
      let found = found.map(\.description) ?? "nothing"
      throw Failure("\(contents) \(path) is \(found), expected \(size) as its frame")
    }
  }

  /// The header says what the decoder would hide: that levels of gray were stretched, or colours
  /// made from indices.
  private func checkHeader(_ path: String) throws(Failure) {
    let signature: [UInt8] = [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]
    let headerByteCount = 26
    guard let file = FileHandle(forReadingAtPath: path),
      let header = try? file.read(upToCount: headerByteCount)
    else { throw Failure("cannot read \(path)") }
    guard header.count == headerByteCount, header.starts(with: signature) else {
      throw Failure("\(contents) \(path) is not a PNG")
    }
    let bits = header[24]
    let isGray = header[25] == 0
    let isPalette = header[25] == 3
    guard isPalette || (isGray && bits == 8) else {
      let kinds: [UInt8: String] = [0: "gray", 2: "RGB", 4: "gray with alpha", 6: "RGB with alpha"]
      let kind = kinds[header[25]] ?? "unknown"
      throw Failure(
        "\(contents) \(path) holds \(bits)-bit \(kind), expected 8-bit gray or palette indices")
    }
  }
}
