import ArgumentParser
import CStreet
import Foundation
struct Demo: ParsableCommand {
  @Option var frames: String = "out"
  @Option var count = 8
  @Option var seed: UInt64 = 1
  func run() throws {
    try Folder.create(frames)
    for look in [Look.day, .dusk] {
      let world = StreetWorld(look: look)
      let writer = ImageWriter(format: .rgb)
      let start = ContinuousClock.now
      for index in 0..<count {
        let drawn = world.frame(seed: seed + UInt64(index))
        try writer.write(
          drawn.frame.pixels, size: drawn.frame.size, to: "\(frames)/\(look.name)\(index).png")
      }
      print((ContinuousClock.now - start).seconds / Double(count))
    }
  }
}
