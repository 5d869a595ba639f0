import Das3Graph
import Testing

/// JSON values to text and back.
@Suite("JSON text")
struct JsonTextTests {
  @Test(
    "every value reads back the same",
    arguments: [
      .null, .bool(true), .bool(false), .number(0), .number(-0.0), .number(0.1),
      .number(-.leastNonzeroMagnitude),
      .number(1.7976931348623157e308), .number(-9_223_372_036_854_775_808), .number(0x1p53),
      .number(0x1p53 - 1), .string(""), .string("a\"\\/\n\t\r\u{8}\u{0}\u{1F}é🚗\u{2028}"),
      .array([]), .array([.number(1), .array([.null])]), .object([:]),
      .object(["b": .number(2), "a": .object(["\n": .string("x")])]),
    ] as [Json])
  func roundTrip(_ value: Json) throws {
    #expect(try Json(parsing: value.text) == value)
    #expect(try Json(parsing: value.text).text == value.text)
  }

  @Test("the text is short and always the same")
  func text() {
    let value = Json.object(["z": .array([.number(1), .number(2.5)]), "a": .string("é")])
    #expect(value.text == #"{"a":"é","z":[1,2.5]}"#)
    #expect(Json.number(-0.0).text == "-0.0")
  }
}
