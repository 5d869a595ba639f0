// The bytes of a picture in, which way up it is out: EXIF in JPEG, PNG, WebP and TIFF, and the
// turns of AVIF. FFmpeg reads them in some of these and not in others.

enum Exif {
  /// Of a picture that says nothing, or nothing that is known: upright.
  static func orientation(ofFile path: String) -> Orientation {
    guard let file = FileBytes(path) else { return .upright }
    let head = file.bytes(at: 0, count: 16)
    guard head.count == 16 else { return .upright }
    if head.starts(with: [0xFF, 0xD8]) { return jpeg(file) }
    if head.starts(with: [0x89, 0x50, 0x4E, 0x47]) {
      return chunk("eXIf", of: file, from: 8, isRiff: false)
    }
    if head.starts(with: "RIFF".utf8), head[8..<12].elementsEqual("WEBP".utf8) {
      return chunk("EXIF", of: file, from: 12, isRiff: true)
    }
    if head[4..<8].elementsEqual("ftyp".utf8) { return avif(file) }
    return tiff(file, at: 0)
  }

  /// Segments up to the first scan.
  private static func jpeg(_ file: FileBytes) -> Orientation {
    let (scan, end, application): (UInt8, UInt8, UInt8) = (0xDA, 0xD9, 0xE1)
    var offset = 2
    while true {
      let head = file.bytes(at: offset, count: 10)
      guard head.count == 10, head[0] == 0xFF else { return .upright }
      if head[1] == 0xFF {
        offset += 1
        continue
      }
      guard head[1] != scan, head[1] != end else { return .upright }
      if head[1] == application, head[4..<8].elementsEqual("Exif".utf8) {
        return tiff(file, at: offset + 10)
      }
      let length = head[2..<4].bigEndianNumber
      guard length >= 2 else { return .upright }
      offset += 2 + length
    }
  }

  /// Chunks of a PNG (length, name, data, checksum), or of a RIFF file (name, length, data, even).
  private static func chunk(
    _ name: String, of file: FileBytes, from start: Int, isRiff: Bool
  ) -> Orientation {
    var offset = start
    while true {
      let head = file.bytes(at: offset, count: 8)
      guard head.count == 8 else { return .upright }
      let length = isRiff ? head[4..<8].reversed().bigEndianNumber : head[0..<4].bigEndianNumber
      if (isRiff ? head[0..<4] : head[4..<8]).elementsEqual(name.utf8) {
        // Some writers keep what stands before it in a JPEG.
        let hasPrefix = file.bytes(at: offset + 8, count: 4).elementsEqual("Exif".utf8)
        return tiff(file, at: offset + 8 + (hasPrefix ? 6 : 0))
      }
      offset += 8 + length + (isRiff ? length & 1 : 4)
    }
  }

  /// The first directory of tags.
  private static func tiff(_ file: FileBytes, at start: Int) -> Orientation {
    let head = file.bytes(at: start, count: 8)
    guard head.count == 8 else { return .upright }
    let isLittle = head[0..<2].elementsEqual("II".utf8)
    guard isLittle || head[0..<2].elementsEqual("MM".utf8) else { return .upright }
    func number(_ bytes: ArraySlice<UInt8>) -> Int {
      isLittle ? bytes.reversed().bigEndianNumber : bytes.bigEndianNumber
    }
    guard number(head[2..<4]) == 42 else { return .upright }
    let directory = start + number(head[4..<8])
    let entryLength = 12
    let count = number(file.bytes(at: directory, count: 2)[...])
    let entries = file.bytes(at: directory + 2, count: count * entryLength)
    let (tag, long) = (0x0112, 4)
    for offset in stride(from: 0, to: entries.count - entryLength + 1, by: entryLength) {
      guard number(entries[offset..<offset + 2]) == tag else { continue }
      let width = number(entries[offset + 2..<offset + 4]) == long ? 4 : 2
      return Orientation(exif: number(entries[offset + 8..<offset + 8 + width])) ?? .upright
    }
    return .upright
  }

  /// Properties of the picture: `irot` turns it, then `imir` mirrors it.
  ///
  /// EXIF does not count there.
  private static func avif(_ file: FileBytes) -> Orientation {
    var (turns, mirror): (Int, Int?) = (0, nil)
    /// Walks the boxes between two places, and those inside of the ones that hold properties.
    func walk(_ range: Range<Int>) {
      for (name, contents) in file.boxes(in: range) {
        let first = Int(file.bytes(at: contents.lowerBound, count: 1).first ?? 0)
        switch name {
        case "meta": walk(contents.dropFirst(4))
        case "iprp", "ipco": walk(contents)
        case "irot": turns = first & 3
        case "imir": mirror = first & 1
        default: break
        }
      }
    }
    walk(0..<file.count)
    // Quarter turns against the clock as EXIF numbers.
    var result = Orientation(exif: [1, 8, 3, 6][turns]) ?? .upright
    if let mirror {
      result = Orientation(
        isTransposed: result.isTransposed, flipsX: result.flipsX != (mirror == 1),
        flipsY: result.flipsY != (mirror == 0))
    }
    return result
  }
}
