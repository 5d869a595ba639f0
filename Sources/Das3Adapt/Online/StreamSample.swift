/// The newest elements of a stream, and a fair sample of all that came before them.
struct StreamSample<Element> {
  /// The oldest first.
  private(set) var recent: [Element] = []
  /// Every earlier element is here with the same probability (Vitter's algorithm R, 1985).
  private(set) var past: [Element] = []
  /// Elements that have left `recent`.
  private var leftCount = 0
  private let recentCount, pastCount: Int

  /// - Parameters:
  ///   - recentCount: of the newest.
  ///   - pastCount: of the sample.
  init(recentCount: Int, pastCount: Int) {
    self.recentCount = recentCount
    self.pastCount = pastCount
  }

  /// The sample, then the newest.
  var all: [Element] { past + recent }
  var count: Int { past.count + recent.count }

  mutating func add(_ element: Element, _ random: inout Random) {
    recent.append(element)
    guard recent.count > recentCount else { return }
    keep(recent.removeFirst(), &random)
  }

  /// Lets all but the newest few be of the past: the stream goes on in another place.
  mutating func age(butLast count: Int, _ random: inout Random) {
    while recent.count > count { keep(recent.removeFirst(), &random) }
  }

  private mutating func keep(_ element: Element, _ random: inout Random) {
    leftCount += 1
    if past.count < pastCount {
      past.append(element)
    } else if pastCount > 0 {
      let place = random.below(leftCount)
      if place < pastCount { past[place] = element }
    }
  }
}
