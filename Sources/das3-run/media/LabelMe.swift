// Shapes with the names of classes in, the JSON of LabelMe out, and back to class numbers.
import Foundation

/// A file of the annotation program LabelMe: outlines over a picture, each of one class.
///
/// Later shapes lie above earlier ones. A pixel without a shape has no class.
struct LabelMe {
  struct Shape {
    let label: String
    let outline: Polygon
  }

  var shapes: [Shape]
  /// As the picture is shown; nil where the file does not say it.
  var size: PixelSize?

  /// What LabelMe's users call what is not counted.
  static let ignoredName = "__ignore__"
  /// The version of the format, which LabelMe has kept since.
  private static let version = "5.5.0"

  /// The text of a file beside the picture that is called `picture`.
  func json(picture: String, size: PixelSize) -> JsonValue {
    .object([
      (key: "version", value: .string(Self.version)), (key: "flags", value: .object([])),
      (key: "shapes", value: .array(shapes.map(\.json))),
      (key: "imagePath", value: .string(picture)), (key: "imageData", value: .null),
      (key: "imageHeight", value: .integer(size.height)),
      (key: "imageWidth", value: .integer(size.width)),
    ])
  }

  /// The class number of each pixel of a picture; 255 where there is no shape, or one of what is not
  /// counted.
  ///
  /// - Throws: `Failure` for names that are none of `classes`, and says those of the file at `path`.
  func labels(of classes: [String], size: PixelSize, path: String) throws(Failure) -> [UInt8] {
    var labels = [UInt8](repeating: 255, count: size.pixelCount)
    let unknown = Set(shapes.map(\.label)).subtracting(classes + [Self.ignoredName])
    guard unknown.isEmpty else {
      let names = unknown.sorted().map { "\"\($0)\"" }.joined(separator: ", ")
      throw Failure(
        "truth \(path) has shapes of \(names); the classes are \(classes.joined(separator: ", ")), "
          + "and \(Self.ignoredName) is not counted")
    }
    for shape in shapes {
      let label = classes.firstIndex(of: shape.label).map(UInt8.init(clamping:)) ?? 255
      shape.outline.forEachPixel(in: size) { labels[$0] = label }
    }
    return labels
  }
}

extension LabelMe.Shape {
  fileprivate var json: JsonValue {
    let points = outline.points.map { JsonValue.array([.number($0.x), .number($0.y)]) }
    return .object([
      (key: "label", value: .string(label)), (key: "points", value: .array(points)),
      (key: "group_id", value: .null), (key: "description", value: .string("")),
      (key: "shape_type", value: .string("polygon")), (key: "flags", value: .object([])),
      (key: "mask", value: .null),
    ])
  }
}

extension LabelMe {
  private struct File: Decodable {
    let shapes: [Entry]
    let imageHeight: Int?
    let imageWidth: Int?
  }

  private struct Entry: Decodable {
    let label: String
    let points: [[Double]]
    let kind: String?

    enum CodingKeys: String, CodingKey {
      case label, points
      case kind = "shape_type"
    }
  }

  /// Reads a file with polygons and rectangles.
  ///
  /// - Throws: `Failure` for any other shape, and for what LabelMe has not written.
  init(path: String) throws(Failure) {
    let data = try SystemFile.read(path, kind: "truth ")
    let file: File
    do {
      file = try JSONDecoder().decode(File.self, from: Data(data))
    } catch {
      throw Failure(
        "truth \(path) is no file of LabelMe: expected JSON {\"shapes\": [{\"label\": class, "
          + "\"points\": [[x, y], …], \"shape_type\": \"polygon\"}, …]}")
    }
    size = file.imageHeight.flatMap { height in
      file.imageWidth.map { PixelSize(width: $0, height: height) }
    }
    shapes = []
    for entry in file.shapes { shapes.append(try Self.shape(entry, path)) }
  }

  private static func shape(_ entry: Entry, _ path: String) throws(Failure) -> Shape {
    let points = entry.points.compactMap { point in
      point.count == 2 ? Polygon.Point(x: point[0], y: point[1]) : nil
    }
    let kind = entry.kind ?? "polygon"
    switch (kind, points.count) {
    case (_, 0..<entry.points.count): break
    case ("polygon", 3...), ("oriented_rectangle", 4), ("rectangle", 4):
      return Shape(label: entry.label, outline: Polygon(points: points))
    case ("rectangle", 2):
      let others = [
        Polygon.Point(x: points[1].x, y: points[0].y),
        Polygon.Point(x: points[0].x, y: points[1].y),
      ]
      return Shape(
        label: entry.label, outline: Polygon(points: [points[0], others[0], points[1], others[1]]))
    default: break
    }
    throw Failure(
      "truth \(path) has a shape \"\(kind)\" of \(counted(entry.points.count, "point")), called "
        + "\"\(entry.label)\"; expected polygons of at least 3 and rectangles of 2")
  }
}
