import CKernels
import Das3TestSupport
import Testing

@Suite("Mixing and mirroring")
struct MixTests {
  static let sizes = [1, 3, 4, 12, 80, 150]

  @Test("a mask takes pixels of one image, the rest come from the other", arguments: sizes)
  func mix(_ size: Int) {
    let pixels = 5003
    var random = SplitMix64(seed: 1)
    let mask = random.bytes(pixels).map { $0 % 3 == 0 ? 0 : $0 }
    let (a, b) = (random.bytes(pixels * size), random.bytes(pixels * size))
    let wanted = a.indices.map { mask[$0 / size] != 0 ? a[$0] : b[$0] }
    for threads: Int32 in [1, 2] {
      var (y, onA, onB) = (b.map { _ in UInt8(0) }, a, b)
      d3k_mix(threads, mask, a, b, &y, Int64(pixels), Int64(size))
      onA.withUnsafeMutableBytes { a in
        d3k_mix(threads, mask, a.baseAddress, b, a.baseAddress, Int64(pixels), Int64(size))
      }
      onB.withUnsafeMutableBytes { b in
        d3k_mix(threads, mask, a, b.baseAddress, b.baseAddress, Int64(pixels), Int64(size))
      }
      #expect(y == wanted && onA == wanted && onB == wanted, "\(threads) threads")
    }
  }

  @Test("a mask marks the pixels of the chosen classes")
  func classMask() {
    var random = SplitMix64(seed: 2)
    let labels = random.bytes(70_001)
    let chosen = random.bytes(256).map { $0 & 1 }
    for threads: Int32 in [1, 2] {
      var mask = labels.map { _ in UInt8(7) }
      d3k_class_mask(threads, labels, Int64(labels.count), chosen, &mask)
      #expect(mask == labels.map { chosen[Int($0)] })
    }
  }

  @Test("a mirrored image reads from right to left", arguments: sizes, [1, 2, 37, 64])
  func flip(_ size: Int, width: Int) {
    let height = 50
    var random = SplitMix64(seed: 3)
    let before = random.bytes(height * width * size)
    for threads: Int32 in [1, 2] {
      var x = before
      d3k_flip(threads, &x, Int64(height), Int64(width), Int64(size))
      let isEqual = x.indices.allSatisfy { index in
        let (pixel, byte) = (index / size, index % size)
        let other = pixel / width * width + width - 1 - pixel % width
        return x[index] == before[other * size + byte]
      }
      #expect(isEqual, "\(threads) threads")
    }
  }
}
