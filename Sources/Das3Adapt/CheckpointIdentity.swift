import Das3Graph

/// What a checkpoint must agree in with the run that goes on, by keys that do not follow the names of
/// this code: renaming something here leaves the checkpoints of users what they are.
struct CheckpointIdentity: Sendable, Equatable {
  /// Keys and values that a message can show.
  var fields: [String: String]

  /// - Throws: `.argument` naming the first thing in which they differ.
  func check(against other: Self) throws(Das3Error) {
    guard fields["model"] == other.fields["model"] else {
      throw .argument("the checkpoint belongs to another model")
    }
    let keys = Set(fields.keys).union(other.fields.keys)
    for key in keys.subtracting(["pictures", "labelled", "mask"]).sorted() {
      guard fields[key] == other.fields[key] else {
        // Stages have letters for keys.
        let what = key.count == 1 ? "stage \(key) of" : key
        throw .argument(
          "the checkpoint belongs to a run with \(what) \(fields[key] ?? "unknown"); here it is \(other.fields[key] ?? "unknown")"
        )
      }
    }
    guard fields["labelled"] == other.fields["labelled"] else {
      throw .argument("the checkpoint belongs to a run that other labelled frames judge")
    }
    guard fields["mask"] == other.fields["mask"] else {
      throw .argument("the checkpoint belongs to a run with another mask of ignored pixels")
    }
    if let mine = fields["pictures"], let others = other.fields["pictures"], mine != others {
      throw .argument("the checkpoint belongs to a run on other frames")
    }
  }
}
