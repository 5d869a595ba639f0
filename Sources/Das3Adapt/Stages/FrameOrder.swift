/// Frames that are gone through again and again, each turn in another order.
struct FrameOrder {
  private let bench: Workbench
  private let frames: [Int]
  private let stage: Int
  /// What the last position belonged to.
  private var turn = -1
  private var order: [Int] = []

  init(_ bench: Workbench, _ frames: [Int], stage: Int) {
    self.bench = bench
    self.frames = frames
    self.stage = stage
  }

  var isEmpty: Bool { frames.isEmpty }

  /// The frame at a position of the schedule.
  mutating func frame(at position: Int) -> Int {
    if turn != position / frames.count {
      turn = position / frames.count
      order = bench.order(of: frames, turn: turn, stage: stage)
    }
    return order[position % frames.count]
  }
}
