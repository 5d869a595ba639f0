import Das3Graph
import Das3Runtime
import Das3TestSupport
import Foundation
import Testing

/// Real networks on a real frame against ONNX Runtime: scores, arg max, determinism.
@Suite(
  "Shared models",
  .enabled(if: GoldenFile.folder != nil, "DAS3_GOLDEN is not set: no reference vectors"))
struct SharedModelTests {
  /// One network at one size with one way of computing.
  struct Case: CustomTestStringConvertible, Sendable {
    var model: String
    /// nil = the frame's 480×360.
    var size: (width: Int, height: Int)?
    var options: ExecutionOptions

    var testDescription: String {
      "\(model) \(size.map { "\($0.width)×\($0.height)" } ?? "480×360") \(options.backend) \(options.threads) threads"
    }
  }

  static let models = [
    "espnet_camvid", "espnet_q8", "espnet_q8_dynamic", "espnetv2_s0.5_dynamic", "espnetv2_s1.0",
    "espnetv2_s1.0_dynamic", "espnetv2_s1.0_dynamo", "espnetv2_s1.0_folded",
    "segformer_b0_random", "segformer_b0_random_dynamo",
  ]
  static let dynamicModels = [
    "espnet_q8_dynamic", "espnetv2_s0.5_dynamic", "espnetv2_s1.0_dynamic", "segformer_b0_random",
  ]
  static let cases: [Case] = OnnxData.backends.flatMap { backend in
    let options = ExecutionOptions(threads: 1, backend: backend)
    return models.map { Case(model: $0, size: nil, options: options) }
      + dynamicModels.flatMap { model in
        [(416, 320), (288, 160)].map { Case(model: model, size: $0, options: options) }
      }
  }

  /// Logits may differ by this part of their range: sums of thousands of terms in another order.
  static let tolerance: Float = 1e-3

  @Test("scores are those of the reference", arguments: cases)
  func scores(_ test: Case) throws {
    let network = try Network(test)
    let actual = network.run()
    let expected = try GoldenFile("\(network.name).scores")
    let labels = try GoldenFile("\(network.name).labels").bytes
    let step = test.size == nil ? 4 : 1
    let (height, width) = (network.height, network.width)
    let wanted = expected.floats
    let range = (wanted.max() ?? 0) - (wanted.min() ?? 0)
    var worst: Float = 0
    var index = 0
    for plane in 0..<expected.dims[0] {
      for row in stride(from: 0, to: height, by: step) {
        for column in stride(from: 0, to: width, by: step) {
          let value = actual[(plane * height + row) * width + column]
          worst = max(worst, abs(value - wanted[index]))
          index += 1
        }
      }
    }
    #expect(worst <= Self.tolerance * range, "\(worst) of a range of \(range)")
    let equal = Self.argMax(actual, planes: expected.dims[0]).equalCount(labels)
    #expect(Double(equal) >= 0.999 * Double(labels.count), "\(equal) of \(labels.count)")
  }

  /// The first largest plane of every pixel.
  static func argMax(_ scores: [Float], planes: Int) -> [UInt8] {
    let count = scores.count / planes
    var best = Array(scores[..<count])
    var labels = [UInt8](repeating: 0, count: count)
    for plane in 1..<planes {
      for pixel in 0..<count where scores[plane * count + pixel] > best[pixel] {
        best[pixel] = scores[plane * count + pixel]
        labels[pixel] = UInt8(plane)
      }
    }
    return labels
  }

  @Test("a second run and any number of threads give the same bits", arguments: cases)
  func determinism(_ test: Case) throws {
    let network = try Network(test)
    let first = network.run()
    // Compared apart: a failed expectation would print the difference of millions of values.
    let isRepeatable = network.run() == first
    #expect(isRepeatable)
    for threads in [2, 3, 5] {
      var parallel = test
      parallel.options.threads = threads
      let isEqual = try Network(parallel).run() == first
      #expect(isEqual, "\(threads) threads")
    }
  }

  /// A loaded network with its input in place.
  struct Network {
    let name: String
    let executor: Executor
    private var values: [Float] = []
    let height: Int
    let width: Int

    init(_ test: Case) throws {
      let path = SharedData.url("models/\(test.model).onnx").path
      let onnx = try OnnxImport.load(
        path: path, allowsExternalData: true, limits: OnnxImport.Limits())
      let sidecar = try OnnxImport.sidecar(ofModel: path).object
      let model = try SegmentationModel(onnx, metadata: Metadata(sidecar.map { [$0] } ?? []))
      (height, width) = (test.size?.height ?? 360, test.size?.width ?? 480)
      name = test.model + (test.size.map { "_\($0.width)x\($0.height)" } ?? "")
      let plan = try Planner.plan(
        model.graph(height: height, width: width), of: onnx, traits: .kernels(test.options),
        putsChannelsLast: true)
      executor = try Executor(
        Schedule(plan, test.options, parameterCount: onnx.weights.count), onnx.weights)
      values = try input(test, model.metadata)
    }

    func run() -> [Float] {
      executor.write(values, to: 0)
      executor.run()
      return executor.read(0)
    }

    private func input(_ test: Case, _ metadata: Metadata) throws -> [Float] {
      if test.size != nil { return try GoldenFile("\(name).input").floats }
      let pixels = try GoldenFile("\(name).rgb").bytes
      return (0..<3).flatMap { channel in
        (0..<height * width).map { pixel in
          let source = metadata.swapsColours ? 2 - channel : channel
          let value = Float(pixels[3 * pixel + source]) * metadata.scale
          return (value - metadata.mean[channel]) / metadata.deviation[channel]
        }
      }
    }
  }
}

extension [UInt8] {
  /// Positions at which both have the same value.
  fileprivate func equalCount(_ other: [UInt8]) -> Int {
    zip(self, other).count { $0 == $1 }
  }
}
