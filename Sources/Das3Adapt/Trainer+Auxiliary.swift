import Das3Graph
import Das3Runtime

/// Auxiliary classifiers: they learn to say what the network's own says, although they do not see all
/// channels that it sees.
extension Trainer {
  /// What a gradient trains of them, at one rate.
  static func groups(_ auxiliary: AuxiliaryClassifiers?, rate: Float) -> [ParameterGroup] {
    guard let auxiliary else { return [] }
    return [ParameterGroup(name: "auxiliary", rate: rate, ranges: auxiliary.trained)]
  }

  /// Begins with copies of the network's own classifier.
  func copyClassifier() {
    guard let auxiliary else { return }
    for (original, copy) in auxiliary.copies {
      for (source, target) in zip(original, copy) {
        unsafe student.pointer[target] = student.pointer[source]
      }
    }
    executor.prepare(student)
  }

  /// Lays masks before the classifiers.
  ///
  /// They are 0 where there are none, so that whatever else is in that memory becomes no gradient.
  ///
  /// - Throws: `.shape` where they are not as many, or not as large, as the classifiers want.
  func writeMasks(_ masks: [[Float]]?) throws(Das3Error) {
    let sizes = auxiliary?.maskSizes ?? []
    guard masks.map({ $0.map(\.count) == sizes }) ?? true else {
      throw .shape("masks do not fit auxiliary classifiers, which read \(sizes) channels")
    }
    for (index, size) in sizes.enumerated() {
      executor.write(masks?[index] ?? [Float](repeating: 0, count: size), to: index + 1)
    }
  }

  /// Adds the consistency of each classifier with the original, which is held.
  ///
  /// It writes the gradients of all outputs beside the scores, at the size that these have before
  /// they are enlarged.
  func addAuxiliaryLosses(
    to values: inout Losses.Values, isCompared: Bool, _ scale: Float
  ) throws(Das3Error) {
    guard let auxiliary else { return }
    let (plan, threads) = (executor.plan, executor.options.threads)
    let original = plan.outputs[auxiliary.original]
    let (height, width, classCount) = (original.shape[2], original.shape[3], original.shape[1])
    let probabilities = unsafe scratch.pointer(
      at: scratch.elementCount - original.shape.elementCount)
    if isCompared {
      unsafe Prediction.softmax(
        scores: executor.output(auxiliary.original), stride: original.pixelStride ?? classCount,
        shape: original.shape, into: probabilities, scratch: scratch, threads: threads)
    }
    let ignored = ignoredNow?.fitted(height: height, width: width)
    for index in plan.outputs.indices.dropFirst() {
      var losses = Losses()
      if isCompared, index != auxiliary.original { losses.consistency = self.losses.consistency }
      let stride = plan.outputs[index].pixelStride ?? classCount
      let gradientStride = plan.outputGradients[index].pixelStride ?? classCount
      let found = try unsafe withOptionalPointer(ignored?.marks) {
        ignored -> Result<Losses.Values, Das3Error> in
        do throws(Das3Error) {
          let batch = try unsafe Losses.Batch(
            scores: executor.output(index), scoreStride: stride, pixelCount: height * width,
            classCount: classCount, probabilities: UnsafePointer(probabilities), ignored: ignored,
            gradient: executor.outputGradient(index), gradientStride: gradientStride)
          return .success(
            try measure("losses") { () throws(Das3Error) in
              try losses.evaluate(batch, scale: scale, scratch: scratch, threads: threads)
            })
        } catch {
          return .failure(error)
        }
      }.get()
      values.consistency += found.consistency
      values.total += found.total
    }
  }
}
