import Das3Graph
import Das3Runtime
import Das3TestSupport
import Testing

/// Every case of the table against the reference in double, on every backend.
@Suite("Forward")
struct ForwardTests {
  static let backends: [ExecutionOptions.Backend] =
    ExecutionOptions.bestBackend == .oneDNN ? [.oneDNN, .openBLAS] : [.openBLAS]

  @Test(
    "results are those of the definition, for one and three threads", arguments: OperatorCase.table)
  func matchesReference(_ test: OperatorCase) throws {
    let expected = try test.referenceTensors(test.inputValues)
    for backend in Self.backends {
      let (first, again) = try twoRuns(test, backend, threads: 1)
      expectEqual(first, expected, test.tolerance, "\(backend)")
      let (parallel, repeated) = try twoRuns(test, backend, threads: 3)
      expectEqual(parallel, expected, test.tolerance, "\(backend), 3 threads")
      let isRepeatable = bits(first) == bits(again) && bits(parallel) == bits(repeated)
      #expect(isRepeatable, "\(backend): a second run differs")
      let isSame = bits(first) == bits(parallel)
      #expect(isSame, "\(backend): 3 threads differ")
    }
  }

  @Test(
    "without Winograd's filtering, sums are as close as others",
    arguments: OperatorCase.table.filter { $0.tolerance.reason == Tolerance.filtered.reason })
  func sumsDirectly(_ test: OperatorCase) throws {
    let expected = try test.referenceTensors(test.inputValues)
    let options = ExecutionOptions(threads: 2, precision: .f32Direct)
    expectEqual(try OperatorCase.Runner(test, options).run(), expected, .sum, "direct")
  }

  @Test("inputs known when the graph is made give the same", arguments: OperatorCase.table)
  func folds(_ test: OperatorCase) throws {
    let expected = try test.referenceTensors(test.inputValues)
    let options = ExecutionOptions(threads: 2)
    let actual = try OperatorCase.Runner(test, options, foldsInputs: true).run()
    expectEqual(actual, expected, test.tolerance, "folded")
  }

  @Test("images leave with channels last", arguments: OperatorCase.table)
  func channelsLast(_ test: OperatorCase) throws {
    let expected = try test.referenceTensors(test.inputValues)
    let runner = try OperatorCase.Runner(
      test, ExecutionOptions(threads: 2), putsChannelsLast: true)
    expectEqual(runner.run(), expected, test.tolerance, "channels last")
    for view in runner.plan.outputs where view.shape.rank == 4 {
      #expect(view.pixelStride != nil, "strides \(view.strides) of \(view.shape)")
    }
  }

  private typealias Tolerance = OperatorCase.Tolerance
  private typealias Results = [(dims: [Int], values: [Float])]

  private func twoRuns(
    _ test: OperatorCase, _ backend: ExecutionOptions.Backend, threads: Int
  ) throws -> (Results, Results) {
    let runner = try OperatorCase.Runner(test, ExecutionOptions(threads: threads, backend: backend))
    return (runner.run(), runner.run())
  }

  /// Records at most one issue: shapes, then the worst element.
  private func expectEqual(
    _ actual: Results, _ expected: [ReferenceTensor],
    _ tolerance: Tolerance, _ place: String
  ) {
    #expect(actual.map(\.dims) == expected.map(\.dims), "\(place)")
    guard actual.map(\.dims) == expected.map(\.dims) else { return }
    for (output, pair) in zip(actual, expected).enumerated() {
      let finite = pair.1.values.lazy.filter { abs($0) <= Double(Float.greatestFiniteMagnitude) }
      let scale = finite.reduce(0.0) { max($0, abs($1)) }
      var worst: (excess: Double, text: String) = (0, "")
      var wrong = 0
      for (index, (y, exact)) in zip(pair.0.values, pair.1.values).enumerated() {
        let wanted = Float(exact)
        if y == wanted || y.isNaN && wanted.isNaN { continue }
        let allowed =
          max(tolerance.absolute * scale, .leastNonzeroMagnitude) + tolerance.relative * abs(exact)
        let excess = abs(Double(y) - exact) / allowed
        if excess <= 1 { continue }
        wrong += 1
        if !(excess <= worst.excess) {
          worst = (excess, "[\(output)][\(index)] is \(y), expected \(exact)")
        }
      }
      #expect(wrong == 0, "\(place): \(wrong) of \(pair.0.values.count) differ; \(worst.text)")
    }
  }

  private func bits(_ results: Results) -> [[UInt32]] {
    results.map { $0.values.map(\.bitPattern) }
  }
}
