import CDas3
import Das3Graph
import Das3Runtime

/// What `das3_evaluator` points to.
final class EvaluatorObject {
  var matrix: ConfusionMatrix
  init(_ matrix: ConfusionMatrix) { self.matrix = matrix }
}

@c @implementation
public func das3_evaluator_create(
  _ out: UnsafeMutablePointer<OpaquePointer?>?, _ class_count: Int32, _ ignore_label: Int32
) -> das3_status {
  unsafe status(creating: out) { () throws(Das3Error) in
    EvaluatorObject(
      try ConfusionMatrix(classCount: Int(class_count), ignoreLabel: Int(ignore_label)))
  }
}

@c @implementation
public func das3_evaluator_add(
  _ evaluator: OpaquePointer?, _ labels: UnsafePointer<UInt8>?, _ truth: UnsafePointer<UInt8>?,
  _ count: Int
) -> das3_status {
  unsafe status(of: evaluator, "evaluator") { (object: EvaluatorObject) throws(Das3Error) in
    guard count >= 0 else { throw .argument("count is above \(Int.max)") }
    guard let labels = unsafe labels else { throw .argument("labels is NULL") }
    guard let truth = unsafe truth else { throw .argument("truth is NULL") }
    unsafe object.matrix.add(
      labels: Span(_unsafeStart: labels, count: count),
      truth: Span(_unsafeStart: truth, count: count))
  }
}

@c @implementation
public func das3_evaluator_get_result(
  _ evaluator: OpaquePointer?, _ result: UnsafeMutablePointer<das3_evaluation>?
) -> das3_status {
  unsafe status(of: evaluator, "evaluator") { (object: EvaluatorObject) throws(Das3Error) in
    let matrix = object.matrix
    let overlaps = matrix.overlaps
    guard let result = unsafe result else { throw .argument("result is NULL") }
    var value = try unsafe VersionedStruct.read(
      UnsafePointer(result), defaults: das3_evaluation(), "result")
    if let iou = unsafe value.iou {
      guard unsafe value.class_capacity >= matrix.classCount else {
        throw .argument(
          "class_capacity is \(unsafe value.class_capacity); expected \(matrix.classCount)")
      }
      for (index, overlap) in overlaps.enumerated() { unsafe iou[index] = overlap.iou ?? -1 }
    }
    unsafe value.class_count = Int32(matrix.classCount)
    unsafe value.miou = overlaps.meanIoU
    unsafe value.pixel_accuracy = matrix.pixelAccuracy
    unsafe value.pixel_count = matrix.pixelCount
    try unsafe VersionedStruct.write(value, to: result, "result")
  }
}

@c @implementation
public func das3_evaluator_free(_ evaluator: OpaquePointer?) {
  unsafe Handle.end(evaluator, as: EvaluatorObject.self)
}
