/// What is known of a model beside its graph: class names, colours, preprocessing.
///
/// There are three sources: the options of the caller, the metadata of the ONNX file, and a JSON
/// file beside the model. All use the same keys (`classes`, `colours`, `ignore`, `input`,
/// `output`). The first source that has a key decides its value; each key inside `input` and
/// `output` is decided separately.
package struct Metadata: Sendable {
  package struct Colour: Equatable, Sendable {
    package var red: UInt8 = 0
    package var green: UInt8 = 0
    package var blue: UInt8 = 0
  }

  package var classes: [String]?
  package var colours: [Colour]?
  package var ignoreLabel = 255
  package var swapsColours = false
  /// The input of the network is (pixel · scale − mean) / deviation, for each channel in its colour
  /// order.
  package var scale: Float = 1 / 255
  package var mean: [Float] = [0, 0, 0]
  package var deviation: [Float] = [1, 1, 1]
  /// At least one of colour order, scale, mean and deviation is a default that no source states.
  package private(set) var isInputAssumed = true
  package var inputLayout: Layout?
  /// The size of the images that the network was trained on, in pixels.
  package private(set) var trainingSize: (height: Int, width: Int)?
  package var outputName: String?
  package var outputLayout: Layout?
  package var isProbability: Bool?
  /// The value of every key that a source has, from the source with the highest priority.
  private var stated: [String: Json] = [:]

  private static let keys = ["classes", "colours", "ignore", "input", "output"]
  private static let inputKeys = ["colour_order", "scale", "mean", "std", "layout", "size"]
  private static let outputKeys = ["name", "kind", "layout"]

  package init() {}

  /// - Parameter sources: JSON objects, the one with the highest priority first.
  /// - Throws: `.format` naming a key whose value is not of the right kind.
  package init(_ sources: [[String: Json]]) throws(Das3Error) {
    for key in Self.keys {
      for value in sources.compactMap({ $0[key] }) {
        guard case .object(let binding)? = stated[key], case .object(let other) = value else {
          stated[key] = stated[key] ?? value
          continue
        }
        stated[key] = .object(binding.merging(other) { first, _ in first })
      }
    }
    let stated = stated
    func find(_ key: String) -> Json? { stated[key] }
    if let value = find("classes") {
      guard let names = value.array?.compactMap(\.string), names.count == value.array?.count else {
        throw .format("metadata 'classes' is not a list of names")
      }
      classes = names
    }
    if let value = find("colours") { colours = try Self.colours(value) }
    if let value = find("ignore") {
      guard let label = value.number, (0...255).contains(label) else {
        throw .format("metadata 'ignore' is not a number from 0 to 255")
      }
      ignoreLabel = Int(label)
    }
    if let value = find("input") { try readInput(value) }
    if let value = find("output") { try readOutput(value) }
  }

  private mutating func readOutput(_ value: Json) throws(Das3Error) {
    let output = try Self.members(of: "output", value, known: Self.outputKeys)
    if let name = output["name"] {
      guard let text = name.string else { throw .format("metadata 'output.name' is not a name") }
      outputName = text
    }
    outputLayout = try Self.layout(of: "output", output["layout"])
    guard let kind = output["kind"] else { return }
    switch kind.string {
    case "logits": isProbability = false
    case "probabilities": isProbability = true
    default:
      throw .format("metadata 'output.kind' is \(kind.text); expected logits or probabilities")
    }
  }

  private mutating func readInput(_ value: Json) throws(Das3Error) {
    let input = try Self.members(of: "input", value, known: Self.inputKeys)
    inputLayout = try Self.layout(of: "input", input["layout"])
    isInputAssumed = ["colour_order", "scale", "mean", "std"].contains { input[$0] == nil }
    if let order = input["colour_order"] {
      guard let text = order.string, ["rgb", "bgr"].contains(text) else {
        throw .format("metadata 'colour_order' is \(order.text); expected rgb or bgr")
      }
      swapsColours = text == "bgr"
    }
    if let value = input["scale"] {
      guard let number = value.number, Float(number).isFinite, Float(number) != 0 else {
        throw .format("metadata 'input.scale' is \(value.text); expected a number that is not 0")
      }
      scale = Float(number)
    }
    func triple(_ key: String) throws(Das3Error) -> [Float]? {
      guard let value = input[key] else { return nil }
      let numbers = (value.array ?? []).compactMap(\.number).map(Float.init)
      guard numbers.count == value.array?.count, [1, 3].contains(numbers.count),
        numbers.allSatisfy(\.isFinite)
      else { throw .format("metadata 'input.\(key)' is not a list of 3 numbers") }
      return (0..<3).map { numbers[numbers.count == 1 ? 0 : $0] }
    }
    if let value = input["size"] {
      let sides = (value.array ?? []).compactMap(\.number)
      guard sides.count == 2, sides.allSatisfy({ $0 >= 1 && $0 < 65536 && $0 == $0.rounded() })
      else { throw .format("metadata 'input.size' is \(value.text); expected [width, height]") }
      trainingSize = (height: Int(sides[1]), width: Int(sides[0]))
    }
    mean = try triple("mean") ?? mean
    deviation = try triple("std") ?? deviation
    guard deviation.allSatisfy({ $0 != 0 }) else { throw .format("metadata 'input.std' has a 0") }
  }

  /// The members of an object.
  ///
  /// Unknown keys are refused, because a misspelt key would silently give the network wrong pixels.
  private static func members(of key: String, _ value: Json, known: [String])
    throws(Das3Error) -> [String: Json]
  {
    guard let members = value.object else { throw .format("metadata '\(key)' is not an object") }
    if let other = members.keys.sorted().first(where: { !known.contains($0) }) {
      throw .format("metadata '\(key)' has '\(other)'; expected \(known.joined(separator: ", "))")
    }
    return members
  }

  private static func layout(of key: String, _ value: Json?) throws(Das3Error) -> Layout? {
    guard let value else { return nil }
    guard let layout = value.string.flatMap(Layout.init) else {
      throw .format("metadata '\(key).layout' is \(value.text); expected nchw or nhwc")
    }
    return layout
  }

  /// Refuses unknown keys in metadata that was written for this library.
  package static func refuseUnknownKeys(in object: [String: Json]) throws(Das3Error) {
    if let other = object.keys.sorted().first(where: { !keys.contains($0) }) {
      throw .format("metadata has '\(other)'; expected \(keys.joined(separator: ", "))")
    }
  }

  /// Whether a JSON file beside a model was written for this library: at least one of the keys has
  /// a value of the right kind.
  package static func isOurs(_ json: Json) -> Bool {
    guard let object = json.object else { return false }
    func hasMember(_ key: String, _ known: [String]) -> Bool {
      object[key]?.object?.keys.contains { known.contains($0) } ?? false
    }
    return object["classes"]?.array?.contains { $0.string != nil } ?? false
      || object["colours"]?.array != nil || object["ignore"]?.number != nil
      || hasMember("input", inputKeys) || hasMember("output", outputKeys)
  }

  private static func colours(_ value: Json) throws(Das3Error) -> [Colour] {
    var colours: [Colour] = []
    for entry in value.array ?? [] {
      let parts = (entry.array ?? []).compactMap(\.number)
      guard parts.count == 3, parts.allSatisfy({ (0...255).contains($0) }) else {
        throw .format("metadata 'colours' is not a list of [red, green, blue] from 0 to 255")
      }
      colours.append(
        Colour(red: UInt8(parts[0]), green: UInt8(parts[1]), blue: UInt8(parts[2])))
    }
    return colours
  }

  /// The metadata entries of an ONNX file as JSON; entries that are not JSON are left out.
  package static func json(ofFile metadata: [String: String]) -> [String: Json] {
    var result: [String: Json] = [:]
    for key in keys {
      if let text = metadata[key], let value = try? Json(parsing: text) { result[key] = value }
    }
    return result
  }

  /// The entries that a file with the metadata `file` lacks, or has with other values.
  ///
  /// With them the file needs no options and no JSON file beside it.
  package func entries(missingFrom file: [String: String]) -> [(key: String, value: String)] {
    let own = Self.json(ofFile: file)
    return Self.keys.compactMap { key in
      stated[key].flatMap { $0 == own[key] ? nil : (key: key, value: $0.text) }
    }
  }

  /// The colour of a class that has none; the colours of PASCAL VOC are far apart and fixed.
  package static func defaultColour(_ index: Int) -> Colour {
    var (red, green, blue) = (0, 0, 0)
    // Bit k of the class number goes to bit 7 − k/3 of channel k mod 3.
    for bit in 0..<8 where (index + 1) >> bit & 1 == 1 {
      let value = 1 << (7 - bit / 3)
      switch bit % 3 {
      case 0: red |= value
      case 1: green |= value
      default: blue |= value
      }
    }
    return Colour(red: UInt8(red), green: UInt8(green), blue: UInt8(blue))
  }
}
