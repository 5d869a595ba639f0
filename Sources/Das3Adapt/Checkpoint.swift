import Das3Graph

/// A run between two steps: what another process needs to go on as if nothing had happened.
package struct Checkpoint: Sendable, Equatable {
  var identity: CheckpointIdentity
  var position: PhaseSchedule.Position
  /// Of everything that is trained, auxiliary classifiers last; so is the optimizer's memory.
  package var weights: [Float]
  package var optimizer: [[Float]]
  /// Of the stage it is in; nil before its first step.
  package var stage: StageMemory?
  /// What a blend of statistics has ended with; nil before it has.
  var blend: BlendRecord?
  /// What a guarded run looks back to; nil before its probes are chosen.
  var guardMemory: GuardMemory?
  /// Statistics that each frame is learned with; nil = all frames have the same, or none are known.
  var scenes: SceneBank?

  private static let title = "checkpoint 5"

  init(
    identity: CheckpointIdentity, position: PhaseSchedule.Position, weights: [Float],
    optimizer: [[Float]],
    stage: StageMemory?, blend: BlendRecord? = nil, guardMemory: GuardMemory? = nil,
    scenes: SceneBank? = nil
  ) {
    self.identity = identity
    self.position = position
    self.weights = weights
    self.optimizer = optimizer
    self.stage = stage
    self.blend = blend
    self.guardMemory = guardMemory
    self.scenes = scenes
  }

  // MARK: Files

  var vectors: [[Float]] {
    trainerVectors + (stage?.vectors ?? []) + (guardMemory.map { [$0.weights] } ?? [])
      + (scenes.map { [$0.map.scales] + $0.map.centres + $0.statistics } ?? [])
  }

  /// Those that are as long as all that the trainer has weights of.
  var trainerVectors: [[Float]] { [weights] + optimizer }

  /// Those that are as long as the network's weights; what a blend has gathered is shorter, and an
  /// anchor may be of several sets.
  var networkVectors: [[Float]] {
    let ofStage = stage.map { $0.blend == nil ? [$0.start, $0.teacher] : [$0.start] } ?? []
    return ofStage + (guardMemory.map { [$0.weights] } ?? [])
  }

  /// Writes it, whole or not at all.
  package func write(to path: String) throws(Das3Error) {
    let header: [String: Json] = [
      "identity": .object(identity.fields.mapValues { .string($0) }),
      "position": position.json,
      "optimizer": .number(Double(optimizer.count)), "stage": .bool(stage != nil),
      "blending": stage?.blend?.json ?? .null, "blend": blend?.json ?? .null,
      "trial": stage?.trial?.json ?? .null, "guard": guardMemory?.json ?? .null,
      "scenes": scenes.map { .numbers($0.frameCounts.map(Double.init)) } ?? .null,
    ]
    try CheckpointFile(header: header, vectors: vectors).write(to: path, title: Self.title)
  }

  /// Reads one.
  ///
  /// - Throws: `.io` where there is none, `.format` where it is damaged or of another version.
  package init(contentsOf path: String) throws(Das3Error) {
    let file = try CheckpointFile(contentsOf: path, title: Self.title)
    do throws(Das3Error) {
      try self.init(file)
    } catch {
      throw error.at(path)
    }
  }

  private init(_ file: CheckpointFile) throws(Das3Error) {
    let (header, vectors) = (file.header, file.vectors)
    guard let fields = header["identity"]?.object,
      let position = header["position"].flatMap(PhaseSchedule.Position.init),
      let optimizerCount = header["optimizer"]?.number.flatMap({ Int(exactly: $0) }),
      case .bool(let hasStage)? = header["stage"], optimizerCount >= 0
    else { throw Self.inconsistent }
    guardMemory = try Self.read(header["guard"], GuardMemory.init)
    let sceneCounts = try Self.read(header["scenes"], Self.sceneCounts) ?? []
    let guardEnd = 1 + optimizerCount + (hasStage ? 3 : 0) + (guardMemory == nil ? 0 : 1)
    guard vectors.count == guardEnd + (sceneCounts.isEmpty ? 0 : 1 + 2 * sceneCounts.count)
    else { throw Self.inconsistent }
    identity = CheckpointIdentity(fields: fields.compactMapValues(\.string))
    self.position = position
    weights = vectors[0]
    optimizer = Array(vectors[1..<1 + optimizerCount])
    if hasStage {
      var memory = StageMemory(start: vectors[1 + optimizerCount])
      memory.anchor = vectors[2 + optimizerCount]
      memory.teacher = vectors[3 + optimizerCount]
      memory.blend = try Self.read(header["blending"], BlendMemory.init)
      memory.trial = try Self.read(header["trial"], TrialMemory.init)
      stage = memory
    }
    blend = try Self.read(header["blend"], BlendRecord.init)
    if guardMemory != nil { guardMemory?.weights = vectors[guardEnd - 1] }
    guard !sceneCounts.isEmpty else { return }
    let middle = guardEnd + 1 + sceneCounts.count
    scenes = SceneBank(
      map: SceneMap(
        centres: Array(vectors[guardEnd + 1..<middle]), scales: vectors[guardEnd]),
      frameCounts: sceneCounts, statistics: Array(vectors[middle...]))
  }

  private static func sceneCounts(_ json: Json) -> [Int]? {
    let counts = json.numbers?.map { Int(exactly: $0) ?? 0 } ?? []
    let isPossible =
      (2...SceneBank.mostScenes).contains(counts.count) && counts.allSatisfy { $0 > 0 }
    return isPossible ? counts : nil
  }

  /// What may be missing, but not wrong.
  private static func read<Value>(_ json: Json?, _ make: (Json) -> Value?) throws(Das3Error)
    -> Value?
  {
    guard let json, json != .null else { return nil }
    guard let value = make(json) else { throw inconsistent }
    return value
  }

  static let inconsistent = Das3Error.format("the checkpoint contradicts itself")
}
