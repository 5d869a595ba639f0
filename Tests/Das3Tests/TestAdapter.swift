import CDas3
import Das3
import Testing

/// An adapter, ended with the value: the paper's stage (a) by plain gradients at 48×32, unless told
/// otherwise.
final class TestAdapter: @unchecked Sendable {
  typealias Change = (inout das3_adapter_options) -> Void

  let handle: OpaquePointer?
  let status: das3_status
  let message: String

  init(
    of model: TestModel = AdapterTests.model,
    _ change: Change = { _ in }
  ) {
    var options = das3_adapter_options()
    das3_adapter_options_init(&options)
    options.method = Int32(DAS3_METHOD_DAS3.rawValue)
    (options.height, options.width, options.threads) = (32, 48, 2)
    options.optimizer = Int32(DAS3_OPTIMIZER_SGD.rawValue)
    options.steps_a = 1000
    options.rate_a = 0.05
    options.power = 0
    options.flip = 0
    options.alpha = 1
    options.beta = 0.1
    change(&options)
    var handle = OpaquePointer(bitPattern: 8)
    status = das3_adapter_create(&handle, model.handle, &options)
    message = lastError()
    self.handle = handle
  }

  deinit { das3_adapter_free(handle) }

  func add(_ picture: TestPicture = AdapterTests.picture, truth: [UInt8]? = nil) -> das3_status {
    picture.withImage { image in
      var image = image
      guard let truth else { return das3_adapter_add_frame(handle, &image) }
      return das3_adapter_add_labelled_frame(handle, &image, truth)
    }
  }

  func step() -> das3_adapter_report {
    var report = das3_adapter_report()
    report.struct_size = UInt32(MemoryLayout<das3_adapter_report>.size)
    let status = das3_adapter_step(handle, &report)
    #expect(status == DAS3_OK, "\(lastError())")
    return report
  }

  /// Runs to the end, or until `follow` returns false.
  func run(_ follow: @escaping (das3_adapter_report) -> Bool = { _ in true }) -> das3_status {
    final class Follower {
      let follow: (das3_adapter_report) -> Bool
      init(_ follow: @escaping (das3_adapter_report) -> Bool) { self.follow = follow }
    }
    let follower = Follower(follow)
    return withExtendedLifetime(follower) {
      das3_adapter_run(
        handle,
        { report, payload in
          guard let report, let payload else { return 1 }
          let follower = Unmanaged<Follower>.fromOpaque(payload).takeUnretainedValue()
          return follower.follow(report.pointee) ? 0 : 1
        }, Unmanaged.passUnretained(follower).toOpaque())
    }
  }

  /// Runs to the end, and returns the last report.
  func finished() -> das3_adapter_report {
    var last = das3_adapter_report()
    let status = run {
      last = $0
      return true
    }
    #expect(status == DAS3_OK && last.done == 1, "\(lastError())")
    return last
  }

  var info: das3_adapter_info {
    var info = das3_adapter_info()
    info.struct_size = UInt32(MemoryLayout<das3_adapter_info>.size)
    #expect(das3_adapter_get_info(handle, &info) == DAS3_OK)
    return info
  }

  var snapshot: TestModel { TestModel { das3_adapter_snapshot($0, handle) } }
}

/// Runs of all three stages, short enough to be repeated many times.
enum TestRun {
  static let pictures = (0..<5).map { index in
    // Of other sizes than the network works on.
    PictureContent(
      width: 40 + 8 * index, height: 28 + 4 * index, blockSize: 4 + index, seed: UInt64(index)
    ).rgb8()
  }
  static let stepCount = 56

  /// One frame at a time, in three rounds of labels.
  static func options(_ options: inout das3_adapter_options) {
    options.threads = 1
    // Its own steps are large enough for so short a run.
    options.optimizer = Int32(DAS3_OPTIMIZER_SGD.rawValue)
    (options.steps_a, options.steps_b, options.steps_c) = (12, 32, 12)
    options.label_rounds = 3
    options.rate_a = 0
    options.power = 0.9
    options.flip = 1
    (options.drift_a, options.drift_b, options.drift_c) = (0.1, 0.1, 0.1)
  }

  /// An adapter with the frames.
  static func adapter(_ change: TestAdapter.Change = { _ in }) -> TestAdapter {
    let adapter = TestAdapter {
      options(&$0)
      change(&$0)
    }
    for picture in pictures { #expect(adapter.add(picture) == DAS3_OK, "\(lastError())") }
    return adapter
  }
}
