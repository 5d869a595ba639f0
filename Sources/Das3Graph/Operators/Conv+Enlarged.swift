/// 1×1 convolutions of enlarged images: they are computed before the images are enlarged.
///
/// Interpolation mixes the pixels of one channel, and a 1×1 convolution the channels of one pixel,
/// so one may come before the other. Decoders that join maps of several sizes compute most of
/// their products on pixels that interpolation has made: a quarter and less of them suffice. Only
/// the rounding differs.
extension GraphBuilder {
  /// Fewer channels are convolved faster than they are moved.
  private static let leastChannels = 32

  /// A run of channels of the convolution's input.
  private struct Part {
    /// Images side by side.
    var values: [ValueID]
    var start: Int
    /// What enlarges them before they are convolved; nil where they are taken as they are.
    var enlargement: Operator?
  }

  /// The result of a convolution of x, which is enlarged, or a concatenation of images of which
  /// some are; nil where it is better computed as it stands.
  mutating func convolvedBeforeEnlarging(
    _ x: ValueID, _ w: ValueID, bias: ValueID?, _ conv: Conv
  ) throws(Das3Error) -> ValueID? {
    guard conv.isPointwise, conv.groups == 1 else { return nil }
    let parts = parts(of: x, outputCount: shape(w)[0])
    guard parts.contains(where: { $0.enlargement != nil }) else { return nil }
    // The bias belongs to the first part alone: each pixel's weights of interpolation sum to 1.
    var sum: ValueID?
    for part in parts.filter({ $0.enlargement == nil }) + parts.filter({ $0.enlargement != nil }) {
      let source =
        part.values.count == 1
        ? part.values[0] : try emit(.concat(Concat(axis: 1)), part.values)
      let channels = Slice(of: shape(w), along: 1, from: part.start, count: shape(source)[1])
      let weights = parts.count == 1 ? w : try emit(.slice(channels), [w])
      let inputs = [source, weights] + (sum == nil ? bias.map { [$0] } ?? [] : [])
      var result = try emit(.conv(conv), inputs)
      if let enlargement = part.enlargement { result = try emit(enlargement, [result]) }
      sum = try sum.map { (made) throws(Das3Error) in try binary(.add, result, made) } ?? result
    }
    return sum
  }

  /// Neighbours that are taken as they are become one part.
  private func parts(of x: ValueID, outputCount: Int) -> [Part] {
    var inputs = [x]
    if let node = producer(of: x), case .concat(let concat) = node.operation, concat.axis == 1 {
      inputs = node.inputs
    }
    var result: [Part] = []
    var start = 0
    for input in inputs {
      if let node = producer(of: input), enlarges(node, outputCount: outputCount) {
        result.append(Part(values: node.inputs, start: start, enlargement: node.operation))
      } else if let last = result.indices.last, result[last].enlargement == nil {
        result[last].values.append(input)
      } else {
        result.append(Part(values: [input], start: start))
      }
      start += shape(input)[1]
    }
    return result
  }

  /// Whether it makes at least twice as many pixels of each channel by itself, and enlarging the
  /// results instead is no more work than that saves.
  private func enlarges(_ node: Graph.Node, outputCount: Int) -> Bool {
    let (source, result) = (shape(node.inputs[0]), shape(node.output))
    guard source.rank == 4, source[1] >= Self.leastChannels, outputCount <= 2 * source[1],
      result[2] * result[3] >= 2 * source[2] * source[3]
    else { return false }
    switch node.operation {
    case .resize(let resize):
      return !resize.axes.contains { $0?.weight.contains(-1) ?? false }
    case .index(let index):
      return index.tables[0] == nil && index.tables[1] == nil
        && !index.tables.contains { $0?.contains(-1) ?? false }
    default: return false
    }
  }
}
