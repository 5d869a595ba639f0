import Das3Graph
import Das3Runtime
import Das3TestSupport
import Foundation
import Testing

/// Times of every case, forward and in training: run once as a check that they run at all, and on
/// request (DAS3_BENCH = how often) printed as medians.
@Suite("Bench")
struct BenchTests {
  static let requested = ProcessInfo.processInfo.environment["DAS3_BENCH"].flatMap { Int($0) }

  @Test("each case runs forward, and backward where it can", arguments: OperatorCase.table)
  func runs(_ test: OperatorCase) throws {
    let count = max(1, Self.requested ?? 1)
    let runner = try OperatorCase.Runner(test, ExecutionOptions(threads: 1))
    let forward = median(count) { _ = runner.run() }
    let training = try OperatorCase.Trainer(
      test.trainable, ExecutionOptions(threads: 1, packsPerRun: true)
    ).map { trainer in median(count) { _ = trainer.gradients() } }
    #expect(forward > .zero && training.map { $0 > .zero } ?? true)
    if Self.requested != nil {
      let backward = training.map(microseconds) ?? "-"
      print("\(microseconds(forward)) \(backward)  \(test.name)")
    }
  }

  private func median(_ count: Int, _ body: () -> Void) -> Duration {
    let clock = ContinuousClock()
    return (0..<count).map { _ in clock.measure(body) }.sorted()[count / 2]
  }

  private func microseconds(_ time: Duration) -> String {
    let value = Double(time.components.seconds) * 1e6 + Double(time.components.attoseconds) * 1e-12
    return String(format: "%10.1f us", value)
  }
}
