// What a drive reports from frame to frame in, what its page shows of it out.
import CDas3

/// The course of a drive, in bounded memory.
struct DriveHistory {
  /// Other weights that labelled from a frame on.
  struct Change {
    let frame: String
    let report: das3_online_report
  }

  /// M of the weights in use and of the source, each time they were compared, by frames.
  private(set) var score = SampledCurve(), sourceScore = SampledCurve()
  /// By optimiser steps.
  private(set) var loss = SampledCurve()
  /// Milliseconds a frame, by frames.
  private(set) var milliseconds = SampledCurve()
  private(set) var changes: [Change] = []
  private(set) var changeCount = 0
  /// Frames for the page.
  private(set) var kept = KeptFrames()
  private let keepsFrames: Bool
  private var last: das3_online_report?

  /// Changes that a page lists: the newest.
  private static let mostChanges = 100

  /// - Parameter keepsFrames: whether a page will show some.
  init(keepsFrames: Bool) { self.keepsFrames = keepsFrames }

  /// Adds a frame; returns whether other weights label from now on.
  mutating func add(_ frame: Frame, milliseconds elapsed: Double, _ report: das3_online_report)
    -> Bool
  {
    let count = Int(report.frame_count)
    milliseconds.add(elapsed, at: Double(count))
    if report.judged_count > last?.judged_count ?? 0 {
      score.add(report.score, at: Double(count))
      sourceScore.add(report.source_score, at: Double(count))
    }
    if report.total_step > last?.total_step ?? 0 {
      loss.add(report.loss, at: Double(report.total_step))
    }
    if keepsFrames { kept.add(frame) }
    defer { last = report }
    guard report.origin != last?.origin ?? 0 || report.share != last?.share ?? 0 else {
      return false
    }
    changeCount += 1
    changes.append(Change(frame: frame.name, report: report))
    if changes.count > Self.mostChanges { changes.removeFirst() }
    return true
  }
}
