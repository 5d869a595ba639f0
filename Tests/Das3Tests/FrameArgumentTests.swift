import CDas3
import Das3
import Das3TestSupport
import Testing

/// Frames that cannot be: refused before anything is read or written.
@Suite("Frame arguments")
struct FrameArgumentTests {
  let segmenter = TestSegmenter(ArgumentTests.model)
  let picture = PictureContent(width: 16, height: 8).rgb8()

  /// Runs with a changed image; result buffers must keep what they had.
  private func run(_ change: (inout das3_image) -> Void) -> das3_status {
    let count = picture.width * picture.height
    var labels = [UInt8](repeating: 77, count: count)
    var confidence = labels
    var entropy = [Float](repeating: 7.5, count: count)
    var probabilities = [Float](repeating: 7.5, count: 5 * count)
    let status = labels.withUnsafeMutableBufferPointer { labels in
      confidence.withUnsafeMutableBufferPointer { confidence in
        entropy.withUnsafeMutableBufferPointer { entropy in
          probabilities.withUnsafeMutableBufferPointer { probabilities in
            picture.withImage { image in
              var image = image
              change(&image)
              var result = das3_segmentation(
                struct_size: UInt32(MemoryLayout<das3_segmentation>.size), reserved: 0,
                labels: labels.baseAddress, confidence: confidence.baseAddress,
                entropy: entropy.baseAddress, probabilities: probabilities.baseAddress)
              return das3_segmenter_run(segmenter.handle, &image, &result)
            }
          }
        }
      }
    }
    if status != DAS3_OK {
      #expect(labels.allSatisfy { $0 == 77 } && confidence.allSatisfy { $0 == 77 })
      #expect(entropy.allSatisfy { $0 == 7.5 } && probabilities.allSatisfy { $0 == 7.5 })
    }
    return status
  }

  private func expectRefused(
    _ mention: String, sourceLocation: SourceLocation = #_sourceLocation,
    _ change: (inout das3_image) -> Void
  ) {
    #expect(run(change) == DAS3_E_ARGUMENT, sourceLocation: sourceLocation)
    #expect(lastError().contains(mention), "\(lastError())", sourceLocation: sourceLocation)
    #expect(HostileFileTests.isOneLine(lastError()), sourceLocation: sourceLocation)
  }

  @Test("float32 that is infinite or not a number", arguments: [Float.nan, .infinity, -.infinity])
  func notFinite(_ value: Float) {
    for place in [0, 2 * 8 * 16 + 17, 3 * 8 * 16 - 1] {
      var planes = [Float](repeating: 0.5, count: 3 * 8 * 16)
      planes[place] = value
      planes.withUnsafeBytes { bytes in
        func change(_ image: inout das3_image) {
          image.data = bytes.baseAddress
          image.format = Int32(DAS3_FORMAT_FLOAT32.rawValue)
        }
        expectRefused("row \(place / 16 % 8) of plane \(place / 128)") { change(&$0) }
        let adapter = TestAdapter()
        var image = das3_image()
        (image.width, image.height) = (16, 8)
        change(&image)
        #expect(das3_adapter_add_frame(adapter.handle, &image) == DAS3_E_ARGUMENT)
        #expect(lastError().contains("infinity or NaN") && adapter.info.frame_count == 0)
        let source = TestSource([picture])
        source.change = { change(&$0) }
        #expect(source.set(in: adapter) == DAS3_OK)
        #expect(das3_adapter_step(adapter.handle, nil) == DAS3_E_ARGUMENT)
        #expect(lastError().contains("frame 0: row"), "\(lastError())")
      }
    }
  }

  @Test("formats that do not exist")
  func format() {
    for format in [-1, 0, 9, Int32.min, Int32.max] {
      expectRefused("format") { $0.format = format }
    }
  }

  @Test("sizes that are none, or above the limit")
  func size() {
    for size in [-1, 0, 32_769, Int32.min, Int32.max] {
      expectRefused("expected sizes") { $0.width = size }
      expectRefused("expected sizes") { $0.height = size }
    }
  }

  @Test("rows shorter than their pixels, or without end")
  func stride() {
    for stride in [-1, 1, 47, Int64(Int32.max) + 1, .min, .max] {
      expectRefused("stride_bytes") { $0.stride_bytes = stride }
    }
    for (format, row) in [
      (DAS3_FORMAT_RGBA8, 64), (DAS3_FORMAT_GRAY8, 16), (DAS3_FORMAT_NV12, 16),
      (DAS3_FORMAT_YUYV, 32), (DAS3_FORMAT_FLOAT32, 64),
    ] {
      expectRefused("stride_bytes") {
        $0.format = Int32(format.rawValue)
        $0.stride_bytes = Int64(row) - 1
      }
    }
  }

  @Test("a YUYV picture of odd width, a float picture off its alignment")
  func alignment() {
    expectRefused("even") {
      $0.format = Int32(DAS3_FORMAT_YUYV.rawValue)
      $0.width = 15
    }
    expectRefused("aligned") {
      $0.format = Int32(DAS3_FORMAT_FLOAT32.rawValue)
      $0.data = $0.data + 1
    }
    expectRefused("aligned") {
      $0.format = Int32(DAS3_FORMAT_FLOAT32.rawValue)
      $0.stride_bytes = 66
    }
  }

  @Test("another format than the segmenter was made for")
  func onlyFormat() {
    var options = TestSegmenter.options()
    options.format = Int32(DAS3_FORMAT_BGR8.rawValue)
    let segmenter = TestSegmenter(ArgumentTests.model, options: options)
    #expect(segmenter.labels(picture) == nil)
    #expect(lastError().contains("format"))
    var turned = picture
    turned.format = DAS3_FORMAT_BGR8
    #expect(segmenter.labels(turned) != nil)
  }

  @Test("after any refusal the next good frame is labelled as before")
  func recovers() {
    let before = segmenter.labels(picture)
    #expect(before != nil)
    expectRefused("data") { $0.data = nil }
    expectRefused("format") { $0.format = 0 }
    expectRefused("expected sizes") { $0.width = 0 }
    #expect(segmenter.labels(picture) == before)
    #expect(lastError() == "")
  }

  @Test("a frame that needs more than the memory limit leaves a smaller one working")
  func memoryLimit() {
    var options = TestSegmenter.options()
    options.memory_limit = 1 << 20
    let segmenter = TestSegmenter(ArgumentTests.model, options: options)
    #expect(segmenter.status == DAS3_OK, "\(segmenter.message)")
    let before = segmenter.labels(picture)
    #expect(before != nil, "\(lastError())")
    let large = PictureContent(width: 640, height: 480).rgb8()
    var labels = [UInt8](repeating: 77, count: 640 * 480)
    let status = labels.withUnsafeMutableBufferPointer { buffer in
      segmenter.run(large) { $0.labels = buffer.baseAddress }
    }
    #expect(status == DAS3_E_MEMORY)
    #expect(lastError().contains("memory limit"))
    #expect(labels.allSatisfy { $0 == 77 })
    #expect(segmenter.labels(picture) == before)
  }

  @Test("what labels of wide frames take counts in the memory limit")
  func wideFrame() {
    var options = TestSegmenter.options(height: 16, width: 24)
    let network = TestSegmenter(ArgumentTests.model, options: options).info.peak_bytes
    options.memory_limit = UInt64(network) + 100_000
    let segmenter = TestSegmenter(ArgumentTests.model, options: options)
    let before = segmenter.labels(picture)
    #expect(before != nil, "\(lastError())")
    let wide = PictureContent(width: 4000, height: 8).rgb8()
    #expect(segmenter.labels(wide) == nil)
    #expect(lastError().contains("memory limit"))
    #expect(segmenter.labels(picture) == before)
    #expect(segmenter.info.peak_bytes <= options.memory_limit)
  }

  @Test("a frame of another size takes the place of what was made for the last one")
  func otherSize() async {
    await #expect(processExitsWith: .success) {
      let segmenter = TestSegmenter(ArgumentTests.model)
      let wide = PictureContent(width: 1280, height: 960).rgb8()
      let high = PictureContent(width: 960, height: 1280).rgb8()
      #expect(segmenter.labels(wide) != nil)
      let allocated = try #require(PeakMemory.allocated)
      ProcessLimits.apply(bytes: UInt(allocated) + UInt(segmenter.info.peak_bytes) / 2)
      #expect(segmenter.labels(high) != nil, "\(lastError())")
    }
  }

  @Test("a frame without any wanted result is read and harmless")
  func nothingWanted() {
    #expect(segmenter.run(picture) { _ in } == DAS3_OK)
  }
}
