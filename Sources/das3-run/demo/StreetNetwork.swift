// The network of the demo: trained, or with random weights.
import CDas3
import CStreet

extension ModelHandle {
  /// Loads the network that is inside this program.
  static func street() throws(Failure) -> ModelHandle {
    let name = "the street network"
    var size = 0
    let bytes = unsafe street_onnx(&size)
    var created: OpaquePointer?
    try Failure.check(unsafe das3_model_load_bytes(&created, bytes, size, nil), name)
    guard let model = unsafe created else { throw Failure("\(name) was not loaded") }
    return try unsafe ModelHandle(owning: model, path: name)
  }

  /// The same network with random weights (He et al., 2015) and normalisations that change nothing.
  func randomized(_ random: inout SplitMix64) throws(Failure) -> ModelHandle {
    var values: [Float] = []
    for parameter in try parameters() {
      let (name, sizes) = (parameter.name, parameter.sizes)
      switch sizes.count {
      case 4:
        let deviation = (2 / Float(sizes[1] * sizes[2] * sizes[3])).squareRoot()
        for _ in 0..<parameter.count { values.append(deviation * random.normal()) }
      case 3:  // slopes of PReLU, one per channel
        values += [Float](repeating: 0.25, count: parameter.count)
      default:
        let isFactor = name.hasSuffix(parameter.isStatistic ? "var" : "weight")
        values += [Float](repeating: isFactor ? 1 : 0, count: parameter.count)
      }
    }
    return try with(values)
  }
}
