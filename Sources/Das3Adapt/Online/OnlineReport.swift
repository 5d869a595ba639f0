import Das3Graph

/// What learning from a stream has come to.
package struct OnlineReport: Sendable {
  /// Frames that were looked at, and of them those that show nothing, and those that show what the
  /// one before them did.
  package var observedCount = 0, unseenCount = 0, repeatedCount = 0
  /// Frames that are kept to learn from, and to judge by.
  package var reservoirCount = 0, probeCount = 0
  /// What is learned at the moment; nil = nothing.
  package var letter: AdaptationSettings.Letter?
  package var step = 0, stepCount = 0
  /// Of all stages.
  package var totalStep = 0
  package var loss = 0.0
  /// Times the guard has compared sets, and what became of what stages led to.
  package var judgedCount = 0, acceptedCount = 0, heldCount = 0, rolledBackCount = 0
  /// Times the source came back because the weights in use had become worse than it.
  package var alarmCount = 0
  /// The weights in use.
  package var origin = GuardRecord.Origin.source
  package var share = 0.0
  /// M of the weights in use and of the source, when they were last compared.
  package var score = 0.0, sourceScore = 0.0
  /// Pixels that count for nothing, and those of them that were found because they never change, of all
  /// pixels; 0…1.
  package var ignoredShare = 0.0, foundShare = 0.0
  /// Why the last set was refused that was refused; nil = none was.
  package var veto: GuardRule.Veto?
  /// Why the source is in use; nil = it is not.
  package var reason: GuardRecord.Reason? = .fewFrames
  /// Spent on learning, all of it.
  package var seconds = 0.0
  package var byteCount = 0
  /// Why nothing is learned any more; nil = something is.
  package var failure: Das3Error?

  package init() {}

  /// The counts that go on in another process.
  var counts: [Int] {
    get { [totalStep, judgedCount, acceptedCount, heldCount, rolledBackCount, alarmCount] }
    set {
      guard newValue.count == 6 else { return }
      (totalStep, judgedCount, acceptedCount) = (newValue[0], newValue[1], newValue[2])
      (heldCount, rolledBackCount, alarmCount) = (newValue[3], newValue[4], newValue[5])
    }
  }
}
