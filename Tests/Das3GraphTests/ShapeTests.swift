import Das3Graph
import Testing

/// Sizes, their products and how two shapes meet.
@Suite("Shape")
struct ShapeTests {
  @Test(
    "two shapes broadcast to one, whichever comes first",
    arguments: [
      ([2, 3], [2, 3], [2, 3]), ([2, 3], [], [2, 3]), ([2, 3], [3], [2, 3]),
      ([2, 1], [3], [2, 3]),
      ([4, 1, 5], [3, 1], [4, 3, 5]), ([1], [1], [1]), ([0], [1], [0]), ([2, 0], [1, 1], [2, 0]),
      ([1, 19, 1, 1], [2, 1, 4, 5], [2, 19, 4, 5]),
    ] as [([Int], [Int], [Int])])
  func broadcast(_ a: [Int], _ b: [Int], _ expected: [Int]) {
    #expect(Shape(a).broadcast(with: Shape(b)) == Shape(expected))
    #expect(Shape(b).broadcast(with: Shape(a)) == Shape(expected))
  }

  @Test(
    "shapes that differ without a 1 do not broadcast",
    arguments: [([2], [3]), ([2, 3], [2]), ([0], [2]), ([4, 2, 3], [3, 3])] as [([Int], [Int])])
  func noBroadcast(_ a: [Int], _ b: [Int]) {
    #expect(Shape(a).broadcast(with: Shape(b)) == nil)
    #expect(Shape(b).broadcast(with: Shape(a)) == nil)
  }

  @Test("strides are row-major, and 0 where broadcasting repeats")
  func strides() {
    #expect(Shape([2, 3, 4]).contiguousStrides == [12, 4, 1])
    #expect(Shape([]).contiguousStrides == [])
    #expect(Shape([2, 0, 4]).contiguousStrides.count == 3)
    func repeated(_ shape: Shape, to target: Shape) -> [Int] {
      Plan.View(buffer: 0, shape: shape, strides: shape.contiguousStrides).expanded(to: target)
        .strides
    }
    #expect(repeated([3, 1], to: [2, 3, 4]) == [0, 1, 0])
    #expect(repeated([], to: [2, 3]) == [0, 0])
  }

  @Test(
    "what fits is valid",
    arguments: [[], [0], [1, 3, 480, 640], [2_147_483_647], [65536, 0]] as [[Int]])
  func valid(_ dims: [Int]) throws {
    #expect(try Shape(dims).validated() == Shape(dims))
  }

  @Test("a negative size is a wrong shape")
  func negative() {
    for dims in [[-1], [2, -3], [Int.min]] {
      let error = #expect(throws: Das3Error.self) { try Shape(dims).validated() }
      #expect(error?.code == .shape)
    }
  }

  @Test(
    "products beyond 32 bits are a limit, also where a size of 0 hides them",
    arguments: [
      [1 << 31], [1 << 16, 1 << 15, 2], [1 << 40], [.max, .max], [1 << 32, 1 << 32], [.max, 0],
      [0, 1 << 40, 1 << 40], [1 << 62, 0, 4],
    ] as [[Int]])
  func overflow(_ dims: [Int]) {
    let error = #expect(throws: Das3Error.self) { try Shape(dims).validated() }
    #expect(error?.code == .limit)
  }

  @Test("more than 8 dimensions are not supported")
  func rank() {
    #expect(throws: Never.self) { try Shape([Int](repeating: 1, count: 8)).validated() }
    let error = #expect(throws: Das3Error.self) {
      try Shape([Int](repeating: 1, count: 9)).validated()
    }
    #expect(error?.code == .unsupported)
  }

  @Test("a negative axis counts from the end")
  func axis() throws {
    let shape: Shape = [2, 3, 4]
    #expect(try shape.axis(0) == 0)
    #expect(try shape.axis(2) == 2)
    #expect(try shape.axis(-1) == 2)
    #expect(try shape.axis(-3) == 0)
    for axis in [3, -4, Int.min, Int.max] {
      let error = #expect(throws: Das3Error.self) { try shape.axis(axis) }
      #expect(error?.message.contains("2×3×4") == true)
    }
    #expect(throws: Das3Error.self) { try Shape([]).axis(0) }
  }

  @Test("shapes read as people write them")
  func description() {
    #expect(Shape([1, 3, 480, 640]).description == "1×3×480×640")
    #expect(Shape([]).description == "scalar")
  }
}
