import Das3Adapt
import Das3Graph
import Testing

/// Scenes are found where frames are plainly of several kinds, and not elsewhere.
@Suite("Scene clusters")
struct SceneTests {
  /// Moments of frames around some middles, drawn by a plain generator.
  private func moments(_ middles: [[Float]], count: Int, spread: Float) -> [[Float]] {
    var random = Random(seed: 3, 0)
    return (0..<count).map { index in
      middles[index % middles.count].map { $0 + random.uniform(-spread...spread) }
    }
  }

  private let day: [Float] = [120, 125, 130, 60, 60, 62]
  private let night: [Float] = [30, 32, 40, 20, 20, 24]
  private let fog: [Float] = [180, 182, 185, 25, 24, 22]

  @Test("day and night are two scenes, day, night and fog three")
  func kinds() throws {
    let two = try #require(
      SceneClusters.find(moments([day, night], count: 60, spread: 8), atMost: 2))
    #expect(two.centres.count == 2 && two.nearest(to: day) != two.nearest(to: night))
    let frames = moments([day, night, fog], count: 90, spread: 8)
    let three = try #require(SceneClusters.find(frames, atMost: 8))
    #expect(three.centres.count == 3)
    #expect(Set([day, night, fog].map(three.nearest)) == [0, 1, 2])
    for (index, frame) in frames.enumerated() {
      #expect(three.nearest(to: frame) == three.nearest(to: [day, night, fog][index % 3]))
    }
  }

  @Test("one kind of frames, too few of a second kind, or one allowed scene: one scene")
  func one() {
    #expect(SceneClusters.find(moments([day], count: 80, spread: 30), atMost: 4) == nil)
    let few = moments([day], count: 80, spread: 8) + moments([night], count: 3, spread: 8)
    #expect(SceneClusters.find(few, atMost: 4) == nil)
    #expect(SceneClusters.find(moments([day, night], count: 60, spread: 8), atMost: 1) == nil)
    #expect(SceneClusters.find([], atMost: 4) == nil)
    #expect(SceneClusters.find([[Float]](repeating: day, count: 50), atMost: 4) == nil)
  }

  @Test("a few frames like no other do not hide the scenes")
  func outliers() throws {
    let strange: [[Float]] = [[250, 2, 2, 90, 1, 1], [2, 250, 2, 1, 90, 1]]
    let map = try #require(
      SceneClusters.find(moments([day, night], count: 60, spread: 8) + strange, atMost: 2))
    #expect(map.nearest(to: day) != map.nearest(to: night))
  }
}
