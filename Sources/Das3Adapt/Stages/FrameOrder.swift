/// Frames that are gone through again and again, each turn in another order.
struct FrameOrder {
  private let target: TargetFrames
  private let frames: [Int]
  private let stage: Int
  /// What the last position belonged to.
  private var turn = -1
  private var order: [Int] = []

  init(_ target: TargetFrames, _ frames: [Int], stage: Int) {
    self.target = target
    self.frames = frames
    self.stage = stage
  }

  var isEmpty: Bool { frames.isEmpty }

  /// The frame at a position of the schedule.
  mutating func frame(at position: Int) -> Int {
    if turn != position / frames.count {
      turn = position / frames.count
      order = target.order(of: frames, turn: turn, stage: stage)
    }
    return order[position % frames.count]
  }
}
