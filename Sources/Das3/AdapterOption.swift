import CDas3
import Das3Adapt
import Das3Graph

/// A field of `das3_adapter_options` and what it is in the settings, whose declaration has its
/// default.
@safe
struct AdapterOption: Sendable {
  typealias Field<Value> = WritableKeyPath<das3_adapter_options, Value> & Sendable
  typealias Place<Value> = WritableKeyPath<AdaptationSettings, Value> & Sendable
  typealias Text = UnsafePointer<CChar>?

  /// Of what it decides in the identity of a checkpoint, where it keeps this name whatever the
  /// header calls it; nil = it decides no bits, or shares a key with others.
  let key: String?
  /// As a checkpoint and its messages show it.
  let shown: @Sendable (AdaptationSettings) -> String
  /// Writes the default.
  let fill: @Sendable (AdaptationSettings, inout das3_adapter_options) -> Void
  /// Checks the field and takes it.
  let read: @Sendable (das3_adapter_options, inout AdaptationSettings) throws(Das3Error) -> Void

  /// A field of which some values are out of range: `value` has nil for them, `stored` leads back.
  private static func checked<Stored: Sendable, Value: Sendable>(
    _ name: String, _ field: Field<Stored>, _ place: Place<Value>, key: String?,
    expected: String, shown: @escaping @Sendable (Value) -> String = { "\($0)" },
    value: @escaping @Sendable (Stored) -> Value?, stored: @escaping @Sendable (Value) -> Stored
  ) -> Self {
    unsafe Self(key: key, shown: { shown($0[keyPath: place]) }) { settings, options in
      unsafe options[keyPath: field] = stored(settings[keyPath: place])
    } read: { (options, settings) throws(Das3Error) in
      let found = unsafe options[keyPath: field]
      guard let value = value(found) else {
        throw .argument("\(name) is \(found); expected \(expected)")
      }
      settings[keyPath: place] = value
    }
  }

  /// Any number that the field can hold.
  static func any(_ name: String, _ field: Field<UInt64>, _ place: Place<UInt64>, key: String?)
    -> Self
  {
    unsafe checked(name, field, place, key: key, expected: "", value: { $0 }, stored: { $0 })
  }

  static func count(
    _ name: String, _ field: Field<Int32>, _ place: Place<Int>, from least: Int32,
    to most: Int32 = .max, key: String?
  ) -> Self {
    unsafe checked(
      name, field, place, key: key, expected: "\(least) \(most == .max ? "or more" : "to \(most)")",
      value: { (least...most).contains($0) ? Int($0) : nil }, stored: { Int32($0) })
  }

  /// Steps of a stage; 0 = as its epochs say.
  static func steps(_ name: String, _ field: Field<Int32>, _ place: Place<Int?>) -> Self {
    unsafe checked(
      name, field, place, key: nil, expected: "0 or more",
      value: { $0 < 0 ? nil : .some($0 == 0 ? nil : Int($0)) }, stored: { Int32($0 ?? 0) })
  }

  /// The rate of a stage; 0 = its own.
  static func rate(_ name: String, _ field: Field<Double>, _ place: Place<Float?>) -> Self {
    unsafe checked(
      name, field, place, key: nil, expected: "a number from 0",
      value: { single($0).map { $0 == 0 ? nil : $0 } }, stored: { $0.map(decimal) ?? 0 })
  }

  /// A number of single precision, wherever it is kept.
  static func number<Value: BinaryFloatingPoint & Sendable>(
    _ name: String, _ field: Field<Double>, _ place: Place<Value>, below bound: Float = .infinity
  ) -> Self {
    unsafe checked(
      name, field, place, key: name,
      expected: bound.isFinite ? "0 to below \(Int(bound))" : "a number from 0",
      value: { single($0, below: bound).map { Value($0) } }, stored: decimal)
  }

  /// 0 to 1.
  static func part<Value: BinaryFloatingPoint & Sendable>(
    _ name: String, _ field: Field<Double>, _ place: Place<Value>, hasKey: Bool = true
  ) -> Self {
    unsafe checked(
      name, field, place, key: hasKey ? name : nil, expected: "0 to 1",
      value: { (0...1).contains($0) ? Value($0) : nil }, stored: decimal)
  }

  static func flag(_ name: String, _ field: Field<Int32>, _ place: Place<Bool>, key: String) -> Self
  {
    unsafe checked(
      name, field, place, key: key, expected: "0 or 1",
      value: { (0...1).contains($0) ? $0 == 1 : nil }, stored: { $0 ? 1 : 0 })
  }

  /// One of an enumeration of the header, with its values from 0 and the words of checkpoints for them.
  static func choice<Value: Equatable & Sendable>(
    _ name: String, _ field: Field<Int32>, _ place: Place<Value>, key: String, _ kind: String,
    _ values: [(word: String, value: Value)]
  ) -> Self {
    @Sendable func index(_ value: Value) -> Int { values.firstIndex { $0.value == value } ?? 0 }
    return unsafe checked(
      name, field, place, key: key, expected: "a \(kind) from 0 to \(values.count - 1)",
      shown: { values[index($0)].word },
      value: { values.indices.contains(Int($0)) ? values[Int($0)].value : nil },
      stored: { Int32(index($0)) })
  }

  /// A text, which is not read where it is NULL, as it is by default.
  static func text(
    _ field: Field<Text>, key: String?,
    shown: @escaping @Sendable (AdaptationSettings) -> String = { _ in "" },
    take: @escaping @Sendable (String, inout AdaptationSettings) throws(Das3Error) -> Void
  ) -> Self {
    unsafe Self(key: key, shown: shown, fill: { _, _ in }) {
      (options, settings) throws(Das3Error) in
      guard let text = unsafe options[keyPath: field] else { return }
      try take(unsafe String(cString: text), &settings)
    }
  }

  /// Patterns with blanks between them; NULL = the method's own.
  static func patterns(_ key: String, _ field: Field<Text>, _ place: Place<[String]?>) -> Self {
    unsafe text(
      field, key: key, shown: { $0[keyPath: place]?.joined(separator: ", ") ?? "default" },
      take: { $1[keyPath: place] = words($0) })
  }

  static func words(_ text: String) -> [String] { text.split(separator: " ").map(String.init) }

  /// In single precision, unless it is too large, negative or no number.
  private static func single(_ value: Double, below bound: Float = .infinity) -> Float? {
    let single = Float(value)
    return value >= 0 && single < bound ? single : nil
  }

  /// The double that a person would write for it: 0.05, not 0.0500000007.
  private static func decimal<Value: BinaryFloatingPoint>(_ value: Value) -> Double {
    Double("\(value)") ?? Double(value)
  }
}
