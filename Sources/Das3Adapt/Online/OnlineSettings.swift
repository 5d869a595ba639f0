/// Everything that a user may choose of learning from a stream.
package struct OnlineSettings: Sendable, Equatable {
  /// How a stage learns; its threads are those that learn.
  package var adaptation: AdaptationSettings
  /// Frames that are kept to learn from.
  package var reservoirCount = 64
  /// Frames that are kept to judge by; nothing is learned from them.
  package var probeCount = 24
  /// Optimiser steps after which the guard judges.
  package var stageStepCount = 60
  /// Frames over which the statistics of BatchNormalization follow the scene.
  package var sceneFrameCount = 200
  /// The part of the way that weights are drawn back at each step to where the stage began, 0…1
  /// (Marsden et al., ROID, 2024).
  package var restoration = 0.01
  /// The share of one processor's time that is spent on learning, 0…1.
  package var budget = 1.0
  /// Optimiser steps a second at most; 0 = as many as the budget allows.
  package var stepsPerSecond = 0.0
  /// Optimiser steps for every frame, taken while the frame is labelled; 0 = a thread learns in the
  /// background.
  package var stepsPerFrame = 0

  package init(_ adaptation: AdaptationSettings) { self.adaptation = adaptation }
}

extension OnlineSettings {
  /// A stage of a stream: shorter than one of a set of frames, and with as much less drift.
  func phase(_ letter: AdaptationSettings.Letter) -> Phase {
    var phase = adaptation.stage(letter)
    let part = Double(stageStepCount) / Double(phase.stepCount)
    phase.drift *= min(1, part)
    phase.stepCount = stageStepCount
    return phase
  }
}
