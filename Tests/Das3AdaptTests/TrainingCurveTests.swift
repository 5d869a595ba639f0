import Das3Adapt
import Das3Graph
import Das3Runtime
import Das3TestSupport
import Foundation
import Testing

/// A small network fitted from random weights by cross-entropy (equation 1).
///
/// PyTorch has the same weights, frames and order, and computes in float64; its float32 is 0.04 % off
/// (Tests/Golden/curve.py).
@Suite(
  "Training curve",
  .enabled(
    if: (try? GoldenFile("curve/losses")) != nil, "DAS3_GOLDEN holds no curve of PyTorch"))
struct TrainingCurveTests {
  struct Recipe: Decodable {
    struct Parameter: Decodable {
      var name, file: String
      /// How far it went from where it started.
      var moved: Double
    }

    var steps: Int
    var parameters: [Parameter]
    var rate, momentum, weight_decay, power: Double
  }

  @Test("the loss of every step is within 1 % of PyTorch's")
  func sameCurve() throws {
    let golden = try GoldenNetwork("curve")
    let recipe = try JSONDecoder().decode(
      Recipe.self, from: Data(contentsOf: GoldenFile.url("curve/golden.json")))
    let order = try golden.file("order")
    let expected = try golden.file("losses").floats
    let frames = try (0..<24).map { index in
      let number = index < 10 ? "0\(index)" : "\(index)"
      return (
        image: try golden.file("frame_\(number)"), labels: try golden.file("labels_\(number)").bytes
      )
    }
    var options = Trainer.Options(
      execution: ExecutionOptions(threads: 2),
      selection: ParameterSelection(rate: Float(recipe.rate)))
    options.optimizer = Optimizer(schedule: .poly(power: recipe.power, maxSteps: recipe.steps))
    options.optimizer.momentum = Float(recipe.momentum)
    options.optimizer.weightDecay = Float(recipe.weight_decay)
    var losses = Losses()
    losses.crossEntropy = 1
    let dims = frames[0].image.dims.suffix(2)
    let trainer = try Trainer(
      golden.model, height: dims[dims.startIndex], width: dims[dims.startIndex + 1],
      losses: losses, options: options)
    let batch = order.dims[1]
    for step in 0..<recipe.steps {
      var loss = 0.0
      for chosen in order.bytes[step * batch..<(step + 1) * batch] {
        trainer.load(frames[Int(chosen)].image.floats)
        loss +=
          try trainer.addGradient(
            labels: frames[Int(chosen)].labels, scale: 1 / Float(batch)
          ).crossEntropy / Double(batch)
      }
      _ = trainer.step()
      let wanted = Double(expected[step])
      #expect(abs(loss - wanted) <= 0.01 * wanted, "step \(step): \(loss), expected \(wanted)")
    }
    for wanted in recipe.parameters {
      let parameter = try #require(golden.model.onnx.parameters.first { $0.name == wanted.name })
      let error = trainer.weights.slice(parameter)
        .distance(to: try golden.file(wanted.file).floats)
      #expect(error <= 0.02 * wanted.moved, "'\(wanted.name)' is off by \(error / wanted.moved)")
    }
    // It has learned something.
    #expect(Double(expected[recipe.steps - 1]) < 0.5 * Double(expected[0]))
  }
}
