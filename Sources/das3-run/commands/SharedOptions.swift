// The options that every command takes.
import ArgumentParser
import Foundation

struct SharedOptions: ParsableArguments {
  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Worker threads, at most one per core; 0 = one per core.", valueName: "N")
  )
  var threads = 0

  @Option(help: "Arithmetic of convolutions and matrix products.")
  var precision = Precision.f32

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Most memory for activations and prepared weights, such as 800M or 1.5G; 0 = no limit.",
      valueName: "bytes"),
    transform: ByteCount.init(argument:))
  var memoryLimit = ByteCount(bytes: 0)

  @Flag(help: "Print JSON on stdout, and nothing else there.")
  var json = false

  func validate() throws {
    guard threads >= 0 else {
      throw ValidationError("'--threads \(threads)': expected 0 or more")
    }
  }

  /// What is asked for, but no more than there are processors: others would only wait for them.
  var threadCount: Int { min(threads, ProcessInfo.processInfo.activeProcessorCount) }
}
