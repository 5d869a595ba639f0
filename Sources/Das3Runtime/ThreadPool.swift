internal import CKernels

/// The threads that share the work of all networks of the process.
package enum ThreadPool {
  /// Lets the calling thread be helped by threads of its own from now on, as nice as it is.
  package static func workInBackground() { d3k_work_in_background() }

  /// Runs a function whose work waits while threads can help a camera.
  package static func learning<Result, Failure: Error>(
    _ body: () throws(Failure) -> Result
  ) throws(Failure) -> Result {
    let before = d3k_set_priority(-1)
    defer { _ = d3k_set_priority(before) }
    return try body()
  }
}
