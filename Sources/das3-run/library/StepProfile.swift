// JSON of the library in, where the time of a network goes out.
import CDas3
import Foundation

/// What the library has measured of each step; `das3_segmenter_get_profile` describes the fields.
struct StepProfile: Decodable {
  struct Step: Decodable {
    let node, operation, pass: String
    let runs: Int
    let seconds, lastStart, lastSeconds: Double
    let kernel: String?
    let flops, bytes: Double?

    /// Of one run, in the mean.
    var milliseconds: Double { runs > 0 ? 1000 * seconds / Double(runs) : 0 }
  }

  let instructionSet: String
  let threads: Int
  let peakFlops, peakBandwidth: Double
  let steps: [Step]

  /// Reads what the library lends.
  ///
  /// - Parameter get: one of the library's functions that lend a profile.
  /// - Throws: where the library reports a failure.
  init(_ get: (inout UnsafePointer<CChar>?) -> das3_status) throws(Failure) {
    var text: UnsafePointer<CChar>?
    try Failure.check(unsafe get(&text))
    let json = unsafe text.map { unsafe String(cString: $0) } ?? ""
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    do {
      self = try decoder.decode(Self.self, from: Data(json.utf8))
    } catch {
      throw Failure("the profile of the library cannot be read: \(error)")
    }
  }
}
