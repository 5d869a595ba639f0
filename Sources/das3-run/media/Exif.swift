// The bytes of a picture in, which way up it is shown out: from EXIF in JPEG, PNG, WebP and TIFF, and
// from the rotation of AVIF. FFmpeg reads these in some of the formats only.

enum Exif {
  /// How the picture in a file is turned; upright where the file does not say it.
  static func orientation(ofFile path: String) -> Orientation {
    guard let file = FileBytes(path), let head = file.wholeBytes(at: 0, count: 16) else {
      return .upright
    }
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

  /// Walks the segments up to the first scan.
  private static func jpeg(_ file: FileBytes) -> Orientation {
    let (scan, end, application): (UInt8, UInt8, UInt8) = (0xDA, 0xD9, 0xE1)
    var offset = 2
    while let head = file.wholeBytes(at: offset, count: 10), head[0] == 0xFF {
      let length = head[2..<4].bigEndianNumber
      if head[1] == 0xFF {
        offset += 1
      } else if head[1] == application, head[4..<8].elementsEqual("Exif".utf8) {
        return tiff(file, at: offset + 10)
      } else if head[1] == scan || head[1] == end || length < 2 {
        return .upright
      } else {
        offset += 2 + length
      }
    }
    return .upright
  }

  /// Walks the chunks of a PNG (length, name, data, checksum) or of a RIFF file (name, length, data,
  /// padding to an even length).
  private static func chunk(
    _ name: String, of file: FileBytes, from start: Int, isRiff: Bool
  ) -> Orientation {
    var offset = start
    while let head = file.wholeBytes(at: offset, count: 8) {
      let length = isRiff ? head[4..<8].reversed().bigEndianNumber : head[0..<4].bigEndianNumber
      if (isRiff ? head[0..<4] : head[4..<8]).elementsEqual(name.utf8) {
        // Some writers keep the six bytes that stand before the TIFF header in a JPEG.
        let hasPrefix = file.bytes(at: offset + 8, count: 4).elementsEqual("Exif".utf8)
        return tiff(file, at: offset + 8 + (hasPrefix ? 6 : 0))
      }
      offset += 8 + length + (isRiff ? length & 1 : 4)
    }
    return .upright
  }

  /// Reads the orientation tag in the first directory of a TIFF file.
  private static func tiff(_ file: FileBytes, at start: Int) -> Orientation {
    guard let head = file.wholeBytes(at: start, count: 8) else { return .upright }
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

  /// Reads the properties of an AVIF picture: `irot` turns it, then `imir` mirrors it.
  ///
  /// Readers of AVIF ignore an orientation in EXIF.
  private static func avif(_ file: FileBytes) -> Orientation {
    var (turns, mirror): (Int, Int?) = (0, nil)
    /// Walks the boxes of a part of the file, and the boxes inside those that hold properties.
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
    // The EXIF numbers of 0 to 3 quarter turns against the clock.
    var result = Orientation(exif: [1, 8, 3, 6][turns]) ?? .upright
    if let mirror {
      result = Orientation(
        isTransposed: result.isTransposed, flipsX: result.flipsX != (mirror == 1),
        flipsY: result.flipsY != (mirror == 0))
    }
    return result
  }
}
