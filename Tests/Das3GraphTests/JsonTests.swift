import Das3Graph
import Testing

/// JSON texts, good and hostile, and what they are read as.
@Suite("Json")
struct JsonTests {
  @Test("every kind of value is read")
  func kinds() throws {
    let text = #" {"a": [1, -2.5e2, true, false, null], "b": {"c": "d"}, "e": [], "f": {}} "#
    let value = try Json(parsing: text)
    #expect(
      value
        == .object([
          "a": .array([.number(1), .number(-250), .bool(true), .bool(false), .null]),
          "b": .object(["c": .string("d")]), "e": .array([]), "f": .object([:]),
        ]))
  }

  @Test(
    "escapes become their characters",
    arguments: [
      (#""\n\t\r\b\f\"\\\/""#, "\n\t\r\u{8}\u{c}\"\\/"), (#""\u00e9""#, "é"),
      (#""\ud83d\ude97""#, "🚗"), (#""Straße""#, "Straße"), (#""\u0000""#, "\0"),
    ])
  func escapes(_ text: String, _ expected: String) throws {
    #expect(try Json(parsing: text) == .string(expected))
  }

  @Test(
    "half a surrogate pair becomes the replacement character",
    arguments: [#""\ud83d""#, #""\ude97""#, #""\ud83dx""#, #""\ud83d\n""#])
  func loneSurrogate(_ text: String) throws {
    let read = try Json(parsing: text).string
    #expect(read?.first == "\u{FFFD}")
  }

  @Test(
    "a high surrogate before anything but a low one does not trap",
    arguments: [#""\ud800\u0000""#, #""\ud800\ud800""#, #""\udbff\uffff""#, #""\ud800\u""#])
  func badSurrogatePair(_ text: String) {
    _ = try? Json(parsing: text)
  }

  @Test(
    "damaged texts are refused with a position",
    arguments: [
      "", " ", "{", "[", "\"", "[1", "[1,", "[1,]", "{\"a\"", "{\"a\":", "{\"a\":1", "{\"a\":1,}",
      "{a:1}", "tru", "nul", "01x", "-", "1e", "[1] 2", "\"\\x\"", "\"\\u12\"", "\"\n\"", "1e999",
      "nan", "Infinity", "{\"a\" 1}", "]", "}", ",", "\u{FEFF}1", "\"\\",
    ])
  func damaged(_ text: String) {
    let error = #expect(throws: Das3Error.self) { try Json(parsing: text) }
    #expect(error?.code == .format)
    #expect(error?.message.hasPrefix("JSON") == true)
  }

  @Test("nesting is bounded")
  func depth() throws {
    func nested(_ depth: Int) -> String {
      String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
    }
    #expect(throws: Never.self) { try Json(parsing: nested(32)) }
    #expect(throws: Das3Error.self) { try Json(parsing: nested(33)) }
    #expect(throws: Das3Error.self) { try Json(parsing: nested(100_000)) }
  }

  @Test("texts above 1 MiB are refused as a limit")
  func size() {
    let text = "\"" + String(repeating: "a", count: 1 << 20) + "\""
    let error = #expect(throws: Das3Error.self) { try Json(parsing: text) }
    #expect(error?.code == .limit)
  }

  @Test("the last of two equal keys counts")
  func equalKeys() throws {
    #expect(try Json(parsing: #"{"a": 1, "a": 2}"#) == .object(["a": .number(2)]))
  }

  @Test("accessors answer only for their own kind")
  func accessors() {
    #expect(Json.number(1).string == nil)
    #expect(Json.string("1").number == nil)
    #expect(Json.array([]).object == nil)
    #expect(Json.object([:]).array == nil)
    #expect(Json.null.string == nil && Json.bool(true).number == nil)
  }
}
