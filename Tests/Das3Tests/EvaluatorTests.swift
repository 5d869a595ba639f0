import CDas3
import Das3
import Testing

/// The confusion matrix against values counted by hand.
@Suite("Evaluator")
struct EvaluatorTests {
  /// An evaluator that ends itself.
  final class Handle {
    let pointer: OpaquePointer?

    init(classCount: Int32, ignoreLabel: Int32 = 255) {
      var pointer: OpaquePointer?
      #expect(das3_evaluator_create(&pointer, classCount, ignoreLabel) == DAS3_OK)
      self.pointer = pointer
    }

    deinit { das3_evaluator_free(pointer) }

    func add(labels: [UInt8], truth: [UInt8]) {
      #expect(das3_evaluator_add(pointer, labels, truth, truth.count) == DAS3_OK)
    }

    func result(capacity: Int = 255) -> (das3_evaluation, iou: [Double]) {
      var iou = [Double](repeating: -7, count: capacity)
      var evaluation = das3_evaluation()
      evaluation.struct_size = UInt32(MemoryLayout<das3_evaluation>.size)
      iou.withUnsafeMutableBufferPointer {
        evaluation.iou = $0.baseAddress
        evaluation.class_capacity = Int32(capacity)
        #expect(das3_evaluator_get_result(pointer, &evaluation) == DAS3_OK)
      }
      return (evaluation, iou)
    }
  }

  @Test("intersection over union, its mean and the accuracy")
  func counted() {
    let evaluator = Handle(classCount: 3)
    //                         0: 2 right, 1 missed    1: 1 right, 1 missed   2: 1 right
    evaluator.add(labels: [0, 0, 1, 1, 2, 2], truth: [0, 0, 0, 1, 1, 2])
    let (evaluation, iou) = evaluator.result()
    #expect(evaluation.class_count == 3)
    #expect(evaluation.pixel_count == 6)
    #expect(evaluation.pixel_accuracy == 4.0 / 6)
    let expected: [Double] = [2.0 / 3, 1.0 / 3, 0.5, -7]
    #expect(Array(iou[..<4]) == expected)
    #expect(abs(evaluation.miou - 0.5) < 1e-15)
  }

  @Test("a class in neither truth nor prediction is left out of the mean")
  func unseen() {
    let evaluator = Handle(classCount: 4)
    evaluator.add(labels: [0, 1], truth: [0, 1])
    let (evaluation, iou) = evaluator.result()
    #expect(Array(iou[..<4]) == [1, 1, -1, -1])
    #expect(evaluation.miou == 1)
  }

  @Test("a class in truth that is never predicted counts as 0, and so does the reverse")
  func neverPredicted() {
    let missed = Handle(classCount: 2)
    missed.add(labels: [0, 0, 0, 0], truth: [0, 0, 0, 1])
    #expect(missed.result().iou.prefix(2) == [0.75, 0])
    #expect(missed.result().0.miou == 0.375)
    let invented = Handle(classCount: 2)
    invented.add(labels: [0, 1], truth: [0, 0])
    #expect(invented.result().iou[..<2] == [0.5, 0])
    #expect(invented.result().0.miou == 0.25)
  }

  @Test("ignored truth and truth above the classes are not counted", arguments: [0, 1, 255])
  func ignored(_ label: Int32) {
    let evaluator = Handle(classCount: 2, ignoreLabel: label)
    evaluator.add(
      labels: [0, 1, 0, 1, 0], truth: [UInt8(label), UInt8(label), 2, 200, label == 0 ? 1 : 0])
    let (evaluation, _) = evaluator.result()
    #expect(evaluation.pixel_count == 1)
    #expect(evaluation.pixel_accuracy == (label == 0 ? 0 : 1))
  }

  @Test("a label outside the classes is a miss of its truth alone")
  func outsideLabel() {
    let evaluator = Handle(classCount: 2)
    evaluator.add(labels: [0, 255, 7, 1], truth: [0, 0, 1, 1])
    let (evaluation, iou) = evaluator.result()
    #expect(iou[..<2] == [0.5, 0.5])
    #expect(evaluation.pixel_count == 4)
    #expect(evaluation.pixel_accuracy == 0.5)
  }

  @Test("frames add up to one matrix")
  func accumulates() {
    let once = Handle(classCount: 3)
    let often = Handle(classCount: 3)
    let labels: [UInt8] = [0, 1, 2, 0, 1, 2, 2, 2]
    let truth: [UInt8] = [0, 1, 1, 2, 1, 2, 0, 255]
    once.add(labels: labels, truth: truth)
    for index in labels.indices { often.add(labels: [labels[index]], truth: [truth[index]]) }
    #expect(once.result().iou == often.result().iou)
    #expect(once.result().0.miou == often.result().0.miou)
  }

  @Test("without a pixel everything is 0 and no class seen")
  func empty() {
    let (evaluation, iou) = Handle(classCount: 2).result()
    #expect(evaluation.miou == 0 && evaluation.pixel_accuracy == 0 && evaluation.pixel_count == 0)
    #expect(iou[..<2] == [-1, -1])
  }

  @Test("class counts, pointers and capacities out of range are refused")
  func arguments() {
    for count in [Int32.min, -1, 0, 256, .max] {
      var pointer = OpaquePointer(bitPattern: 8)
      #expect(das3_evaluator_create(&pointer, count, 255) == DAS3_E_ARGUMENT)
      #expect(pointer == nil)
      #expect(lastError().contains("class_count"))
    }
    let evaluator = Handle(classCount: 3)
    let bytes: [UInt8] = [0]
    #expect(das3_evaluator_add(evaluator.pointer, nil, bytes, 1) == DAS3_E_ARGUMENT)
    #expect(das3_evaluator_add(evaluator.pointer, bytes, nil, 1) == DAS3_E_ARGUMENT)
    #expect(das3_evaluator_add(evaluator.pointer, bytes, bytes, -1) == DAS3_E_ARGUMENT)
    #expect(das3_evaluator_add(evaluator.pointer, bytes, bytes, 0) == DAS3_OK)
    #expect(das3_evaluator_get_result(evaluator.pointer, nil) == DAS3_E_ARGUMENT)
    var evaluation = das3_evaluation()
    for size: UInt32 in ArgumentTests.structSizes {
      evaluation.struct_size = size
      #expect(das3_evaluator_get_result(evaluator.pointer, &evaluation) == DAS3_E_ARGUMENT)
    }
    var iou = [Double](repeating: -7, count: 2)
    iou.withUnsafeMutableBufferPointer {
      evaluation.struct_size = UInt32(MemoryLayout<das3_evaluation>.size)
      evaluation.iou = $0.baseAddress
      evaluation.class_capacity = 2
      #expect(das3_evaluator_get_result(evaluator.pointer, &evaluation) == DAS3_E_ARGUMENT)
    }
    #expect(lastError().contains("class_capacity"))
    #expect(iou == [-7, -7])
  }
}
