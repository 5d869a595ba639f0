import Das3Graph
import Testing

/// Class names, colours and preprocessing: which source decides, what is refused.
@Suite("Metadata")
struct MetadataTests {
  private func read(_ sources: String...) throws -> Metadata {
    try Metadata(sources.map { try #require(try Json(parsing: $0).object) })
  }

  @Test("without any source pixels are scaled to 0…1 and classes have no names")
  func defaults() throws {
    let metadata = try Metadata([])
    #expect(metadata.classes == nil && metadata.colours == nil && metadata.outputName == nil)
    #expect(metadata.ignoreLabel == 255 && !metadata.swapsColours && metadata.isProbability == nil)
    #expect(metadata.scale == 1.0 / 255)
    #expect(metadata.mean == [0, 0, 0] && metadata.deviation == [1, 1, 1])
  }

  @Test("every key is read")
  func everything() throws {
    let metadata = try read(
      """
      {"classes": ["a", "b"], "colours": [[1, 2, 3], [4, 5, 6]], "ignore": 11,
       "input": {"colour_order": "bgr", "scale": 2, "mean": [1, 2, 3], "std": [4, 5, 6]},
       "output": {"name": "out", "kind": "probabilities"}}
      """)
    #expect(metadata.classes == ["a", "b"])
    #expect(metadata.colours?.map { [$0.red, $0.green, $0.blue] } == [[1, 2, 3], [4, 5, 6]])
    #expect(metadata.ignoreLabel == 11 && metadata.swapsColours && metadata.scale == 2)
    #expect(metadata.mean == [1, 2, 3] && metadata.deviation == [4, 5, 6])
    #expect(metadata.outputName == "out" && metadata.isProbability == true)
  }

  @Test("the first source that has a key decides it; others give what it leaves out")
  func precedence() throws {
    let options = #"{"classes": ["option"]}"#
    let file = #"{"classes": ["file"], "ignore": 7, "input": {"scale": 3}}"#
    let sidecar =
      #"{"classes": ["side"], "ignore": 9, "input": {"mean": [9]}, "output": {"kind": "logits"}}"#
    let metadata = try read(options, file, sidecar)
    #expect(metadata.classes == ["option"])
    #expect(metadata.ignoreLabel == 7)
    // The keys inside `input` count one by one.
    #expect(metadata.scale == 3 && metadata.mean == [9, 9, 9])
    #expect(metadata.isProbability == false)
  }

  @Test("one value of mean or std stands for all channels")
  func oneValue() throws {
    let metadata = try read(#"{"input": {"mean": [0.5], "std": [0.25]}}"#)
    #expect(metadata.mean == [0.5, 0.5, 0.5] && metadata.deviation == [0.25, 0.25, 0.25])
  }

  @Test(
    "what is not as it should be is refused by its key",
    arguments: [
      (#"{"input": {"color_order": "bgr"}}"#, "color_order"),
      (#"{"classes": "a"}"#, "classes"), (#"{"classes": ["a", 1]}"#, "classes"),
      (#"{"colours": [[1, 2]]}"#, "colours"), (#"{"colours": [[1, 2, 256]]}"#, "colours"),
      (#"{"colours": [[1, 2, -1]]}"#, "colours"), (#"{"ignore": 256}"#, "ignore"),
      (#"{"ignore": -1}"#, "ignore"), (#"{"ignore": "x"}"#, "ignore"), (#"{"input": []}"#, "input"),
      (#"{"input": {"colour_order": "gbr"}}"#, "colour_order"),
      (#"{"input": {"mean": [1, 2]}}"#, "mean"), (#"{"input": {"std": 3}}"#, "std"),
      (#"{"input": {"std": [1, 0, 1]}}"#, "std"), (#"{"output": {"kind": "scores"}}"#, "kind"),
    ])
  func refused(_ text: String, _ key: String) {
    let error = #expect(throws: Das3Error.self) { try read(text) }
    #expect(error?.code == .format)
    #expect(error?.message.contains(key) == true, "\(error?.message ?? "")")
  }

  @Test("entries of an ONNX file that are no JSON are left out")
  func ofFile() {
    let json = Metadata.json(ofFile: [
      "classes": #"["a"]"#, "ignore": "3", "input": "{damaged", "author": #""me""#,
    ])
    #expect(json == ["classes": .array([.string("a")]), "ignore": .number(3)])
  }

  @Test(
    "presets have their number of classes and a colour for each",
    arguments: [
      ("cityscapes19", 19, "road"), ("synthia16", 16, "road"), ("synthia13", 13, "road"),
      ("crosscity13", 13, "road"), ("camvid11", 11, "Sky"),
    ])
  func presets(_ name: String, _ count: Int, _ first: String) throws {
    let metadata = try Metadata([try #require(ClassPresets.json(named: name))])
    #expect(metadata.classes?.count == count)
    #expect(metadata.colours?.count == count)
    #expect(metadata.classes?.first == first)
    #expect(Set(metadata.classes ?? []).count == count)
  }

  @Test("an unknown preset is nil")
  func unknownPreset() { #expect(ClassPresets.json(named: "cityscapes") == nil) }

  @Test("classes without colours get 255 different ones")
  func defaultColours() {
    let colours = (0..<255).map { Metadata.defaultColour($0) }
    #expect(Set(colours.map { [$0.red, $0.green, $0.blue] }).count == 255)
  }
}
