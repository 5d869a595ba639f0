// Frames one after the other in, a few that are evenly spread over all so far out.

/// Frames for pictures of what came only once, in bounded memory.
struct KeptFrames {
  private(set) var frames: [Frame] = []
  private var count = 0
  private var stride = 1

  private static let most = 48

  mutating func add(_ frame: Frame) {
    defer { count += 1 }
    guard count % stride == 0 else { return }
    frames.append(frame)
    if frames.count == Self.most {
      frames = frames.indices.filter { $0 % 2 == 0 }.map { frames[$0] }
      stride *= 2
    }
  }
}
