import Das3Graph

/// Moments of frames → the scenes that a place is made of, where they are plain to see.
package enum SceneClusters {
  /// A smaller group is no scene: its frames join the nearest.
  private static let fewestFrames = 8
  private static let leastShare = 0.05
  /// How much nearer to their own centre than to the next frames are on average, as a part of the
  /// way to the next.
  ///
  /// Day beside fog and darkness has 0.72, the streets of one day 0.3 to 0.6: statistics of a part of
  /// those are worse than the statistics of all.
  private static let leastSeparation = 0.65
  /// Levels of a pixel below which a difference is noise.
  private static let leastScale: Float = 1
  private static let roundCount = 50

  /// - Parameters:
  ///   - moments: of all frames that show something.
  ///   - most: scenes.
  /// - Returns: how scenes are told apart; nil = there is one.
  package static func find(_ moments: [[Float]], atMost most: Int) -> SceneMap? {
    guard let length = moments.first?.count else { return nil }
    let count = Float(moments.count)
    let scales = (0..<length).map { index -> Float in
      let mean = moments.reduce(0) { $0 + $1[index] } / count
      let variance = moments.reduce(0) { $0 + ($1[index] - mean) * ($1[index] - mean) } / count
      return max(variance.squareRoot(), leastScale)
    }
    let fewest = max(fewestFrames, Int(leastShare * Double(moments.count)))
    var best: (map: SceneMap, separation: Double)?
    for count in stride(from: 2, through: most, by: 1) {
      guard let map = clusters(moments, scales, count, fewest) else { continue }
      let separation = separation(of: moments, map)
      if separation >= leastSeparation, separation > best?.separation ?? 0 {
        best = (map, separation)
      }
    }
    return best?.map
  }

  /// k-means from frames that lie far from each other; groups that are too small are left out and the
  /// others looked for again.
  private static func clusters(
    _ moments: [[Float]], _ scales: [Float], _ count: Int, _ fewest: Int
  ) -> SceneMap? {
    var moments = moments
    while moments.count >= count * fewest {
      var map = SceneMap(centres: farthest(moments, scales, count), scales: scales)
      var members = groups(moments, map)
      for _ in 0..<roundCount {
        let centres = members.enumerated().map { $1.isEmpty ? map.centres[$0] : mean($1) }
        guard centres != map.centres else { break }
        map = SceneMap(centres: centres, scales: scales)
        members = groups(moments, map)
      }
      let large = members.filter { $0.count >= fewest }
      if large.count == count { return map }
      let rest = large.flatMap { $0 }
      // Frames that are all alike leave groups empty.
      guard rest.count < moments.count else { return nil }
      moments = rest
    }
    return nil
  }

  /// The frame that is farthest from the mean, then always that which is farthest from all before.
  private static func farthest(_ moments: [[Float]], _ scales: [Float], _ count: Int) -> [[Float]] {
    var map = SceneMap(centres: [mean(moments)], scales: scales)
    var centres: [[Float]] = []
    while centres.count < count {
      var best = (index: 0, distance: -Float.infinity)
      for (index, frame) in moments.enumerated() {
        let distance = map.distance(frame, map.centres[map.nearest(to: frame)])
        if distance > best.distance { best = (index, distance) }
      }
      centres.append(moments[best.index])
      map = SceneMap(centres: centres, scales: scales)
    }
    return centres
  }

  private static func groups(_ moments: [[Float]], _ map: SceneMap) -> [[[Float]]] {
    var groups = [[[Float]]](repeating: [], count: map.centres.count)
    for frame in moments { groups[map.nearest(to: frame)].append(frame) }
    return groups
  }

  private static func mean(_ moments: [[Float]]) -> [Float] {
    moments[0].indices.map { index in
      Float(moments.reduce(0.0) { $0 + Double($1[index]) } / Double(moments.count))
    }
  }

  private static func separation(of moments: [[Float]], _ map: SceneMap) -> Double {
    let sum = moments.reduce(0.0) { sum, frame in
      let distances = map.centres.map { map.distance(frame, $0).squareRoot() }.sorted()
      return sum + Double(distances[1] > 0 ? (distances[1] - distances[0]) / distances[1] : 0)
    }
    return sum / Double(moments.count)
  }
}
