import Das3Graph
import Das3TestSupport
import Testing

/// Where windows lie: pads that `auto_pad` decides, sizes that `ceil_mode` rounds.
@Suite("Window")
struct WindowTests {
  /// The window of a convolution over a 1×1×height×width image, and its output size.
  private func convolution(
    _ size: [Int], kernel: [Int], _ attributes: KeyValuePairs<String, OnnxWriter.Attribute>
  ) throws -> (window: Window, size: [Int]) {
    let graph = try TestGraph.build([1, 1] + size) {
      $0.floats("w", [1, 1] + kernel, [Float](repeating: 1, count: kernel[0] * kernel[1]))
      $0.node("Conv", ["x", "w"], ["y"], attributes)
    }
    guard case .conv(let conv)? = graph.nodes.first?.operation else {
      throw Das3Error(.internal, "no convolution")
    }
    return (conv.window, Array(graph.values[graph.outputs[0]].shape.dims[2...]))
  }

  private func pooled(
    _ size: [Int], kernel: [Int], strides: [Int], pads: [Int], ceil: Bool,
    dilations: [Int] = [1, 1]
  ) throws -> [Int] {
    let graph = try TestGraph.build([1, 1] + size) {
      $0.node(
        "MaxPool", ["x"], ["y"],
        [
          "kernel_shape": .ints(kernel), "strides": .ints(strides), "pads": .ints(pads),
          "ceil_mode": .int(ceil ? 1 : 0), "dilations": .ints(dilations),
        ])
    }
    return Array(graph.values[graph.outputs[0]].shape.dims[2...])
  }

  @Test(
    "SAME gives ⌈size / stride⌉; the odd pixel of padding goes where the name says",
    arguments: [
      // size, kernel, stride, dilation: output, UPPER before and after
      (5, 3, 2, 1, 3, 1, 1), (6, 3, 2, 1, 3, 0, 1), (7, 2, 1, 1, 7, 0, 1), (6, 3, 1, 2, 6, 2, 2),
      (4, 2, 3, 1, 2, 0, 1), (8, 1, 2, 1, 4, 0, 0), (5, 4, 2, 1, 3, 1, 2), (1, 3, 2, 1, 1, 1, 1),
    ])
  func same(
    _ size: Int, _ kernel: Int, _ stride: Int, _ dilation: Int, _ output: Int, _ before: Int,
    _ after: Int
  ) throws {
    for (name, top, bottom) in [("SAME_UPPER", before, after), ("SAME_LOWER", after, before)] {
      // A width of its own shows that the axes are not mixed up.
      let (window, found) = try convolution(
        [size, 9], kernel: [kernel, 1],
        [
          "auto_pad": .string(name), "strides": .ints([stride, 1]),
          "dilations": .ints([dilation, 1]),
        ])
      #expect(found == [output, 9])
      #expect([window.padTop, window.padBottom] == [top, bottom])
      #expect([window.padLeft, window.padRight] == [0, 0])
    }
  }

  @Test("VALID pads nothing, whatever pads say")
  func valid() throws {
    let (window, size) = try convolution([7, 8], kernel: [3, 2], ["auto_pad": .string("VALID")])
    #expect(size == [5, 7])
    #expect([window.padTop, window.padLeft, window.padBottom, window.padRight] == [0, 0, 0, 0])
  }

  @Test("pads are top, left, bottom, right")
  func explicitPads() throws {
    let (window, size) = try convolution([7, 8], kernel: [3, 3], ["pads": .ints([1, 2, 3, 4])])
    #expect([window.padTop, window.padLeft, window.padBottom, window.padRight] == [1, 2, 3, 4])
    #expect(size == [7 + 4 - 2, 8 + 6 - 2])
  }

  @Test("a dilated kernel covers what lies between its cells")
  func dilation() throws {
    let (window, size) = try convolution([20, 20], kernel: [3, 5], ["dilations": .ints([4, 3])])
    #expect([window.extentY, window.extentX] == [9, 13])
    #expect(size == [12, 8])
  }

  @Test(
    "ceil_mode rounds up, but drops a window that would start behind the image",
    arguments: [
      // size, kernel, stride, pad before and after: floor, ceil
      (5, 2, 2, 0, 0, 2, 3), (6, 2, 2, 0, 0, 3, 3), (3, 1, 2, 0, 1, 2, 2), (2, 3, 2, 1, 1, 1, 2),
      (7, 3, 3, 0, 0, 2, 3), (4, 2, 3, 0, 1, 2, 2), (5, 3, 3, 1, 1, 2, 2), (4, 3, 2, 1, 1, 2, 3),
    ])
  func ceilMode(
    _ size: Int, _ kernel: Int, _ stride: Int, _ before: Int, _ after: Int, _ floor: Int,
    _ ceil: Int
  ) throws {
    for (roundsUp, expected) in [(false, floor), (true, ceil)] {
      let found = try pooled(
        [size, 4], kernel: [kernel, 1], strides: [stride, 1], pads: [before, 0, after, 0],
        ceil: roundsUp)
      #expect(found == [expected, 4])
    }
  }

  @Test("a window larger than the padded image is refused with both sizes")
  func tooLarge() {
    let error = #expect(throws: Das3Error.self) {
      try pooled(
        [4, 4], kernel: [3, 3], strides: [1, 1], pads: [0, 0, 0, 0], ceil: false, dilations: [2, 2])
    }
    #expect(error?.code == .shape)
    #expect(error?.message.contains("5×5") == true && error?.message.contains("4×4") == true)
  }

  @Test(
    "a transposed convolution inverts the size",
    arguments: [
      (4, 3, 2, 1, 0, 7), (4, 3, 2, 1, 1, 8), (4, 2, 2, 0, 0, 8), (5, 4, 1, 0, 0, 8),
      (1, 3, 3, 1, 2, 3),
    ])
  func transposed(
    _ size: Int, _ kernel: Int, _ stride: Int, _ pad: Int, _ extra: Int, _ expected: Int
  ) throws {
    let graph = try TestGraph.build([1, 1, size, 6]) {
      $0.floats("w", [1, 1, kernel, 1], [Float](repeating: 1, count: kernel))
      $0.node(
        "ConvTranspose", ["x", "w"], ["y"],
        [
          "strides": .ints([stride, 1]), "pads": .ints([pad, 0, pad, 0]),
          "output_padding": .ints([extra, 0]),
        ])
    }
    #expect(graph.values[graph.outputs[0]].shape == [1, 1, expected, 6])
  }
}
