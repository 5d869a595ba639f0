import Das3Graph
import Das3Runtime
import Das3TestSupport
import Testing

/// Every case of the table: derivatives by data and parameters against finite differences of the
/// reference in double.
@Suite("Gradient")
struct GradientTests {
  @Test("derivatives are those of the definition", arguments: OperatorCase.table)
  func matchesDifferences(_ test: OperatorCase) throws {
    var actual: [(backend: ExecutionOptions.Backend, gradients: [String: [Float]])] = []
    var seeds: [[Float]] = []
    for backend in ForwardTests.backends {
      let options = ExecutionOptions(threads: 1, backend: backend, packsPerRun: true)
      guard let trainer = try OperatorCase.Trainer(test.trainable, options) else { return }
      actual.append((backend, trainer.gradients()))
      seeds = trainer.seeds
    }
    for slope in try test.slopes(seeds, of: actual[0].gradients) {
      for (backend, gradients) in actual {
        let gradient = gradients[slope.parameter] ?? []
        guard let expected = slope.expected(gradient) else { continue }
        let norm = slope.direction.reduce(0) { $0 + $1 * $1 }.squareRoot()
        let scale = gradient.reduce(0.0) { max($0, abs(Double($1))) }
        let found = zip(gradient, slope.direction).reduce(0) { $0 + Double($1.0) * $1.1 }
        let allowed =
          OperatorCase.Slope.tolerance * max(scale * norm, abs(expected)) + slope.slack
        #expect(
          abs(found - expected) <= allowed,
          "\(backend): '\(slope.parameter)' gives \(found), differences \(expected)")
      }
    }
  }

  @Test("with the least memory every bit is the same", arguments: OperatorCase.table)
  func recomputes(_ test: OperatorCase) throws {
    let options = ExecutionOptions(threads: 2, packsPerRun: true)
    guard let free = try OperatorCase.Trainer(test.trainable, options),
      let tight = try OperatorCase.Trainer(test.trainable, options, frameElementLimit: 0)
    else { return }
    #expect(tight.plan.frameElementCount <= free.plan.frameElementCount)
    let isSame = bits(free.gradients()) == bits(tight.gradients())
    #expect(isSame)
  }

  @Test("with statistics of the frame, a view of parameters is as good as a parameter")
  func batchNormOfViews() throws {
    let long = (0..<12).map { Float($0) / 8 + 0.5 }
    func gradient(_ scale: OperatorCase.Input, _ front: [OnnxWriter.Node]) throws -> [Float] {
      let test = OperatorCase(
        "batchnorm 2×6×5×7",
        inputs: [
          .frame([2, 6, 5, 7]).named("x"), scale, .weight([6]).named("shift"),
          .weight([6]).named("mean"), .weight([6], 0.5...1).named("variance"),
          .ints([0]).named("zero"), .ints([12]).named("end"), .ints([2]).named("two"),
        ],
        nodes: front + [
          OnnxWriter.Node("BatchNormalization", ["x", "scale", "shift", "mean", "variance"], ["y"])
        ])
      let options = ExecutionOptions(threads: 1, packsPerRun: true)
      let trainer = try OperatorCase.Trainer(test, options, batchNorm: .batch)
      return try #require(trainer?.gradients()[scale.name])
    }
    let slice = OnnxWriter.Node("Slice", ["long", "zero", "end", "zero", "two"], ["scale"])
    let viewed = try gradient(.weight([12], floats: long).named("long"), [slice])
    let even = (0..<6).map { 2 * $0 }
    let scale = OperatorCase.Input.weight([6], floats: even.map { long[$0] }).named("scale")
    #expect(try gradient(scale, []) == even.map { viewed[$0] })
    #expect(even.allSatisfy { viewed[$0 + 1] == 0 })
  }

  @Test("a quantized activation lets the gradient straight through where it is not saturated")
  func straightThrough() throws {
    let values = (0..<60).map { Float($0) / 4 - 7.4 }
    let test = OperatorCase(
      "fake quantization", opset: 21,
      inputs: [
        .weight([1, 60], floats: values).named("x"), .scalar(0.05).named("scale"),
        OperatorCase.Input.typed([], [-28], type: OnnxTensor.int8).named("zero"),
      ],
      nodes: [
        OnnxWriter.Node("QuantizeLinear", ["x", "scale", "zero"], ["q"]),
        OnnxWriter.Node("DequantizeLinear", ["q", "scale", "zero"], ["y"]),
      ])
    let options = ExecutionOptions(threads: 1, packsPerRun: true)
    let trainer = try #require(try OperatorCase.Trainer(test, options))
    // −128 + 28 and 127 + 28 steps of 0.05, and half a step.
    let expected = zip(values, trainer.seeds[0]).map { value, seed in
      value > -100.5 * 0.05 && value < 155.5 * 0.05 ? seed : 0
    }
    #expect(expected.contains(0))
    for (found, wanted) in zip(try #require(trainer.gradients()["x"]), expected) {
      #expect(abs(found - wanted) <= 1e-6 * abs(wanted))
    }
  }

  @Test("threads, repetition and accumulation", arguments: OperatorCase.table)
  func isDeterministic(_ test: OperatorCase) throws {
    let test = test.trainable
    for backend in ForwardTests.backends {
      let one = ExecutionOptions(threads: 1, backend: backend, packsPerRun: true)
      guard let trainer = try OperatorCase.Trainer(test, one) else { return }
      let first = trainer.gradients()
      let again = trainer.gradients()
      let isRepeatable = bits(first) == bits(again)
      #expect(isRepeatable, "\(backend): a second run differs")
      let twice = trainer.gradients(times: 2)
      for (name, values) in first {
        let worst = zip(values, twice[name] ?? []).reduce(0) { max($0, abs(2 * $1.0 - $1.1)) }
        let scale = values.reduce(0) { max($0, abs($1)) }
        #expect(!(worst > 1e-5 * scale), "\(backend): two runs give not twice '\(name)'")
      }
      let three = ExecutionOptions(threads: 3, backend: backend, packsPerRun: true)
      guard let parallel = try OperatorCase.Trainer(test, three)?.gradients() else { continue }
      let isSame = bits(first) == bits(parallel)
      #expect(isSame, "\(backend): 3 threads differ")
    }
  }

  private func bits(_ gradients: [String: [Float]]) -> [String: [UInt32]] {
    gradients.mapValues { $0.map(\.bitPattern) }
  }
}
