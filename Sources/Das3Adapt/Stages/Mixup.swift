internal import CKernels
import Das3Graph
import Das3Runtime

/// Two images before the network, one after the other → one in between, and what the network says of
/// both in the same proportion, which it can then learn to say of that one (mixup; Zhang, Cissé,
/// Dauphin, Lopez-Paz, 2018).
final class Mixup {
  /// What the network says of the second image; nobody but the trainer writes it.
  let answer: Arena
  /// What it says of the first, then of the mixture.
  let mixed: Arena
  private let trainer: Trainer
  private let threads: Int
  private let image: Arena

  /// - Throws: `.memory` where the machine does not suffice.
  init(_ context: StageContext) throws(Das3Error) {
    trainer = context.trainer
    threads = context.settings.execution.threads
    image = try Arena(elementCount: trainer.height * trainer.width * trainer.model.channelCount)
    mixed = try Arena(elementCount: trainer.scoreShape.elementCount)
    answer = try Arena(elementCount: trainer.scoreShape.elementCount)
  }

  var byteCount: Int {
    [image, mixed, answer].reduce(0) { $0 + $1.elementCount * MemoryLayout<Float>.stride }
  }

  /// Keeps the loaded image as the first and asks the network, which leaves nothing of it.
  func begin() {
    unsafe image.copy(from: trainer.image)
    trainer.predict(probabilities: mixed)
  }

  /// Mixes the loaded image into the one that is kept.
  ///
  /// - Parameter share: of the loaded one, 0…1.
  func addImage(share: Float) { unsafe mix(trainer.image, into: image, share: share) }

  /// Puts the mixture before the network, whose answers it mixes likewise.
  func finish(share: Float) {
    unsafe mix(answer.pointer(at: 0), into: mixed, share: share)
    unsafe trainer.image.update(from: image.pointer(at: 0), count: image.elementCount)
  }

  private func mix(_ values: UnsafePointer<Float>, into kept: Arena, share: Float) {
    unsafe d3k_average(
      Int32(threads), kept.pointer(at: 0), values, Int64(kept.elementCount), 1 - Double(share))
  }
}
