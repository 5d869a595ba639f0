/// An operator that is not supported; the error says which one it is and what a user can do.
struct UnsupportedOperator {
  var opType: String
  /// "" = the domain of ONNX.
  var domain: String
  /// The operator is supported where its inputs are known at load, and here they are not.
  var dependsOnImage = false

  var error: Das3Error { .unsupported("\(what); \(help)") }

  private var what: String {
    if dependsOnImage {
      return "operator is not supported where it depends on the image, as here"
    }
    return domain.isEmpty
      ? "operator is not supported" : "operator '\(opType)' of domain '\(domain)' is not ONNX's own"
  }

  private var help: String {
    switch domain {
    case "": return ownHelp ?? (dependsOnImage ? Self.otherOpset : Self.folding)
    case "com.microsoft", "com.microsoft.nchwc", "com.ms.internal.nhwc":
      return "ONNX Runtime writes it when it optimises a model: give the model as it was before"
    case "org.pytorch.aten", "org.pytorch.prim", "aten", "prim":
      return "PyTorch fell back to its own operator: export with a higher opset_version, or with "
        + "torch.onnx.export(…, dynamo=True)"
    case "ai.onnx.ml":
      return "it belongs to classical models; expected a segmentation network"
    default:
      return "a custom operator: export the model without it"
    }
  }

  private static let folding =
    "where it depends on shapes and constants alone, onnxsim removes it; otherwise try another opset"
  private static let otherOpset = "try another opset"

  /// Advice for operators of ONNX itself; nil where there is none.
  private var ownHelp: String? {
    switch opType {
    case "QLinearConv", "QLinearMatMul", "ConvInteger", "MatMulInteger", "DynamicQuantizeLinear":
      "expected the QDQ form (quant_format=QuantFormat.QDQ), or the model before it was quantized"
    case "If", "Loop", "Scan":
      "onnxsim removes it where its condition is known; otherwise export with a fixed input size"
    case "NonMaxSuppression", "TopK", "RoiAlign", "MaxRoiPool", "Unique":
      "it belongs to a detection head: export the segmentation output alone"
    case "SequenceAt", "SequenceConstruct", "SequenceEmpty", "SequenceErase", "SequenceInsert",
      "SequenceLength", "SequenceMap", "SplitToSequence", "ConcatFromSequence", "Optional",
      "OptionalGetElement", "OptionalHasElement":
      "onnxsim removes sequences of known length; otherwise export with tensors instead of lists"
    case "LSTM", "GRU", "RNN": "recurrent layers are not run"
    case "MaxUnpool":
      "its indices are not kept: export with interpolation or MaxPool alone"
    case "DeformConv":
      "deformable convolutions are not run; try the same network without them"
    default: nil
    }
  }
}
