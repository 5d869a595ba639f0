/// The same operator among others: what it reads and writes is then no tensor of its own.
extension OperatorCase {
  package enum Context: CaseIterable, Sendable {
    /// Every input that comes at run time is a transposed view.
    case transposed
    /// Every input that comes at run time is cut out of a larger one, the last axis backwards.
    case cut
    /// The result is scaled per channel and added to itself.
    case followed
    /// The result lies between two others in a concatenation of channels.
    case concatenated
  }

  package func inContext(_ context: Context) -> OperatorCase {
    switch context {
    case .transposed: rebuilt("of transposed views", transposing)
    case .cut: rebuilt("of cut views", cutting)
    case .followed: followed
    case .concatenated: concatenated
    }
  }

  private func rebuilt(
    _ suffix: String, _ change: (Input) -> (Input, [Input], [OnnxWriter.Node])?
  ) -> OperatorCase {
    var result = self
    result.name += " " + suffix
    result.inputs = []
    var front: [OnnxWriter.Node] = []
    for input in inputs {
      guard input.role == .frame, !input.dims.isEmpty, let changed = change(input) else {
        result.inputs.append(input)
        continue
      }
      result.inputs.append(changed.0)
      result.inputs += changed.1
      front += changed.2
    }
    result.nodes = front + nodes
    return result
  }

  private func transposing(_ input: Input) -> (Input, [Input], [OnnxWriter.Node])? {
    guard case .uniform = input.values, input.dims.count > 1 else { return nil }
    var source = input.named(input.name + ".t")
    source.dims.reverse()
    return (source, [], [OnnxWriter.Node("Transpose", [source.name], [input.name])])
  }

  private func cutting(_ input: Input) -> (Input, [Input], [OnnxWriter.Node])? {
    // Before opset 10 a slice has attributes and no steps.
    guard case .uniform = input.values, opset >= 10 else { return nil }
    var source = input.named(input.name + ".c")
    source.dims = input.dims.map { $0 + 2 }
    let rank = input.dims.count
    let last = input.dims[rank - 1]
    let lists: [(String, [Int])] = [
      ("starts", [Int](repeating: 1, count: rank - 1) + [last]),
      ("ends", input.dims.dropLast().map { $0 + 1 } + [0]),
      ("axes", Array(0..<rank)), ("steps", [Int](repeating: 1, count: rank - 1) + [-1]),
    ]
    let constants = lists.map { Input.ints($0.1).named("\(input.name).\($0.0)") }
    let node = OnnxWriter.Node("Slice", [source.name] + constants.map(\.name), [input.name])
    return (source, constants, [node])
  }

  /// Channels of the first output, nil where it is no image of floats.
  private var outputDims: [Int]? {
    guard let y = try? referenceTensors(inputValues)[0], !y.isInteger, y.dims.count > 1 else {
      return nil
    }
    return y.dims
  }

  private var loosened: Tolerance {
    Tolerance(
      absolute: tolerance.absolute + 2e-5, relative: tolerance.relative + 1e-6,
      "the rounding of sums that may be thirty times as large as the result")
  }

  private var followed: OperatorCase {
    guard let dims = outputDims else { return self }
    var result = self
    result.name += " and a chain"
    let ones = [Int](repeating: 1, count: dims.count - 2)
    result.inputs.append(.weight([dims[1]] + ones, 0.5...1.5).named("after.scale"))
    result.inputs.append(.frame(dims, 0.5...1).named("after.shift"))
    result.nodes += [
      OnnxWriter.Node("Mul", ["after.scale", outputs[0]], ["after.scaled"]),
      OnnxWriter.Node("Tanh", ["after.scaled"], ["after.bounded"]),
      OnnxWriter.Node("Sub", ["after.shift", "after.bounded"], ["after.sum"]),
    ]
    result.outputs[0] = "after.sum"
    result.tolerance = loosened
    return result
  }

  private var concatenated: OperatorCase {
    guard let dims = outputDims, dims.count == 4 else { return self }
    var result = self
    result.name += " in a concatenation"
    result.inputs.append(.frame([dims[0], 2, dims[2], dims[3]]).named("beside"))
    result.nodes += [
      OnnxWriter.Node("Relu", ["beside"], ["beside.first"]),
      OnnxWriter.Node("Abs", [outputs[0]], ["beside.last"]),
      OnnxWriter.Node(
        "Concat", ["beside.first", outputs[0], "beside.last"], ["together"], ["axis": .int(1)]),
    ]
    result.outputs[0] = "together"
    return result
  }
}

extension [OperatorCase] {
  /// The cases, followed by those that make sense in each context.
  package func inContexts(_ contexts: [OperatorCase.Context]) -> [OperatorCase] {
    self
      + contexts.flatMap { context in
        zip(self, self.map { $0.inContext(context) }).filter { $0.name != $1.name }.map(\.1)
      }
  }
}
