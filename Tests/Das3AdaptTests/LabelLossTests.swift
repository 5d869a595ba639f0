import Das3Adapt
import Das3TestSupport
import Foundation
import Testing

@Suite("Cross-entropy by pixel weights and soft labels")
struct LabelLossTests {
  static var crossEntropy: Losses {
    var losses = Losses()
    losses.crossEntropy = 1
    return losses
  }

  /// Labels without weights and confidences.
  static func call(pixels: Int, classes: Int, losses: Losses = crossEntropy) -> LossCall {
    var call = LossTests.call(pixels: pixels, classes: classes, losses: losses)
    (call.pixelWeights, call.confidences) = (nil, nil)
    return call
  }

  @Test("weights and confidences of 1 change no bit", arguments: [2, 19, 256])
  func ones(_ classes: Int) throws {
    var call = Self.call(pixels: 1100, classes: classes)
    let plain = try call.run()
    call.pixelWeights = [UInt8](repeating: 255, count: 1100)
    #expect(try call.run() == plain)
    call.confidences = [UInt8](repeating: 255, count: 1100)
    #expect(try call.run() == plain)
  }

  @Test("a fifth of the weight everywhere is a fifth of loss and gradient")
  func factor() throws {
    var call = Self.call(pixels: 333, classes: 7)
    let plain = try call.run()
    call.pixelWeights = [UInt8](repeating: 51, count: 333)
    let fifth = try call.run()
    #expect(fifth.values.labelledCount == plain.values.labelledCount)
    #expect(abs(5 * fifth.values.crossEntropy - plain.values.crossEntropy) < 1e-6)
    for (a, b) in zip(fifth.gradient, plain.gradient) { #expect(abs(5 * a - b) <= 1e-6 * abs(b)) }
    call.pixelWeights = [UInt8](repeating: 0, count: 333)
    let none = try call.run()
    #expect(none.values.crossEntropy == 0 && !none.values.selects)
    #expect(none.gradient.allSatisfy { $0 == 0 } && plain.values.selects)
  }

  @Test("the mean is by class weights and not by pixel weights")
  func mean() throws {
    var losses = Self.crossEntropy
    losses.classWeights = [1, 3]
    let result = try LossCall(
      losses: losses, scores: [0, 0, 0, 0, 5, 5], classCount: 2, labels: [0, 1, 255],
      pixelWeights: [255, 102, 255]
    ).run()
    #expect(abs(result.values.crossEntropy - log(2) * (1 + 3 * 0.4) / 4) < 1e-6)
    let wanted: [Float] = [-0.125, 0.125, 0.15, -0.15, 0, 0]
    for (a, b) in zip(result.gradient, wanted) { #expect(abs(a - b) < 1e-7) }
  }

  @Test("what a network says already costs nothing", arguments: [2, 5, 19, 256])
  func agreement(_ classes: Int) throws {
    for byte: UInt8 in [1, 51, 204, 254] {
      let own = Double(byte) / 255
      let scores = (0..<classes).map { Float(log($0 == 1 ? own : (1 - own) / Double(classes - 1))) }
      let result = try LossCall(
        losses: Self.crossEntropy, scores: scores, classCount: classes, labels: [1],
        confidences: [byte]
      ).run()
      // The difference of two sums of at most 12 nats, in float32.
      #expect(result.values.crossEntropy >= 0 && result.values.crossEntropy < 1e-5)
      #expect(result.gradient.allSatisfy { abs($0) < 1e-6 })
    }
  }

  @Test("a certain network is held to a soft label at the distance of its scores")
  func extremes() throws {
    func run(_ scores: [Float], _ confidence: UInt8) throws -> LossCall.Result {
      try LossCall(
        losses: Self.crossEntropy, scores: scores, classCount: 3, labels: [0],
        confidences: [confidence]
      ).run()
    }
    let entropy = -(0.6 * log(0.6) + 0.4 * log(0.2))
    let right = try run([1e4, -1e4, 0], 153)
    #expect(abs(right.values.crossEntropy - (6000 - entropy)) < 1e-3)
    for (a, b) in zip(right.gradient, [0.4, -0.2, -0.2]) { #expect(abs(Double(a) - b) < 1e-7) }
    let wrong = try run([-1e4, 1e4, 1e4], 0)
    #expect(abs(wrong.values.crossEntropy) < 1e-6)
    #expect(wrong.gradient.allSatisfy { abs($0) < 1e-7 })
    let pushed = try run([1e4, -1e4, 0], 0)
    #expect(pushed.values.crossEntropy.isFinite)
    for (a, b) in zip(pushed.gradient, [1, -0.5, -0.5]) { #expect(abs(Double(a) - b) < 1e-7) }
  }

  @Test("classes of P = 0 count for nothing, even with a score of minus infinity")
  func minusInfinity() throws {
    for (confidence, scores): (UInt8, [Float]) in [
      (255, [1, -.infinity, 2]), (0, [-.infinity, 1, 2]),
    ] {
      let result = try LossCall(
        losses: Self.crossEntropy, scores: scores, classCount: 3, labels: [0],
        confidences: [confidence]
      ).run()
      #expect(result.values.crossEntropy.isFinite && result.gradient.allSatisfy(\.isFinite))
    }
  }

  @Test("one class has all of P, whatever its confidence")
  func oneClass() throws {
    let result = try LossCall(
      losses: Self.crossEntropy, scores: [3, -2], classCount: 1, labels: [0, 0],
      confidences: [0, 100]
    ).run()
    #expect(result.values.crossEntropy == 0 && result.gradient == [0, 0])
  }

  @Test("pixels without a label need no weight and no confidence")
  func noLabel() throws {
    var call = Self.call(pixels: 40, classes: 5)
    call.labels = [UInt8](repeating: 255, count: 40)
    call.pixelWeights = [UInt8](repeating: 200, count: 40)
    call.confidences = [UInt8](repeating: 100, count: 40)
    let result = try call.run()
    #expect(result.values.crossEntropy == 0 && !result.values.selects)
    #expect(result.gradient.allSatisfy { $0 == 0 })
  }

  @Test("a score that is not a number shows")
  func notANumber() throws {
    for index in 0..<5 {
      var call = Self.call(pixels: 1, classes: 5)
      (call.labels, call.confidences) = ([2], [200])
      call.scores[index] = .nan
      let result = try call.run()
      #expect(result.values.total.isNaN && result.gradient.contains { $0.isNaN })
    }
  }
}
