// "frames/%06d.png" or "frames/*.png" in, which names it means out.
import Foundation

/// A pattern of names in one directory: of printf, or of a shell.
struct NamePattern {
  /// Where the names are.
  let folder: String
  private let name: String

  /// Nil where the last part of a path is no pattern, or something is there that is called so.
  init?(_ path: String) {
    let last = Path.name(of: path)
    guard last.contains(/[*?\[]|%[0-9]*d/), SystemFile.kind(path) == nil,
      !SystemFile.isLink(path), !path.contains("://")
    else { return nil }
    folder = Path.parent(of: path)
    name = last
  }

  /// Whether a name is meant.
  func matches(_ other: String) -> Bool {
    guard let place = name.firstMatch(of: /%0?([0-9]*)d/) else {
      return unsafe fnmatch(name, other, FNM_PERIOD) == 0
    }
    let (head, tail) = (name[..<place.range.lowerBound], name[place.range.upperBound...])
    guard other.utf8.count > head.utf8.count + tail.utf8.count, other.hasPrefix(head),
      other.hasSuffix(tail)
    else { return false }
    let digits = other.utf8.dropFirst(head.utf8.count).dropLast(tail.utf8.count)
    // As printf fills them up: longer numbers stay longer, shorter ones do not occur.
    return digits.count >= Int(place.1) ?? 1
      && digits.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
  }
}
