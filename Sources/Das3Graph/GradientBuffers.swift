/// Which buffer holds the derivative by each buffer, and what was written to it so far.
///
/// A derivative by a view is the same view of the derivative's buffer, so slices, transpositions
/// and repetitions need no steps of their own.
struct GradientBuffers {
  /// Where in the plan a view of a derivative is written.
  struct Write {
    enum Slot {
      /// The whole output of an accumulating step, which may as well copy.
      case output
      /// A target of a gradient step.
      case input(Int)
      case operand(stage: Int, index: Int)
      /// Overwrites; nothing that it covers is written before.
      case fresh
    }

    var step: Int
    var slot: Slot
    var footprint: Footprint
    /// The step adds, whatever is there.
    var alwaysAdds: Bool
  }

  /// By buffer of the forward pass.
  private(set) var buffers: [Int: Int] = [:]
  /// By buffer of derivatives.
  private(set) var writes: [Int: [Write]] = [:]

  mutating func setBuffer(_ gradient: Int, of buffer: Int) {
    buffers[buffer] = gradient
    writes[gradient] = writes[gradient] ?? []
  }

  mutating func record(_ write: Write, to gradient: Int) {
    writes[gradient, default: []].append(write)
  }

  func isWritten(_ gradient: Int) -> Bool { !(writes[gradient] ?? []).isEmpty }

  /// Whether nothing that the view covers is written yet, and no element of it lies twice.
  func isFresh(_ view: Plan.View) -> Bool {
    let footprint = Footprint(view)
    return footprint.isInjective
      && (writes[view.buffer] ?? []).allSatisfy {
        $0.footprint.relation(to: footprint) == .disjoint
      }
  }
}

extension Plan {
  /// Turns first writes into overwriting ones, and clears what is added to before it is written.
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
      // What is cleared as a whole may be added to by all but those that cannot.
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

  /// `clears`: buffers by the step that first writes them.
  private mutating func insertClears(_ clears: [Int: [Int]]) {
    // The caller writes derivatives of outputs after the forward pass.
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
