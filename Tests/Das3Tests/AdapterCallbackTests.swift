import CDas3
import Das3
import Das3TestSupport
import Testing

/// What a callback may ask of the adapter that calls it.
@Suite("Callbacks of an adapter")
struct AdapterCallbackTests {
  let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func image(_ body: (inout das3_image) -> das3_status) -> das3_status {
    AdapterTests.picture.withImage { image in
      var image = image
      return body(&image)
    }
  }

  /// All functions that take an adapter, but for `_free`.
  private func calls(_ adapter: TestAdapter) -> [(name: String, run: () -> das3_status)] {
    let handle = adapter.handle
    var info = das3_adapter_info()
    info.struct_size = UInt32(MemoryLayout<das3_adapter_info>.size)
    let truth = [UInt8](repeating: 0, count: 1 << 16)
    let (source, teacher) = (TestSource(), TestTeacher { _, _, _ in true })
    let path = folder.path("nested.das3")
    return [
      ("cancel", { das3_adapter_cancel(handle) }),
      ("get_info", { das3_adapter_get_info(handle, &info) }),
      ("snapshot", { adapter.snapshot.status }),
      ("save", { das3_adapter_save(handle, path) }),
      ("step", { das3_adapter_step(handle, nil) }),
      ("run", { das3_adapter_run(handle, nil, nil) }),
      ("add_frame", { image { das3_adapter_add_frame(handle, &$0) } }),
      ("add_labelled_frame", { image { das3_adapter_add_labelled_frame(handle, &$0, truth) } }),
      ("set_source", { source.set(in: adapter) }),
      ("set_teacher", { teacher.set(in: adapter) }),
      ("resume", { das3_adapter_resume(handle, path) }),
    ]
  }

  /// Makes all calls, without cancelling for good, and compares who is let through.
  private func expect(_ allowed: Set<String>, of adapter: TestAdapter, _ place: String) {
    for call in calls(adapter) where call.name != "cancel" {
      let status = call.run()
      if allowed.contains(call.name) {
        #expect(status == DAS3_OK, "\(call.name) in \(place): \(lastError())")
      } else {
        #expect(status == DAS3_E_ARGUMENT, "\(call.name) in \(place)")
        #expect(lastError().contains("das3_adapter_\(call.name) inside a callback"))
      }
    }
  }

  @Test("progress may look, save and take snapshots; all else is refused, and changes nothing")
  func progress() {
    let adapter = TestRun.adapter()
    var places: Set<String> = []
    let status = adapter.run { report in
      let place = report.labelling == 1 ? "labelling" : "a step"
      if places.insert("\(place) \(report.stage)").inserted {
        self.expect(["get_info", "snapshot", "save"], of: adapter, place)
      }
      return true
    }
    #expect(status == DAS3_OK && places.count == 5, "\(lastError()) \(places)")
    let isSame = adapter.snapshot.bits == AdapterCancelTests.expected
    #expect(isSame)
  }

  @Test("a source and a teacher may look and cancel; all else is refused, and changes nothing")
  func sources() {
    let source = TestSource()
    let adapter = TestAdapter(TestRun.options)
    #expect(source.set(in: adapter) == DAS3_OK)
    var isAsked = false
    source.willRead = { _ in
      if !isAsked { self.expect(["get_info"], of: adapter, "a source") }
      isAsked = true
      return true
    }
    #expect(adapter.run() == DAS3_OK && isAsked)
    let isSame = adapter.snapshot.bits == AdapterCancelTests.expected
    #expect(isSame)

    let taught = TestAdapter { $0.stages = nil }
    #expect(taught.add() == DAS3_OK)
    var isTeaching = false
    let teacher = TestTeacher { _, _, _ in
      self.expect(["get_info"], of: taught, "a teacher")
      isTeaching = true
      return false
    }
    #expect(teacher.set(in: taught) == DAS3_OK)
    #expect(das3_adapter_step(taught.handle, nil) == DAS3_E_IO && isTeaching)
  }

  @Test("the first save, while labels are made, keeps a cancellation and knows the frames")
  func savedWhileLabelling() {
    let path = folder.path("run.das3")
    let adapter = TestRun.adapter()
    var saved: [das3_status] = []
    let status = adapter.run { report in
      guard report.labelling == 1, saved.isEmpty else { return true }
      #expect(das3_adapter_cancel(adapter.handle) == DAS3_OK)
      saved.append(das3_adapter_save(adapter.handle, path))
      return true
    }
    #expect(saved == [das3_status(DAS3_OK)] && status == DAS3_E_CANCELLED, "\(lastError())")

    let resumed = TestRun.adapter()
    #expect(das3_adapter_resume(resumed.handle, path) == DAS3_OK, "\(lastError())")
    #expect(resumed.run() == DAS3_OK)
    let isSame = resumed.snapshot.bits == AdapterCancelTests.expected
    #expect(isSame)

    let other = TestAdapter(TestRun.options)
    for picture in TestRun.pictures.reversed() { #expect(other.add(picture) == DAS3_OK) }
    #expect(das3_adapter_resume(other.handle, path) == DAS3_E_ARGUMENT)
    #expect(lastError().contains("other frames"), "\(lastError())")
  }

  @Test("a cancellation ends the call that it comes in, also one that is paused or done")
  func cancelledAtTheEnd() {
    let adapter = TestRun.adapter()
    let paused = adapter.run { report in
      guard report.total_step == 3 else { return true }
      das3_adapter_cancel(adapter.handle)
      return false
    }
    #expect(paused == DAS3_E_CANCELLED)
    #expect(adapter.step().total_step == 4)
    let done = adapter.run { report in
      if report.done == 1 { das3_adapter_cancel(adapter.handle) }
      return true
    }
    #expect(done == DAS3_OK)
    #expect(das3_adapter_step(adapter.handle, nil) == DAS3_OK)
  }
}
