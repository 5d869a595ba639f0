import CTape
import Das3Graph
import Das3Runtime
import Das3TestSupport
import Foundation

/// Every case of the operator table -> a tape of the kernels that it calls, with what the reference
/// in double expects of their results.
@main
enum Record {
  static func main() throws {
    guard CommandLine.arguments.count == 2, d3t_open(CommandLine.arguments[1]) != 0 else {
      fatal("usage: das3-tape FILE; a file that can be written")
    }
    var counts = Counts()
    for test in OperatorCase.table {
      try recordForward(test, &counts)
      try recordGradient(test, &counts)
    }
    guard d3t_close() != 0 else { fatal("\(CommandLine.arguments[1]) could not be written") }
    print(counts.text)
  }

  private struct Counts {
    var forward = 0, gradient = 0, results = 0, slopes = 0
    /// Not on the tape, and why.
    var folded = 0, withoutGradient = 0, kinks = 0

    var text: String {
      """
      tape: \(OperatorCase.table.count) cases: \(forward) forward with \(results) results, \
      \(gradient) gradients with \(slopes) slopes
      tape: left out: \(folded) forward, known when the graph is made; \(withoutGradient) \
      gradients that do not exist; \(kinks) slopes at kinks
      """
    }
  }

  /// Threads take part in what is recorded only by the sizes of scratch memory.
  private static let options = ExecutionOptions(threads: 3)

  private static func recordForward(_ test: OperatorCase, _ counts: inout Counts) throws {
    let expected = try test.referenceTensors(test.inputValues)
    d3t_begin("forward \(test.name)")
    let runner = try OperatorCase.Runner(test, options)
    _ = runner.run()
    var result: Int32 = 0
    for (tensor, isConstant) in zip(expected, runner.isConstant)
    where !isConstant && !tensor.values.isEmpty {
      d3t_expect(
        result, tensor.values, Int64(tensor.values.count), test.tolerance.absolute,
        test.tolerance.relative)
      result += 1
    }
    d3t_end(result > 0 ? 1 : 0)
    counts.results += Int(result)
    counts.forward += result > 0 ? 1 : 0
    counts.folded += result > 0 ? 0 : 1
  }

  private static func recordGradient(_ test: OperatorCase, _ counts: inout Counts) throws {
    var options = options
    options.packsPerRun = true
    d3t_begin("gradient \(test.name)")
    var slopes = 0
    if let trainer = try OperatorCase.Trainer(test.trainable, options) {
      let gradients = trainer.gradients()
      for slope in try test.slopes(trainer.seeds, of: gradients) {
        guard let place = trainer.place(of: slope.parameter),
          let expected = slope.expected(gradients[slope.parameter] ?? [])
        else {
          counts.kinks += 1
          continue
        }
        d3t_expect_slope(
          place, slope.direction, Int64(slope.direction.count), expected,
          OperatorCase.Slope.tolerance, slope.slack)
        slopes += 1
      }
    }
    d3t_end(slopes > 0 ? 1 : 0)
    counts.slopes += slopes
    counts.gradient += slopes > 0 ? 1 : 0
    counts.withoutGradient += slopes > 0 ? 0 : 1
  }

  private static func fatal(_ message: String) -> Never {
    FileHandle.standardError.write(Data("das3-tape: \(message)\n".utf8))
    exit(1)
  }
}
