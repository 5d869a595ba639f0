// A PNG of class numbers in, one byte per pixel out: gray values or palette indices, not colours.
import Foundation

/// Truth as files of a directory, found by the stem of the frame's name.
final class TruthReader {
  private let directory: String
  /// File names by stem.
  private let fileNames: [String: String]
  private(set) var labels: [UInt8] = []

  init(directory: String) throws(Failure) {
    guard Folder.exists(directory) else {
      throw Failure("\(directory): no such directory of truth PNGs")
    }
    self.directory = directory
    let names = try Folder.files(in: directory, endings: ["png"])
    fileNames = Dictionary(names.map { (Folder.stem(of: $0), $0) }) { first, _ in first }
  }

  /// Reads the truth of a frame into `labels`, height × width bytes.
  func read(for frame: Frame) throws(Failure) {
    guard let fileName = fileNames[frame.stem] else {
      throw Failure("\(frame.name) has no truth: expected \(frame.stem).png in \(directory)")
    }
    let path = (directory as NSString).appendingPathComponent(fileName)
    try checkHeader(path)
    let decoder = try PictureDecoder(path: path, threadCount: 1)
    let size = try decoder.withNextPicture { picture throws(Failure) in
      guard picture.copyIndices(into: &labels) else {
        throw Failure("truth \(path) was not decoded as class numbers")
      }
      return picture.size
    }
    guard size == frame.size else {
      let found = size.map(\.description) ?? "nothing"
      throw Failure("truth \(path) is \(found), expected \(frame.size) as its frame")
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
      throw Failure("truth \(path) is not a PNG")
    }
    let bits = header[24]
    let isGray = header[25] == 0
    let isPalette = header[25] == 3
    guard isPalette || (isGray && bits == 8) else {
      let kinds: [UInt8: String] = [0: "gray", 2: "RGB", 4: "gray with alpha", 6: "RGB with alpha"]
      let kind = kinds[header[25]] ?? "unknown"
      throw Failure(
        "truth \(path) holds \(bits)-bit \(kind), expected 8-bit gray or palette indices")
    }
  }
}
