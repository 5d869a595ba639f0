import Das3Adapt
import Das3Graph
import Das3Runtime
import Das3TestSupport
import Testing

/// A teacher whose classes are not the student's.
@Suite("A network as teacher")
struct ModelTeacherTests {
  static func model(_ classes: [String]) throws -> SegmentationModel {
    let onnx = try SampleModels.convolutional().serialized().withUnsafeBytes { bytes in
      try OnnxImport.load(bytes: bytes, directory: nil, limits: OnnxImport.Limits())
    }
    var metadata = Metadata()
    metadata.classes = classes
    return try SegmentationModel(onnx, metadata: metadata)
  }

  @Test("of a class that the teacher lacks it says nothing, also not that it is nowhere")
  func unknown() throws {
    let student = try Self.model(["road", "sky", "car", "tree", "person"])
    let teacher = try ModelTeacher(
      Self.model(["sky", "road", "cart", "tree", "person"]), student: student,
      options: ExecutionOptions(threads: 1))
    #expect(teacher.unknownClasses == [2])
    let shape = Shape([1, 5, 2, 3])
    var planes = [Float](repeating: 0, count: 30)
    for pixel in 0..<6 { planes[pixel] = 1 }
    var prediction = Prediction(shape: shape)
    try prediction.fill(
      .probabilities(planes, height: 2, width: 3), negativeThreshold: 0.05, threads: 1)
    #expect(prediction.negatives == [UInt8](repeating: 0b11110, count: 6))
    prediction.unmark(teacher.unknownClasses)
    #expect(prediction.negatives == [UInt8](repeating: 0b11010, count: 6))
  }
}
