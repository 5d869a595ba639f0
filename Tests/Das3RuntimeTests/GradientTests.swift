import Das3Graph
import Das3Runtime
import Das3TestSupport
import Testing

/// Every case of the table: derivatives by data and parameters against finite differences of the
/// reference in double.
@Suite("Gradient")
struct GradientTests {
  /// Steps of 1e-6 in double leave about 1e-9 of the value; float32 sums of some thousand terms and
  /// functions computed again leave 1e-4 of the largest derivative.
  static let tolerance = 3e-4

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
    let weights = seeds.flatMap { $0 }.map { Double($0) }
    func loss(_ values: [[Double]]) throws -> Double {
      zip(try test.reference(values), weights).reduce(0) { $0 + $1.0 * $1.1 }
    }
    let values = test.valuesOfTrainable
    let centre = try loss(values)
    guard centre.isFinite else { return }
    var random = SplitMix64(seed: 11)
    // Statistics are constants, also where they are computed.
    for (index, input) in test.inputs.enumerated() where !input.name.hasSuffix("variance") {
      let name = OperatorCase.trainableName(of: input)
      guard let count = actual[0].gradients[name]?.count else { continue }
      let chosen = Int.random(in: 0..<count, using: &random)
      for direction in [
        (0..<count).map { $0 == chosen ? 1.0 : 0 },
        (0..<count).map { _ in Double.random(in: -1...1, using: &random) },
      ] {
        func slope(_ step: Double) throws -> Double {
          var values = values
          for i in 0..<count { values[index][i] += step * direction[i] }
          return try (loss(values) - centre) / step
        }
        let (right, left) = try (slope(1e-6), slope(-1e-6))
        let norm = direction.reduce(0) { $0 + $1 * $1 }.squareRoot()
        for (backend, gradients) in actual {
          let gradient = gradients[name] ?? []
          let scale = gradient.reduce(0.0) { max($0, abs(Double($1))) }
          // The two sides of a kink have derivatives of their own.
          guard right.isFinite, abs(right - left) <= 1e-3 * max(abs(right), abs(left), scale)
          else { continue }
          let expected = (right + left) / 2
          let found = zip(gradient, direction).reduce(0) { $0 + Double($1.0) * $1.1 }
          let allowed = Self.tolerance * max(scale * norm, abs(expected)) + 1e-7 * abs(centre)
          #expect(
            abs(found - expected) <= allowed,
            "\(backend): '\(name)' gives \(found), differences \(expected)")
        }
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
