import Das3Files
import Das3Graph

/// A run between two steps: what another process needs to go on as if nothing had happened.
///
/// A file is a line of magic and version, the length of a JSON header, the header, float32 vectors
/// in the order it names them, and a SHA-256 of all before it. Numbers are little endian.
package struct Checkpoint: Sendable, Equatable {
  var identity: CheckpointIdentity
  var position: PhaseSchedule.Position
  package var weights: [Float]
  package var optimizer: [[Float]]
  /// Of the stage it is in; nil before its first step.
  package var stage: StageMemory?
  /// What a blend of statistics has ended with; nil before it has.
  var blend: BlendRecord?
  /// What a guarded run looks back to; nil before its probes are chosen.
  var guardMemory: GuardMemory?

  private static let magic = Array("DAS3 checkpoint 3\n".utf8)
  private static let maximumBytes: UInt64 = 1 << 36

  init(
    identity: CheckpointIdentity, position: PhaseSchedule.Position, weights: [Float],
    optimizer: [[Float]],
    stage: StageMemory?, blend: BlendRecord? = nil, guardMemory: GuardMemory? = nil
  ) {
    self.identity = identity
    self.position = position
    self.weights = weights
    self.optimizer = optimizer
    self.stage = stage
    self.blend = blend
    self.guardMemory = guardMemory
  }

  // MARK: Files

  var vectors: [[Float]] {
    [weights] + optimizer + (stage?.vectors ?? []) + (guardMemory.map { [$0.weights] } ?? [])
  }

  /// Writes it, whole or not at all.
  package func write(to path: String) throws(Das3Error) {
    let vectors = vectors
    let header = Json.object([
      "identity": .object(identity.fields.mapValues { .string($0) }),
      "position": position.json,
      "vectors": .array(vectors.map { .number(Double($0.count)) }),
      "optimizer": .number(Double(optimizer.count)), "stage": .bool(stage != nil),
      "blending": stage?.blend?.json ?? .null, "blend": blend?.json ?? .null,
      "trial": stage?.trial?.json ?? .null, "guard": guardMemory?.json ?? .null,
    ])
    let text = Array(header.text.utf8)
    var parts = [WholeFile.Part.bytes(Self.magic + Self.bytes(of: text.count) + text)]
    parts += vectors.map { .floats($0) }
    parts.append(.bytes(WholeFile.digest(parts)))
    try WholeFile.write(parts, to: path)
  }

  /// Reads one.
  ///
  /// - Throws: `.io` where there is none, `.format` where it is damaged or of another version.
  package init(contentsOf path: String) throws(Das3Error) {
    let file = try ReadFile(path, maximumBytes: Self.maximumBytes)
    do throws(Das3Error) {
      try self.init(file)
    } catch {
      throw error.code == .io ? error : error.at(path)
    }
  }

  /// Reads the file twice, so that nothing of it is believed before its checksum.
  private init(_ file: ReadFile) throws(Das3Error) {
    let magic = Self.magic
    let start: [UInt8] = try file.next(min(file.byteCount, 40))
    guard start.starts(with: magic.dropLast(2)) else {
      throw .format("not a checkpoint of das3")
    }
    guard start.starts(with: magic) else {
      let line = start.prefix { $0 != UInt8(ascii: "\n") }
      throw .format(
        "it is of another version: it begins '\(String(decoding: line, as: UTF8.self))'; this library reads '\(String(decoding: magic.dropLast(), as: UTF8.self))'"
      )
    }
    let end = file.byteCount - 32
    guard end >= magic.count + 8, try file.digest(upTo: end) == file.next(32) else {
      throw .format("the checkpoint is damaged: its checksum does not fit")
    }
    // From here on only a file that was made to deceive can be wrong.
    file.position = magic.count
    let length = try file.next(8).reversed().reduce(0) { $0 << 8 | UInt64($1 as UInt8) }
    guard length <= UInt64(end - file.position) else { throw Self.inconsistent }
    let text = String(decoding: try file.next(Int(length)) as [UInt8], as: UTF8.self)
    guard let header = try Json(parsing: text).object,
      let fields = header["identity"]?.object,
      let position = header["position"].flatMap(PhaseSchedule.Position.init),
      let counts = header["vectors"]?.array?.map({ Int(exactly: $0.number ?? -1) ?? -1 }),
      let optimizerCount = header["optimizer"]?.number.flatMap({ Int(exactly: $0) }),
      case .bool(let hasStage)? = header["stage"], optimizerCount >= 0,
      counts.allSatisfy({ $0 >= 0 }),
      counts.allSatisfy({ $0 <= end / 4 }), file.position + 4 * counts.reduce(0, +) == end
    else { throw Self.inconsistent }
    guardMemory = try Self.read(header["guard"], GuardMemory.init)
    guard counts.count == 1 + optimizerCount + (hasStage ? 3 : 0) + (guardMemory == nil ? 0 : 1)
    else { throw Self.inconsistent }
    try AddressSpace.check(end + AddressSpace.margin)
    var vectors: [[Float]] = []
    for count in counts { vectors.append(try file.next(count)) }
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
    if guardMemory != nil { guardMemory?.weights = vectors[counts.count - 1] }
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

  private static func bytes(of count: Int) -> [UInt8] {
    (0..<8).map { UInt8(truncatingIfNeeded: count >> (8 * $0)) }
  }
}
