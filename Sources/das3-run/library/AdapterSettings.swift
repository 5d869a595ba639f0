// "name=value" in, the adapter options of the C header out.
import CDas3
import Foundation

/// `das3_adapter_options` and the texts that it points to.
@safe
struct AdapterSettings {
  private var options = unsafe das3_adapter_options()
  /// By the name of their field.
  private(set) var texts: [String: String] = [:]

  /// The library's defaults.
  init() {
    unsafe das3_adapter_options_init(&options)
  }

  var method: AdaptationMethod {
    get { AdaptationMethod.allCases.first { $0.code == (unsafe options.method) } ?? .das3 }
    set { unsafe options.method = newValue.code }
  }

  var start: AdaptationStart {
    get { AdaptationStart.allCases.first { $0.code == (unsafe options.start) } ?? .source }
    set { unsafe options.start = newValue.code }
  }

  var seed: UInt64 {
    get { unsafe options.seed }
    set { unsafe options.seed = newValue }
  }

  subscript(name: String) -> String {
    guard let setting = AdapterSetting.named(name) else { return "" }
    switch setting.field {
    case .real(let path): return String(unsafe options[keyPath: path])
    case .whole(let path): return String(unsafe options[keyPath: path])
    case .word(let path, let words):
      let index = Int(unsafe options[keyPath: path])
      return words.indices.contains(index) ? words[index] : String(index)
    case .text: return texts[name] ?? "–"
    }
  }

  /// Sets one field.
  /// - Parameters:
  ///   - name: of the field in `das3_adapter_options`.
  ///   - value: what the library then judges the range of.
  /// - Throws: `Failure` for an unknown name, or a value of another kind.
  mutating func set(_ name: String, to value: String) throws(Failure) {
    guard let setting = AdapterSetting.named(name) else {
      let known = AdapterSetting.all.map(\.name).joined(separator: ", ")
      throw Failure("\"\(name)\" is not a setting; known are \(known)")
    }
    switch setting.field {
    case .real(let path):
      guard let number = Double(value) else { throw Self.wrong(name, value, "a number") }
      unsafe options[keyPath: path] = number
    case .whole(let path):
      guard let number = Int32(value) else { throw Self.wrong(name, value, "a whole number") }
      unsafe options[keyPath: path] = number
    case .word(let path, let words):
      guard let index = words.firstIndex(of: value) else {
        throw Self.wrong(name, value, words.joined(separator: ", "))
      }
      unsafe options[keyPath: path] = Int32(index)
    case .text:
      texts[name] = value
    }
  }

  /// Lends the options, whose texts live as long as the call.
  func withOptions<Result>(_ use: (inout das3_adapter_options) -> Result) -> Result {
    var copy = unsafe options
    var lent: [UnsafeMutablePointer<CChar>?] = unsafe []
    for setting in AdapterSetting.all {
      guard case .text(let path) = setting.field, let text = texts[setting.name] else { continue }
      let bytes = unsafe strdup(text)
      unsafe lent.append(bytes)
      unsafe copy[keyPath: path] = UnsafePointer(bytes)
    }
    defer { unsafe lent.forEach { unsafe free($0) } }
    return unsafe use(&copy)
  }

  private static func wrong(_ name: String, _ value: String, _ expected: String) -> Failure {
    Failure("\(name) is \"\(value)\"; expected \(expected)")
  }
}
