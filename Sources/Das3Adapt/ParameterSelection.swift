import Das3Graph

/// Names of parameters → groups to train: which, and at what rate.
///
/// Patterns match whole names: `*` any characters, `?` one, anything else itself. Running means and
/// variances are never trained by gradient, whatever matches them.
package struct ParameterSelection: Sendable, Equatable {
  /// What may be trained at all.
  package var trained = ["*"]
  /// What is not, though `trained` matches it.
  package var frozen: [String] = []
  /// What goes into a group of its own.
  package var classifier: [String] = []
  package var rate: Float
  package var classifierRate: Float

  /// One rate for both groups unless the classifier's is given.
  package init(rate: Float, classifierRate: Float? = nil) {
    self.rate = rate
    self.classifierRate = classifierRate ?? rate
  }

  /// What is trained, as disjoint ranges in rising order, one a tensor.
  ///
  /// - Parameter parameters: of the model, in the order of the flat weight vector.
  /// - Returns: the groups "body" and "classifier", without one that is empty.
  /// - Throws: `.argument` for a pattern that matches no parameter, and where nothing is left.
  package func groups(of parameters: [OnnxModel.Parameter]) throws(Das3Error) -> [ParameterGroup] {
    for pattern in trained + frozen + classifier {
      guard parameters.contains(where: { Self.matches($0.name, pattern) }) else {
        throw .argument("no parameter is called '\(pattern)'")
      }
    }
    var body: [Range<Int>] = []
    var head: [Range<Int>] = []
    for parameter in parameters where isTrained(parameter) {
      let range = parameter.offset..<parameter.offset + parameter.shape.elementCount
      if Self.matches(parameter.name, anyOf: classifier) {
        head.append(range)
      } else {
        body.append(range)
      }
    }
    let groups = [
      ParameterGroup(name: "body", rate: rate, ranges: body),
      ParameterGroup(name: "classifier", rate: classifierRate, ranges: head),
    ].filter { !$0.ranges.isEmpty }
    guard !groups.isEmpty else { throw .argument("every parameter is frozen") }
    return groups
  }

  private func isTrained(_ parameter: OnnxModel.Parameter) -> Bool {
    !parameter.isStatistic && parameter.shape.elementCount > 0
      && Self.matches(parameter.name, anyOf: trained)
      && !Self.matches(parameter.name, anyOf: frozen)
  }

  /// Whether one of the patterns matches the whole name.
  package static func matches(_ name: String, anyOf patterns: [String]) -> Bool {
    patterns.contains { matches(name, $0) }
  }

  /// Whether the pattern matches the whole name; at most name × pattern comparisons.
  package static func matches(_ name: String, _ pattern: String) -> Bool {
    let name = Array(name.unicodeScalars)
    let pattern = Array(pattern.unicodeScalars)
    var (place, position) = (0, 0)
    // The last star, and where what follows it was last tried.
    var star: (position: Int, place: Int)?
    while place < name.count {
      if position < pattern.count, pattern[position] == "*" {
        star = (position, place)
        position += 1
      } else if position < pattern.count,
        pattern[position] == "?" || pattern[position] == name[place]
      {
        place += 1
        position += 1
      } else if let last = star {
        star = (last.position, last.place + 1)
        (place, position) = (last.place + 1, last.position + 1)
      } else {
        return false
      }
    }
    return pattern[position...].allSatisfy { $0 == "*" }
  }
}
