/// The gradient buffer of each buffer, and the writes to it so far.
///
/// The gradient of a view is the same view of the gradient buffer, so slices, transpositions and
/// repetitions need no steps in the backward pass.
struct GradientBuffers {
  /// A write to a view of a gradient buffer.
  struct Write {
    enum Slot {
      /// The whole output of an `.accumulate` step, which can become a `.copy` step.
      case output
      /// A target of a gradient step: an input of the differentiated step.
      case input(Int)
      /// A target of a gradient step: an operand of a stage of the differentiated step.
      case operand(stage: Int, index: Int)
      /// An overwriting step; nothing that it covers is written before.
      case fresh
    }

    var step: Int
    var slot: Slot
    var footprint: Footprint
    /// The step can only add, not overwrite.
    var alwaysAdds: Bool
  }

  /// The gradient buffer of each buffer of the forward pass.
  private(set) var buffers: [Int: Int] = [:]
  /// The writes to each gradient buffer.
  private(set) var writes: [Int: [Write]] = [:]

  mutating func setBuffer(_ gradient: Int, of buffer: Int) {
    buffers[buffer] = gradient
    writes[gradient] = writes[gradient] ?? []
  }

  mutating func record(_ write: Write, to gradient: Int) {
    writes[gradient, default: []].append(write)
  }

  func isWritten(_ gradient: Int) -> Bool { !(writes[gradient] ?? []).isEmpty }

  /// Whether no element of the view is written yet, and no two positions of it are the same
  /// element.
  func isFresh(_ view: Plan.View) -> Bool {
    let footprint = Footprint(view)
    return footprint.isInjective
      && (writes[view.buffer] ?? []).allSatisfy {
        $0.footprint.relation(to: footprint) == .disjoint
      }
  }
}

extension Plan {
  /// Makes the first write to each element overwrite it, and clears the buffers whose first write
  /// adds.
  mutating func initialiseGradients(_ gradients: GradientBuffers) {
    var clears: [Int: [Int]] = [:]
    for (buffer, writes) in gradients.writes.sorted(by: { $0.key < $1.key })
    where buffers[buffer].region == .frame {
      guard let first = writes.map(\.step).min() else { continue }
      var covered: [Footprint] = []
      var isCleared = false
      var overwriting: [GradientBuffers.Write] = []
      for write in writes {
        let relations = covered.map { $0.relation(to: write.footprint) }
        if relations.allSatisfy({ $0 == .disjoint }), write.footprint.isInjective {
          covered.append(write.footprint)
          if write.alwaysAdds { isCleared = true } else { overwriting.append(write) }
        } else if !relations.contains(.same) {
          isCleared = true
        }
      }
      let count = covered.reduce(0) { $0 + $1.elementCount }
      if isCleared || count < buffers[buffer].elementCount {
        clears[first, default: []].append(buffer)
        isCleared = true
      }
      // A buffer that is cleared first may be added to by all its writes.
      if !isCleared { for write in overwriting { overwrite(write) } }
    }
    insertClears(clears)
  }

  private mutating func overwrite(_ write: GradientBuffers.Write) {
    switch write.slot {
    case .fresh: return
    case .output: steps[write.step].work = .copy
    case .input(let index):
      guard case .gradient(var gradient) = steps[write.step].work else { return }
      gradient.inputs[index]?.accumulates = false
      steps[write.step].work = .gradient(gradient)
    case .operand(let stage, let index):
      guard case .gradient(var gradient) = steps[write.step].work else { return }
      gradient.operands[stage][index]?.accumulates = false
      steps[write.step].work = .gradient(gradient)
    }
  }

  /// Inserts steps that clear buffers.
  ///
  /// `clears` has the buffers by the step that first writes them.
  private mutating func insertClears(_ clears: [Int: [Int]]) {
    // The caller writes the gradients of outputs after the forward pass, so they are cleared within
    // it.
    let fromOutside = Set(outputGradients.map(\.buffer))
    var result: [Step] = []
    for (index, step) in steps.enumerated() {
      for buffer in clears[index] ?? [] {
        let whole = View(buffer: buffer, shape: [buffers[buffer].elementCount], strides: [1])
        let clear = Step(name: "clear", work: .clear, inputs: [], output: whole, isStatic: false)
        if fromOutside.contains(buffer) {
          result.insert(clear, at: forwardCount)
          forwardCount += 1
        } else {
          result.append(clear)
        }
      }
      result.append(step)
    }
    steps = result
  }
}
