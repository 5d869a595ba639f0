internal import CKernels
import Das3Graph
import Das3Runtime

/// Weights that follow those in training slowly: what single steps did by chance is hardly in them.
final class SlowCopy {
  let weights: WeightSet
  private let trainer: Trainer
  private let count: Int
  private let threads: Int

  /// - Parameters:
  ///   - context: of the run.
  ///   - kept: where a run that goes on had left it; empty = it begins.
  ///   - start: where it begins.
  /// - Throws: `.memory` where the machine does not suffice.
  init(_ context: StageContext, at kept: [Float], or start: [Float]) throws(Das3Error) {
    trainer = context.trainer
    threads = context.settings.execution.threads
    count = start.count
    weights = try trainer.makeWeights(kept.isEmpty ? start : kept)
  }

  var values: [Float] { weights.values }
  var byteCount: Int { trainer.byteCount(beside: weights) }

  /// What is kept after a step, counted from 0, of a copy that is a mean of all weights at first:
  /// min(1 − 1 / (step + 1), `most`).
  static func growingMomentum(_ step: Int, atMost most: Double) -> Double {
    min(1 - 1 / Double(step + 1), most)
  }

  /// copy ← momentum · copy + (1 − momentum) · weights in training, or `other`.
  func follow(_ other: SlowCopy? = nil, momentum: Double) {
    let leader = other?.weights ?? trainer.student
    unsafe d3k_average(Int32(threads), weights.pointer, leader.pointer, Int64(count), momentum)
    trainer.prepare(weights)
  }
}
