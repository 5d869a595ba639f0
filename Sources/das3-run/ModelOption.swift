// The option that every command needs.
import ArgumentParser

struct ModelOption: ParsableArguments {
  @Option(help: ArgumentHelp("The network, an ONNX file.", valueName: "file"))
  var model: String
}
