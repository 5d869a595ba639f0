import CDas3
import Das3Adapt
import Das3Graph

/// A field of `das3_adapter_options`, and how it is read into the settings of an adaptation.
///
/// The declaration of the setting has its default value.
@safe
struct AdapterOption: Sendable {
  typealias Field<Value> = WritableKeyPath<das3_adapter_options, Value> & Sendable
  typealias Place<Value> = WritableKeyPath<AdaptationSettings, Value> & Sendable
  typealias Text = UnsafePointer<CChar>?
  typealias Fill = @Sendable (AdaptationSettings, inout das3_adapter_options) -> Void
  typealias Read =
    @Sendable (das3_adapter_options, inout AdaptationSettings) throws(Das3Error) -> Void

  /// What `das3_option` says of the field.
  let name, words, range, meaning: CString
  let kind: das3_option_kind
  /// Bytes from the start of the struct to the field.
  let offset: Int

  /// The key under which checkpoints store the value, whatever name the header gives the field.
  ///
  /// It is nil for a field that does not change which bits come out, and for fields of a stage (names
  /// that end in _a, _b or _c): checkpoints store a stage as a whole.
  let key: String?
  /// The value as a checkpoint and its messages show it.
  let shown: @Sendable (AdaptationSettings) -> String
  /// Writes the default into the field.
  let fill: Fill
  /// Checks the field and copies it into the settings.
  let read: Read

  private init<Stored>(
    _ name: String, _ meaning: String, _ field: Field<Stored>, words: [String] = [],
    range: String = "", key: String? = nil,
    shown: @escaping @Sendable (AdaptationSettings) -> String = { _ in "" },
    fill: @escaping Fill = { _, _ in }, read: @escaping Read = { _, _ in }
  ) {
    self.name = CString(name)
    self.meaning = CString(meaning)
    self.words = CString(words.joined(separator: "|"))
    self.range = CString(range)
    kind =
      switch Stored.self {
      case is Int32.Type: DAS3_OPTION_INT32
      case is UInt32.Type: DAS3_OPTION_UINT32
      case is UInt64.Type: DAS3_OPTION_UINT64
      case is Double.Type: DAS3_OPTION_DOUBLE
      default: DAS3_OPTION_STRING
      }
    offset = unsafe MemoryLayout<das3_adapter_options>.offset(of: field) ?? 0
    self.key = name.dropLast().hasSuffix("_") ? nil : key
    self.shown = shown
    unsafe self.fill = fill
    unsafe self.read = read
  }

  /// A field that `AdapterRequest` reads as segmenters read theirs, with the default 0.
  static func shared<Stored>(
    _ name: String, _ meaning: String, _ field: Field<Stored>, words: [String] = [], range: String
  ) -> Self {
    unsafe Self(name, meaning, field, words: words, range: range)
  }

  /// A field that is refused where `value` gives nil; `stored` is the inverse of `value`.
  private static func checked<Stored: Sendable, Value: Sendable>(
    _ name: String, _ meaning: String, _ field: Field<Stored>, _ place: Place<Value>,
    words: [String] = [], range: String, key: String?,
    shown: @escaping @Sendable (Value) -> String = { "\($0)" },
    value: @escaping @Sendable (Stored) -> Value?, stored: @escaping @Sendable (Value) -> Stored
  ) -> Self {
    unsafe Self(
      name, meaning, field, words: words, range: range, key: key,
      shown: { shown($0[keyPath: place]) },
      fill: { unsafe $1[keyPath: field] = stored($0[keyPath: place]) },
      read: { (options, settings) throws(Das3Error) in
        let found = unsafe options[keyPath: field]
        guard let value = value(found) else {
          throw .argument("\(name) is \(found); expected \(range)")
        }
        settings[keyPath: place] = value
      })
  }

  /// Any number that the field can hold.
  static func any(
    _ name: String, _ meaning: String, _ field: Field<UInt64>, _ place: Place<UInt64>,
    hasKey: Bool = true
  ) -> Self {
    unsafe checked(
      name, meaning, field, place, range: "", key: hasKey ? name : nil,
      value: { $0 }, stored: { $0 })
  }

  static func count(
    _ name: String, _ meaning: String, _ field: Field<Int32>, _ place: Place<Int>,
    from least: Int32, to most: Int32 = .max
  ) -> Self {
    unsafe checked(
      name, meaning, field, place,
      range: "\(least) \(most == .max ? "or more" : "to \(most)")", key: name,
      value: { (least...most).contains($0) ? Int($0) : nil }, stored: { Int32($0) })
  }

  /// The steps of a stage; 0 = as many as its epochs have.
  static func steps(
    _ name: String, _ meaning: String, _ field: Field<Int32>, _ place: Place<Int?>
  ) -> Self {
    unsafe checked(
      name, meaning, field, place, range: "0 or more", key: name,
      value: { $0 < 0 ? nil : .some($0 == 0 ? nil : Int($0)) }, stored: { Int32($0 ?? 0) })
  }

  /// The learning rate of a stage; 0 = its default.
  static func rate(
    _ name: String, _ meaning: String, _ field: Field<Double>, _ place: Place<Float?>
  ) -> Self {
    unsafe checked(
      name, meaning, field, place, range: "a number from 0", key: name,
      value: { single($0).map { $0 == 0 ? nil : $0 } }, stored: { $0.map(decimal) ?? 0 })
  }

  /// A number that single precision can hold, in whichever precision the settings keep it.
  static func number<Value: BinaryFloatingPoint & Sendable>(
    _ name: String, _ meaning: String, _ field: Field<Double>, _ place: Place<Value>,
    below bound: Float = .infinity
  ) -> Self {
    unsafe checked(
      name, meaning, field, place,
      range: bound.isFinite ? "0 to below \(Int(bound))" : "a number from 0", key: name,
      value: { single($0, below: bound).map { Value($0) } }, stored: decimal)
  }

  /// A number up to 1.
  static func part<Value: BinaryFloatingPoint & Sendable>(
    _ name: String, _ meaning: String, _ field: Field<Double>, _ place: Place<Value>,
    from least: Double = 0
  ) -> Self {
    unsafe checked(
      name, meaning, field, place, range: "\(least == 0 ? "0" : "\(least)") to 1", key: name,
      value: { (least...1).contains($0) ? Value($0) : nil }, stored: decimal)
  }

  static func flag(
    _ name: String, _ meaning: String, _ field: Field<Int32>, _ place: Place<Bool>, key: String
  ) -> Self {
    unsafe checked(
      name, meaning, field, place, range: "0 or 1", key: key,
      value: { (0...1).contains($0) ? $0 == 1 : nil }, stored: { $0 ? 1 : 0 })
  }

  /// A value of the header's enumeration `das3_NAME`, whose numbers count from 0.
  ///
  /// Checkpoints store its word.
  static func choice<Value: Equatable & Sendable>(
    _ name: String, _ meaning: String, _ field: Field<Int32>, _ place: Place<Value>,
    key: String? = nil, _ values: [(word: String, value: Value)]
  ) -> Self {
    @Sendable func index(_ value: Value) -> Int { values.firstIndex { $0.value == value } ?? 0 }
    return unsafe checked(
      name, meaning, field, place, words: values.map(\.word),
      range: "a das3_\(name) from 0 to \(values.count - 1)", key: key ?? name,
      shown: { values[index($0)].word },
      value: { values.indices.contains(Int($0)) ? values[Int($0)].value : nil },
      stored: { Int32(index($0)) })
  }

  /// A text; NULL, the default, leaves the setting as it is.
  static func text(
    _ name: String, _ meaning: String, _ field: Field<Text>, hasKey: Bool = true,
    shown: @escaping @Sendable (AdaptationSettings) -> String = { _ in "" },
    take: @escaping @Sendable (String, inout AdaptationSettings) throws(Das3Error) -> Void
  ) -> Self {
    unsafe Self(
      name, meaning, field, key: hasKey ? name : nil, shown: shown,
      read: { (options, settings) throws(Das3Error) in
        guard let text = unsafe options[keyPath: field] else { return }
        try take(unsafe String(cString: text), &settings)
      })
  }

  /// Patterns separated by blanks; NULL = those of the method.
  static func patterns(
    _ name: String, _ meaning: String, _ field: Field<Text>, _ place: Place<[String]?>
  ) -> Self {
    unsafe text(
      name, meaning, field, shown: { $0[keyPath: place]?.joined(separator: ", ") ?? "default" },
      take: { $1[keyPath: place] = words($0) })
  }

  static func words(_ text: String) -> [String] { text.split(separator: " ").map(String.init) }

  /// The value in single precision; nil if it is negative, not a number, or not below `bound`.
  private static func single(_ value: Double, below bound: Float = .infinity) -> Float? {
    let single = Float(value)
    return value >= 0 && single < bound ? single : nil
  }

  /// The shortest decimal number that rounds to the value: 0.05, not 0.0500000007.
  private static func decimal<Value: BinaryFloatingPoint>(_ value: Value) -> Double {
    Double("\(value)") ?? Double(value)
  }
}
