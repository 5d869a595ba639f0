// The words of --save in, the pictures to write out.
import ArgumentParser

enum SavedOutput: String, CaseIterable {
  case labels
  case confidence
  case entropy

  var output: Segmentation.Output {
    switch self {
    case .labels: .labels
    case .confidence: .confidence
    case .entropy: .entropy
    }
  }

  /// Reads the value of the command line option: words with commas between them.
  static func list(argument: String) throws -> [SavedOutput] {
    let words = argument.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
    return try words.map { word in
      guard let output = SavedOutput(rawValue: word) else {
        let known = allCases.map(\.rawValue).joined(separator: ", ")
        throw ValidationError("'\(word)' is not one of \(known)")
      }
      return output
    }
  }
}
