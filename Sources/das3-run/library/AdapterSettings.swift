// "name=value" in, the adapter options of the C header out.
import CDas3
import Foundation

/// `das3_adapter_options`, whose fields are set by name, and the texts that it points to.
@safe
struct AdapterSettings {
  /// A field of the options, as the library describes it.
  struct Option {
    let name, meaning: String
    /// Of a choice: words for the values from 0.
    let words: [String]
    fileprivate let kind: das3_option_kind
    fileprivate let offset: Int

    /// Nil after the last option.
    fileprivate init?(_ index: Int32) {
      var option = unsafe das3_option()
      unsafe option.struct_size = UInt32(MemoryLayout<das3_option>.stride)
      guard unsafe das3_adapter_options_get(index, &option) == DAS3_OK else { return nil }
      name = unsafe String(cString: option.name)
      meaning = unsafe String(cString: option.meaning)
      words = unsafe String(cString: option.words).split(separator: "|").map(String.init)
      kind = unsafe das3_option_kind(UInt32(option.kind))
      offset = unsafe Int(option.offset)
    }
  }

  /// All options, in the order of the header.
  private static let all = Array(
    sequence(state: Int32(0)) { index in
      defer { index += 1 }
      return Option(index)
    })

  /// The options that `--set` changes; the others have options of the command line.
  static let known = all.filter { !others.contains($0.name) }
  private static let others = [
    "method", "seed", "threads", "precision", "height", "width", "memory_limit", "start",
  ]

  private var options = unsafe das3_adapter_options()
  /// By the name of their field.
  private(set) var texts: [String: String] = [:]

  /// The library's defaults.
  init() {
    unsafe das3_adapter_options_init(&options)
  }

  var method: AdaptationMethod {
    get { AdaptationMethod(rawValue: self["method"]) ?? .das3 }
    set { unsafe options.method = Self.code(of: newValue.rawValue, "method") }
  }

  var start: AdaptationStart {
    get { AdaptationStart(rawValue: self["start"]) ?? .source }
    set { unsafe options.start = Self.code(of: newValue.rawValue, "start") }
  }

  var seed: UInt64 {
    get { unsafe options.seed }
    set { unsafe options.seed = newValue }
  }

  /// The number of a word; the library refuses -1.
  private static func code(of word: String, _ name: String) -> Int32 {
    let words = all.first { $0.name == name }?.words ?? []
    return Int32(words.firstIndex(of: word) ?? -1)
  }

  /// The value of an option as a text; "–" for a text that is not set.
  subscript(name: String) -> String {
    guard let option = Self.all.first(where: { $0.name == name }) else { return "" }
    switch option.kind {
    case DAS3_OPTION_DOUBLE: return String(value(of: option, as: Double.self))
    case DAS3_OPTION_INT32:
      let number = Int(value(of: option, as: Int32.self))
      return option.words.indices.contains(number) ? option.words[number] : String(number)
    default: return texts[name] ?? "–"
    }
  }

  /// Sets one option.
  /// - Parameters:
  ///   - name: of the field in `das3_adapter_options`.
  ///   - value: a text, a word of a choice, or a number whose range the library checks later.
  /// - Throws: `Failure` for an unknown name, or a value of another kind.
  mutating func set(_ name: String, to value: String) throws(Failure) {
    guard let option = Self.known.first(where: { $0.name == name }) else {
      let names = Self.known.map(\.name).joined(separator: ", ")
      throw Failure("\"\(name)\" is not a setting; known are \(names)")
    }
    func parsed<Number>(_ number: Number?, _ expected: String) throws(Failure) -> Number {
      guard let number else { throw Failure("\(name) is \"\(value)\"; expected \(expected)") }
      return number
    }
    switch option.kind {
    case DAS3_OPTION_DOUBLE:
      try unsafe Self.store(parsed(Double(value), "a number"), option, &options)
    case DAS3_OPTION_INT32 where option.words.isEmpty:
      try unsafe Self.store(parsed(Int32(value), "a whole number"), option, &options)
    case DAS3_OPTION_INT32:
      let index = option.words.firstIndex(of: value).map(Int32.init)
      try unsafe Self.store(parsed(index, option.words.joined(separator: ", ")), option, &options)
    default: texts[name] = value
    }
  }

  /// Lends the options, whose texts live as long as the call.
  func withOptions<Result>(_ use: (inout das3_adapter_options) -> Result) -> Result {
    var copy = unsafe options
    var lent: [UnsafeMutablePointer<CChar>?] = unsafe []
    for option in Self.known {
      guard let text = texts[option.name] else { continue }
      let bytes = unsafe strdup(text)
      unsafe lent.append(bytes)
      unsafe Self.store(UnsafePointer(bytes), option, &copy)
    }
    defer { unsafe lent.forEach { unsafe free($0) } }
    return unsafe use(&copy)
  }

  private func value<Value: BitwiseCopyable>(of option: Option, as type: Value.Type) -> Value {
    unsafe withUnsafeBytes(of: options) { unsafe $0.load(fromByteOffset: option.offset, as: type) }
  }

  private static func store<Value: BitwiseCopyable>(
    _ value: Value, _ option: Option, _ options: inout das3_adapter_options
  ) {
    unsafe withUnsafeMutableBytes(of: &options) { bytes in
      unsafe bytes.storeBytes(of: value, toByteOffset: option.offset, as: Value.self)
    }
  }
}
