extension Plan {
  /// Elements a buffer's start is a multiple of: 64 bytes, a cache line and the widest vector.
  package static let alignment = 16

  /// Gives every buffer its place; frame buffers share memory where their lives do not overlap.
  ///
  /// The largest buffers are placed first, each at the lowest gap that its whole life leaves free.
  mutating func assignMemory() {
    var placed: [(range: Range<Int>, first: Int, last: Int)] = []
    let order = buffers.indices.sorted {
      buffers[$0].elementCount == buffers[$1].elementCount
        ? $0 < $1 : buffers[$0].elementCount > buffers[$1].elementCount
    }
    for index in order {
      let size = Self.aligned(buffers[index].elementCount)
      switch buffers[index].region {
      case .parameter: continue
      case .model:
        buffers[index].offset = modelElementCount
        modelElementCount += size
      case .frame:
        let (first, last) = (buffers[index].firstStep, buffers[index].lastStep)
        guard first <= last else { continue }
        let taken = placed.filter { $0.first <= last && first <= $0.last }
          .map(\.range).sorted { $0.lowerBound < $1.lowerBound }
        var offset = 0
        for range in taken where range.lowerBound < offset + size {
          offset = max(offset, range.upperBound)
        }
        buffers[index].offset = offset
        placed.append((offset..<offset + size, first, last))
        frameElementCount = max(frameElementCount, offset + size)
      }
    }
  }

  package static func aligned(_ count: Int) -> Int {
    (max(count, 1) + alignment - 1) / alignment * alignment
  }
}
