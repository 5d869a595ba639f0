/// Which scene of a place a frame belongs to: the one whose centre its moments are nearest to.
package struct SceneMap: Sendable, Equatable {
  /// Moments of a middle frame of each scene, as `FrameMoments` gives them.
  package let centres: [[Float]]
  /// By which a distance along each moment is divided.
  package let scales: [Float]

  package init(centres: [[Float]], scales: [Float]) {
    self.centres = centres
    self.scales = scales
  }

  /// Whether frames with so many moments can be told apart by it.
  func isPossible(momentCount: Int) -> Bool {
    (centres + [scales]).allSatisfy { $0.count == momentCount && $0.allSatisfy(\.isFinite) }
      && scales.allSatisfy { $0 > 0 }
  }

  /// The index of the scene; the first of those that are equally near.
  package func nearest(to moments: [Float]) -> Int {
    var best = (index: 0, distance: Float.infinity)
    for (index, centre) in centres.enumerated() {
      let distance = distance(moments, centre)
      if distance < best.distance { best = (index, distance) }
    }
    return best.index
  }

  /// Squared, in units of the scales.
  package func distance(_ first: [Float], _ second: [Float]) -> Float {
    var sum: Float = 0
    for index in scales.indices {
      let difference = (first[index] - second[index]) / scales[index]
      sum += difference * difference
    }
    return sum
  }
}
