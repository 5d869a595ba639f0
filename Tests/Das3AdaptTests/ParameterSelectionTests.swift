import Das3Adapt
import Das3Graph
import Das3TestSupport
import Testing

@Suite("Parameter selection")
struct ParameterSelectionTests {
  /// In the order of the file: stem.w, norm.scale, norm.shift, the statistics norm.mean and
  /// norm.variance, deep.w, deep.b, head.w.
  static func parameters() throws -> [OnnxModel.Parameter] {
    try SampleModels.convolutional().serialized().withUnsafeBytes { bytes in
      try OnnxImport.load(bytes: bytes, directory: nil, limits: OnnxImport.Limits()).parameters
    }
  }

  static func ranges(_ names: String...) throws -> [Range<Int>] {
    let parameters = try parameters()
    return try names.map { name in
      let parameter = try #require(parameters.first { $0.name == name })
      return parameter.offset..<parameter.offset + parameter.shape.elementCount
    }
  }

  @Test("everything but statistics is trained unless said otherwise")
  func all() throws {
    let groups = try ParameterSelection(rate: 0.5).groups(of: Self.parameters())
    let ranges = try Self.ranges(
      "stem.w", "norm.scale", "norm.shift", "deep.w", "deep.b", "head.w")
    #expect(groups == [ParameterGroup(name: "body", rate: 0.5, ranges: ranges)])
    #expect(groups[0].elementCount == 216 + 8 + 8 + 288 + 8 + 80)
  }

  @Test("the classifier has its own group and rate")
  func classifier() throws {
    var selection = ParameterSelection(rate: 0.5, classifierRate: 5)
    selection.classifier = ["head.*"]
    let body = try Self.ranges("stem.w", "norm.scale", "norm.shift", "deep.w", "deep.b")
    let head = try Self.ranges("head.w")
    let groups = try selection.groups(of: Self.parameters())
    #expect(
      groups == [
        ParameterGroup(name: "body", rate: 0.5, ranges: body),
        ParameterGroup(name: "classifier", rate: 5, ranges: head),
      ])
  }

  @Test("what is frozen or not in the list of the trained is in no group")
  func frozen() throws {
    var selection = ParameterSelection(rate: 1)
    selection.frozen = ["head*", "*ee*", "stem.?"]
    var wanted = try Self.ranges("norm.scale", "norm.shift")
    #expect(try selection.groups(of: Self.parameters()).flatMap(\.ranges) == wanted)
    selection = ParameterSelection(rate: 1)
    selection.trained = ["norm*", "deep.b"]
    selection.frozen = ["*.s?ift"]
    wanted = try Self.ranges("norm.scale", "deep.b")
    #expect(try selection.groups(of: Self.parameters()).flatMap(\.ranges) == wanted)
  }

  @Test("a pattern without a parameter, and nothing left to train, are refused")
  func refusals() throws {
    let parameters = try Self.parameters()
    for change: @Sendable (inout ParameterSelection) -> Void in [
      { $0.frozen = ["haed*"] }, { $0.classifier = ["Head*"] }, { $0.trained = [""] },
      { $0.frozen = ["*"] }, { $0.trained = ["norm.mean"] },
    ] {
      var selection = ParameterSelection(rate: 1)
      change(&selection)
      #expect(throws: Das3Error.self) { try selection.groups(of: parameters) }
    }
  }

  @Test(
    "a star is any characters, a question mark is one",
    arguments: [
      ("", "", true), ("", "*", true), ("a", "", false), ("abc", "abc", true), ("abc", "ab", false),
      ("abc", "a*", true), ("abc", "*c", true), ("abc", "*b*", true), ("abc", "a?c", true),
      ("abc", "a?", false), ("abc", "????", false), ("abc", "*?*?*?*", true),
      ("mississippi", "m*iss*pi", true), ("mississippi", "m*iss*pa", false), ("a.b", "a?b", true),
      ("ab", "a.b", false), ("é", "?", true),
    ])
  func patterns(_ name: String, _ pattern: String, _ expected: Bool) {
    #expect(ParameterSelection.matches(name, pattern) == expected)
  }

  @Test("a hard pattern takes no longer than name times pattern")
  func hardPattern() {
    let name = String(repeating: "a", count: 2000)
    let pattern = String(repeating: "a*", count: 200) + "b"
    #expect(!ParameterSelection.matches(name, pattern))
  }
}
