import Das3Graph
import Das3Runtime

/// Two images before the network, one after the other → one: what is cut out of the first is laid
/// over the second.
final class ImageMix {
  /// What is cut out.
  var mix = FrameMix()
  private let trainer: Trainer
  private let threads: Int
  private let first: Arena

  /// - Throws: `.memory` where the machine does not suffice.
  init(_ context: StageContext) throws(Das3Error) {
    trainer = context.trainer
    threads = context.settings.execution.threads
    first = try Arena(elementCount: trainer.height * trainer.width * trainer.model.channelCount)
  }

  var byteCount: Int { first.elementCount * MemoryLayout<Float>.stride }

  /// Keeps the loaded image as the first.
  func keepImage() { unsafe first.copy(from: trainer.image) }

  /// Lays the first image over the loaded one.
  func layImage() {
    let shape = trainer.scoreShape
    unsafe mix.mix(
      first.pointer(at: 0), over: trainer.image, channelCount: trainer.model.channelCount,
      height: trainer.height, width: trainer.width, maskHeight: shape[2], maskWidth: shape[3],
      threads: threads)
  }

  /// Lays a map of the first image over that of the second, a byte a pixel of the scores.
  func lay(_ first: [UInt8], over second: inout [UInt8]) {
    mix.mix(first, over: &second, threads: threads)
  }
}
