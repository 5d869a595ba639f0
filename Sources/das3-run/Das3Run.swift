// Command line in, one command run, an exit code out: 0 good, 1 failed, 2 wrong usage.
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
        das3-run bench --model net.onnx --size 480x360

      Results go to stdout, progress (only on a terminal) and messages to stderr.
      Exit codes: 0 good, 1 failed with a message, 2 wrong usage.

      Variables of the environment, for tests and comparisons: DAS3_ISA=avx512,
      avx2 or base is the most that the kernels use; DAS3_BACKEND=onednn or
      openblas computes convolutions and matrix products.
      """,
    version: version,
    subcommands: [
      Demo.self, Info.self, Segment.self, Evaluate.self, Adapt.self, Bench.self,
    ])

  private static var version: String {
    let library = unsafe String(cString: das3_version())
    return "das3-run \(library) (ABI \(das3_abi_version()))"
  }

  static func main() {
    Terminal.reserveDescriptors()
    Warnings.show()
    do {
      do {
        try checkHelp()
        var command = try parseAsRoot()
        try command.run()
      } catch let error where exitCode(for: error).isSuccess {
        print(fullMessage(for: error))
      }
      guard Terminal.flushOutput() else { throw Failure("cannot write to stdout") }
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

  /// `help nope` would show the help of everything.
  private static func checkHelp() throws {
    let words = CommandLine.arguments.dropFirst()
    guard words.first == "help", let name = words.dropFirst().first else { return }
    let names = configuration.subcommands.map { $0._commandName } + ["help"]
    guard name.hasPrefix("-") || names.contains(name) else {
      throw ValidationError("there is no command '\(name)'")
    }
  }

  mutating func run() throws {
    throw ValidationError("a command is missing: demo, info, segment, evaluate, adapt or bench")
  }

  private static func finish(code: Int32, message: String) -> Never {
    Terminal.note(message)
    Foundation.exit(code)
  }
}
