// Command line in, one command run, an exit code out: `ExitCode` below says which.
import ArgumentParser
import CDas3
import Foundation

@main
struct Das3Run: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "das3-run",
    abstract: "Semantic segmentation that adapts to where it is used, on the CPU.",
    discussion: """
      Examples:
        das3-run demo
        das3-run info --model net.onnx
        das3-run segment --model net.onnx --input drive.mp4 --output out --overlay
        das3-run evaluate --model net.onnx --input val --truth val_labels --json
        das3-run adapt --model net.onnx --input drive.mp4 --output better.onnx
        das3-run pick --model net.onnx --input drive.mp4 --n 10 --output label_these
        das3-run bench --model net.onnx --size 480x360

      Results go to stdout, progress (only on a terminal) and messages to stderr.
      Exit codes: 0 good, 1 failed with a message, 2 wrong usage, 3 the guard kept
      the source network, 4 done but for parts of the input that could not be used,
      130 interrupted: what was done by then is kept.

      Variables of the environment, for tests and comparisons: DAS3_ISA=avx512,
      avx2 or base (on arm64 neon or base) is the most that the kernels use;
      DAS3_BACKEND=onednn or openblas computes convolutions and matrix products.
      """,
    version: version,
    subcommands: [
      Demo.self, Info.self, Segment.self, Evaluate.self, Adapt.self, Drive.self, Pick.self,
      Bench.self,
    ])

  static var version: String {
    let library = unsafe String(cString: das3_version())
    return "das3-run \(library) (ABI \(das3_abi_version()))"
  }

  static func main() {
    Terminal.reserveDescriptors()
    // At the limit of a file's size, the write fails and the program goes on.
    signal(SIGXFSZ, SIG_IGN)
    Warnings.show()
    do {
      do {
        try checkHelp()
        var command = try parseAsRoot(arguments)
        try command.run()
      } catch let error where exitCode(for: error).isSuccess {
        try Terminal.say(fullMessage(for: error))
      }
    } catch let failure as Failure {
      finish(code: failure.exitCode, message: failure.message)
    } catch let code as ExitCode {
      Foundation.exit(code.rawValue)
    } catch {
      let text = fullMessage(for: error)
      let prefix = "Error: "
      finish(code: 2, message: text.hasPrefix(prefix) ? String(text.dropFirst(prefix.count)) : text)
    }
  }

  /// The words of the command line; names in them need not be UTF-8.
  private static var arguments: [String] {
    let words = unsafe UnsafeBufferPointer(
      start: CommandLine.unsafeArgv, count: Int(CommandLine.argc))
    return unsafe words.dropFirst().compactMap { word in
      guard let word = unsafe word else { return nil }
      let bytes = unsafe UnsafeBufferPointer(start: word, count: strlen(word))
      return unsafe Path.text(ofBytes: bytes.map { UInt8(truncatingIfNeeded: $0) })
    }
  }

  /// Throws for `help nope`; ArgumentParser would show the general help.
  private static func checkHelp() throws {
    let words = CommandLine.arguments.dropFirst()
    guard words.first == "help", let name = words.dropFirst().first else { return }
    let names = configuration.subcommands.map { $0._commandName } + ["help"]
    guard name.hasPrefix("-") || names.contains(name) else {
      throw ValidationError("there is no command '\(name)'")
    }
  }

  mutating func run() throws {
    throw ValidationError(
      "a command is missing: demo, info, segment, evaluate, adapt, drive, pick or bench")
  }

  private static func finish(code: Int32, message: String) -> Never {
    Terminal.note(message)
    Foundation.exit(code)
  }
}

extension ExitCode {
  /// The guard has kept the source network: nothing did better.
  static let sourceKept = ExitCode(3)
  /// The work is done, but for parts of the input that could not be used.
  static let partial = ExitCode(4)
  /// A signal such as Ctrl-C has ended the work; what was done is kept.
  static let interrupted = ExitCode(130)
}
