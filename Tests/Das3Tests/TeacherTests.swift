import CDas3
import Das3
import Das3TestSupport
import Testing

/// The black box: a student that starts from what somebody else says of its frames.
@Suite("Teachers")
struct TeacherTests {
  static let master = TestModel(SampleModels.convolutional(seed: 99).serialized())
  static let classCount = SampleModels.classCount

  /// Pictures of the network's size, so that answers at the frames' size are at the scores' too.
  static let pictures = (0..<4).map { index in
    PictureContent(width: 48, height: 32, blockSize: 4 + index, seed: UInt64(index)).rgb8()
  }
  /// What the master says of each: classes × height × width.
  static let probabilities = pictures.map { picture in
    TestSegmenter(master).probabilities(picture, classCount: classCount) ?? []
  }

  private func student(_ change: TestAdapter.Change = { _ in }) -> TestAdapter {
    let adapter = TestAdapter {
      TestRun.options(&$0)
      change(&$0)
    }
    for picture in Self.pictures { #expect(adapter.add(picture) == DAS3_OK) }
    return adapter
  }

  /// The bits of a student at the end.
  private func bits(_ teacher: TestTeacher) -> [UInt32] {
    let student = student()
    #expect(teacher.set(in: student) == DAS3_OK)
    #expect(student.run() == DAS3_OK, "\(lastError())")
    return student.snapshot.bits
  }

  /// A teacher that lends what was made of each frame.
  private func lender<Element>(
    _ answers: [[Element]],
    _ lend: @escaping (UnsafePointer<Element>, inout das3_prediction) -> Void
  ) -> TestTeacher {
    let lent = answers.map { answer in
      let buffer = UnsafeMutableBufferPointer<Element>.allocate(capacity: answer.count)
      _ = buffer.initialize(from: answer)
      return buffer
    }
    // Never given back: the tests are short.
    return TestTeacher { index, _, prediction in
      guard let start = lent[index].baseAddress else { return false }
      lend(UnsafePointer(start), &prediction)
      return true
    }
  }

  private func teacher(_ probabilities: [[Float]]) -> TestTeacher {
    lender(probabilities) { $1.probabilities = $0 }
  }

  /// Makes a network the teacher.
  private func set(_ model: TestModel, in student: TestAdapter) -> das3_status {
    var record = das3_teacher()
    record.struct_size = UInt32(MemoryLayout<das3_teacher>.size)
    record.model = model.handle
    return das3_adapter_set_teacher(student.handle, &record)
  }

  @Test("a network as teacher: no stage (a), asked once a frame in (b) and (c), learned from")
  func network() {
    let callback = teacher(Self.probabilities)
    let asked = student()
    #expect(callback.set(in: asked) == DAS3_OK)
    var stages: Set<Int32> = []
    #expect(
      asked.run {
        stages.insert($0.stage)
        return true
      } == DAS3_OK)
    #expect(stages == [0x62, 0x63])
    #expect(callback.asked == Array(Self.pictures.indices) + Array(Self.pictures.indices))
    let taught = student()
    #expect(set(Self.master, in: taught) == DAS3_OK)
    #expect(taught.run() == DAS3_OK)
    let isSame = taught.snapshot.bits == asked.snapshot.bits
    #expect(isSame)
    let alone = student()
    #expect(alone.run() == DAS3_OK)
    let differs = alone.snapshot.bits != asked.snapshot.bits
    #expect(differs)
  }

  @Test("dine asks its teacher once a frame, and then learns from what both say")
  func distilled() {
    func learn(_ teach: (TestAdapter) -> das3_status) -> (bits: [UInt32], rounds: Set<Int32>) {
      let student = student { $0.method = Int32(DAS3_METHOD_DINE.rawValue) }
      #expect(teach(student) == DAS3_OK)
      var rounds: Set<Int32> = []
      let status = student.run {
        rounds.insert($0.round)
        return true
      }
      #expect(status == DAS3_OK, "\(lastError())")
      return (student.snapshot.bits, rounds)
    }
    let teacher = teacher(Self.probabilities)
    let asked = learn { teacher.set(in: $0) }
    #expect(teacher.asked == Array(Self.pictures.indices))
    #expect(asked.rounds.contains(2))
    let taught = learn { set(Self.master, in: $0) }
    let alone = learn { _ in das3_status(DAS3_OK) }
    let (isSame, differs) = (taught.bits == asked.bits, alone.bits != asked.bits)
    #expect(isSame && differs)
  }

  @Test("a network as teacher has its part of the memory limit")
  func memory() {
    func run(
      _ limit: UInt64, _ teach: (TestAdapter) -> das3_status
    ) -> (bytes: Int64, bits: [UInt32]) {
      let taught = student { $0.memory_limit = limit }
      #expect(teach(taught) == DAS3_OK)
      var bytes: Int64 = 0
      let status = taught.run {
        bytes = max(bytes, Int64($0.memory_bytes))
        return true
      }
      #expect(status == DAS3_OK, "\(lastError())")
      return (bytes, taught.snapshot.bits)
    }
    let teacher = teacher(Self.probabilities)
    let asked = run(1 << 30) { teacher.set(in: $0) }
    let taught = run(1 << 30) { set(Self.master, in: $0) }
    let own = TestSegmenter(Self.master)
    _ = own.labels(Self.pictures[0])
    #expect(taught.bytes - asked.bytes >= Int64(own.info.peak_bytes) && own.info.peak_bytes > 0)
    // Half of what the limit leaves is for labels: they go to disk, and activations are made again.
    let tight = run(UInt64(taught.bytes)) { set(Self.master, in: $0) }
    let isSame = tight.bits == taught.bits
    #expect(isSame && tight.bytes <= taught.bytes)
    // The least that the student needs, and its frames, leave nothing for the teacher.
    let needy = TestAdapter {
      TestRun.options(&$0)
      $0.memory_limit = 1
    }
    let words = needy.message.split(separator: " ")
    let least = words.firstIndex(of: "least").flatMap { UInt64(words[$0 + 1]) } ?? 0
    let refused = student { $0.memory_limit = least + UInt64(Self.pictures.count * 48 * 32 * 3) }
    #expect(set(Self.master, in: refused) == DAS3_OK)
    #expect(refused.run() == DAS3_E_MEMORY && lastError().contains("needs at least"))
  }

  @Test("with steps that are large enough the student comes to agree with its teacher")
  func learns() {
    func agreement(_ model: TestModel) -> Double {
      let (student, master) = (TestSegmenter(model), TestSegmenter(Self.master))
      let pairs = Self.pictures.map { (student.labels($0) ?? [], master.labels($0) ?? []) }
      let same = pairs.reduce(0) { $0 + zip($1.0, $1.1).filter { $0 == $1 }.count }
      return Double(same) / Double(pairs.count * 48 * 32)
    }
    let student = student {
      $0.optimizer = Int32(DAS3_OPTIMIZER_RELATIVE.rawValue)
      ($0.steps_b, $0.rate_b, $0.label_rounds, $0.drift_b) = (150, 3e-3, 1, 0)
      ($0.positive_share, $0.negative_weight) = (1, 0)
    }
    let teacher = teacher(Self.probabilities)
    #expect(teacher.set(in: student) == DAS3_OK && student.run() == DAS3_OK)
    let (before, after) = (agreement(AdapterTests.model), agreement(student.snapshot))
    #expect(after > before + 0.2, "\(before), \(after)")
  }

  @Test("rates that follow the drift do so with a teacher too, and no drift ends (b)")
  func drift() {
    for drift in [0.5, 1e-6] {
      let student = student {
        $0.optimizer = Int32(DAS3_OPTIMIZER_ADAMW.rawValue)
        $0.drift_b = drift
      }
      let teacher = teacher(Self.probabilities)
      #expect(teacher.set(in: student) == DAS3_OK)
      var (rates, endedEarly) = ([Double](), false)
      let status = student.run { report in
        guard report.stage == 0x62, report.labelling == 0 else { return true }
        rates.append(report.learning_rate)
        endedEarly = endedEarly || report.stopped_early != 0
        return true
      }
      #expect(status == DAS3_OK && rates.count == 32 && !endedEarly)
      let isRising = zip(rates, rates.dropFirst()).contains { $0 < $1 }
      #expect(isRising == (drift > 0.1), "\(rates)")
    }
  }

  @Test("classes are matched by their names, whatever their order")
  func names() {
    let order = [3, 0, 4, 1, 2]
    var writer = SampleModels.convolutional(seed: 99)
    let names = ["road", "sky", "car", "tree", "person"]
    writer.metadata[0].1 = "[" + order.map { "\"\(names[$0])\"" }.joined(separator: ", ") + "]"
    let head = writer.initializers.firstIndex { $0.name == "head.w" } ?? 0
    guard case .raw(let rows) = writer.initializers[head].payload else { return }
    writer.initializers[head].payload = .raw(order.flatMap { rows[64 * $0..<64 * $0 + 64] })
    let shuffled = TestModel(writer.serialized())
    #expect(shuffled.status == DAS3_OK, "\(shuffled.message)")
    let ends = [Self.master, shuffled].map { model in
      let student = student()
      #expect(set(model, in: student) == DAS3_OK)
      #expect(student.run() == DAS3_OK)
      return student.snapshot.bits
    }
    let isSame = ends[0] == ends[1]
    #expect(isSame)
  }

  @Test("halves say what floats of the same values say")
  func halves() {
    let halves = Self.probabilities.map { $0.map { Float16($0) } }
    let lender = lender(halves.map { $0.map(\.bitPattern) }) { $1.half_probabilities = $0 }
    let isSame = bits(lender) == bits(teacher(halves.map { $0.map { Float($0) } }))
    #expect(isSame)
  }

  @Test("probabilities of another size are brought to that of the scores")
  func probabilitySize() {
    // One value over the whole frame is the same at any size.
    let flat = (0..<4).map { (frame: Int) -> [Float] in
      (0..<Self.classCount).map { $0 == frame % 5 ? 0.8 : 0.05 }
    }
    func planes(_ pixels: Int) -> [[Float]] {
      flat.map { values in values.flatMap { [Float](repeating: $0, count: pixels) } }
    }
    let whole = bits(teacher(planes(32 * 48)))
    for (height, width) in [(1, 1), (16, 24), (45, 77)] {
      let sized = lender(planes(height * width)) {
        $1.probabilities = $0
        ($1.height, $1.width) = (Int32(height), Int32(width))
      }
      let isSame = bits(sized) == whole
      #expect(isSame, "\(width)x\(height)")
    }
  }

  @Test("labels with confidence of another size are those of the nearest pixels")
  func labelSize() {
    var random = SplitMix64(seed: 8)
    // 200 and above are no classes: nothing is said of these pixels.
    let small = (0..<4).map { _ in random.bytes(2 * 16 * 24).map { $0 < 200 ? $0 % 5 : $0 } }
    let places: [Int] = (0..<2 * 32 * 48).map { $0 / 96 * 24 + $0 % 48 / 2 }
    let large = small.map { frame in places.map { frame[$0] } }
    func teacher(_ frames: [[UInt8]], _ height: Int, _ width: Int) -> TestTeacher {
      lender(frames) {
        ($1.labels, $1.confidence) = ($0, $0 + height * width)
        ($1.height, $1.width) = (Int32(height), Int32(width))
      }
    }
    let isSame = bits(teacher(small, 16, 24)) == bits(teacher(large, 32, 48))
    #expect(isSame)
  }

  @Test("an answer that is none fails the call, and the next one goes on")
  func badAnswers() {
    let reference = bits(teacher(Self.probabilities))
    let changes: [(Int, String, (inout das3_prediction) -> Void)] = [
      (Int(DAS3_E_ARGUMENT), "neither probabilities nor", { $0.probabilities = nil }),
      (Int(DAS3_E_SHAPE), "48x0 pixels", { $0.height = 0 }),
      (Int(DAS3_E_SHAPE), "-1x32 pixels", { $0.width = -1 }),
      (Int(DAS3_E_SHAPE), "40000x32 pixels", { $0.width = 40_000 }),
    ]
    let lender = teacher(Self.probabilities)
    var (change, fails): ((inout das3_prediction) -> Void, Bool) = ({ _ in }, false)
    let moody = TestTeacher { index, image, prediction in
      #expect(prediction.class_count == 5 && (prediction.height, prediction.width) == (32, 48))
      #expect(
        (image.height, image.width, image.format) == (32, 48, Int32(DAS3_FORMAT_RGB8.rawValue)))
      guard lender.answer(index, image, &prediction) else { return false }
      if index == 2 { change(&prediction) }
      return index != 2 || !fails
    }
    let student = student()
    #expect(moody.set(in: student) == DAS3_OK)
    for (expected, words, next) in changes {
      change = next
      let status = das3_adapter_step(student.handle, nil)
      #expect(status == das3_status(expected) && lastError().contains(words), "\(lastError())")
    }
    (change, fails) = ({ _ in }, true)
    #expect(das3_adapter_step(student.handle, nil) == DAS3_E_IO)
    #expect(lastError().contains("could not predict frame 2"))
    let isUnmoved = student.snapshot.bits == AdapterTests.model.bits
    #expect(isUnmoved)
    fails = false
    #expect(student.run() == DAS3_OK)
    let isSame = student.snapshot.bits == reference
    #expect(isSame)
  }

  @Test("numbers that are no probabilities do no harm")
  func rubbish() {
    for value: Float in [.nan, .infinity, -.infinity, -3, 1e30, 0] {
      let student = student()
      let teacher = teacher(
        Self.probabilities.map { frame in
          frame.enumerated().map { $0.offset % 3 == 0 ? value : $0.element }
        })
      #expect(teacher.set(in: student) == DAS3_OK && student.run() == DAS3_OK)
      let isFinite = student.snapshot.parameters.allSatisfy(\.isFinite)
      #expect(isFinite, "\(value)")
    }
  }

  @Test("a teacher that is none is refused")
  func badTeachers() {
    let student = student()
    var record = das3_teacher()
    #expect(das3_adapter_set_teacher(student.handle, &record) == DAS3_E_ARGUMENT)
    record.struct_size = UInt32(MemoryLayout<das3_teacher>.size)
    #expect(das3_adapter_set_teacher(student.handle, &record) == DAS3_E_ARGUMENT)
    #expect(lastError().contains("both NULL"))
    #expect(das3_adapter_set_teacher(student.handle, nil) == DAS3_E_ARGUMENT)
    #expect(das3_adapter_set_teacher(nil, &record) == DAS3_E_ARGUMENT)
    var writer = SampleModels.convolutional()
    writer.metadata[0].1 = #"["a", "b", "c", "d", "e"]"#
    let stranger = TestModel(writer.serialized())
    record.model = stranger.handle
    #expect(das3_adapter_set_teacher(student.handle, &record) == DAS3_E_SHAPE)
    #expect(lastError().contains("none of the student's classes"))
    let aligned = "a".withCString { stages in self.student { $0.stages = stages } }
    let teacher = teacher(Self.probabilities)
    #expect(teacher.set(in: aligned) == DAS3_OK)
    #expect(das3_adapter_step(aligned.handle, nil) == DAS3_E_ARGUMENT)
    #expect(lastError().contains("none is to run"))
    #expect(student.run() == DAS3_OK)
  }
}
