import CKernels
import Das3TestSupport
import Testing

/// Convolutions of many shapes against the definition: whatever is chosen for the instructions in
/// use, `conv_dense.c` or oneDNN in pieces.
@Suite("Dense convolution")
struct DenseConvTests {
  /// Memory as kernels expect it.
  final class Bytes {
    let start: UnsafeMutableRawPointer
    init(_ count: Int) {
      start = .allocate(byteCount: count + 64, alignment: 64)
      start.initializeMemory(as: UInt8.self, repeating: 0xff, count: count + 64)
    }
    deinit { start.deallocate() }
  }

  /// What the windows are to be.
  enum Kind {
    case any
    /// Cut into bands of rows and blocks of outputs.
    case large
    /// 3x3 kernels of stride 1, which Winograd's filtering computes.
    case filtered
  }

  struct Case {
    var options = d3k_conv_options()
    var x, weights, scale, bias, residual, factors, offsets: [Float]

    var window: d3k_window { options.window }
    var pixels: Int { Int(window.batch * window.out_height * window.out_width) }

    /// A random window; every third one has more inputs than one part of the kernel's sums.
    init(seed: UInt64, _ kind: Kind = .any) {
      let (isLarge, isFiltered) = (kind != .any, kind == .filtered)
      var random = SplitMix64(seed: seed)
      func pick(_ range: ClosedRange<Int32>) -> Int32 { .random(in: range, using: &random) }
      var w = d3k_window()
      w.groups = pick(0...2) == 0 && !isFiltered ? pick(2...3) : 1
      let inputs =
        seed % 3 == 0 && !isLarge ? pick(200...530) : isFiltered ? pick(12...80) : pick(3...70)
      w.in_channels = w.groups * inputs
      let outputs = seed % 3 == 0 ? pick(8...40) : pick(8...75)
      w.out_channels = w.groups * (isLarge && seed % 2 == 0 ? pick(128...200) : outputs)
      w.batch = pick(1...2)
      let kernel = pick(0...2) == 0 ? 1...1 : 1...5 as ClosedRange<Int32>
      (w.kernel_height, w.kernel_width) = (pick(kernel), pick(kernel))
      if isFiltered { (w.kernel_height, w.kernel_width) = (3, 3) }
      let isPlain = pick(0...1) == 0
      (w.stride_y, w.stride_x) = isPlain ? (1, 1) : (pick(1...3), pick(1...3))
      (w.dilation_y, w.dilation_x) = isPlain ? (1, 1) : (pick(1...3), pick(1...2))
      if isFiltered { (w.stride_y, w.stride_x) = (1, 1) }
      let (tall, wide) = ((w.kernel_height - 1) * w.dilation_y, (w.kernel_width - 1) * w.dilation_x)
      (w.pad_top, w.pad_left) = (pick(0...tall), pick(0...wide))
      (w.out_height, w.out_width) =
        isLarge ? (pick(12...47), pick(14...40)) : (pick(5...13), pick(6...19))
      // Pads below and at the right are up to those above and at the left.
      w.in_height = max(1, (w.out_height - 1) * w.stride_y + tall + 1 - w.pad_top - pick(0...tall))
      w.in_width = max(1, (w.out_width - 1) * w.stride_x + wide + 1 - w.pad_left - pick(0...wide))
      w.x_stride = Int64(w.in_channels + (pick(0...1) == 0 ? 0 : pick(1...9)))
      w.y_stride = Int64(w.out_channels + (pick(0...1) == 0 ? 0 : pick(1...9)))
      options.window = w
      options.has_bias = pick(0...1)
      let pixels = Int(w.batch * w.out_height * w.out_width)
      let channels = Int(w.out_channels)
      x = random.floats(Int(w.batch * w.in_height * w.in_width) * Int(w.x_stride))
      weights = random.floats(Int(w.kernel_height * w.kernel_width * inputs) * channels)
      scale = random.floats(channels)
      bias = random.floats(channels)
      residual = random.floats(pixels * channels)
      factors = random.floats(channels)
      offsets = random.floats(channels)
      kinds = [D3K_ADD, D3K_AFFINE, D3K_PRELU, D3K_MUL].filter { _ in pick(0...1) == 0 }
    }

    let kinds: [d3k_stage_kind]

    /// Its chain, with the places of the operands.
    func withChain<Result>(_ body: (d3k_chain) -> Result) -> Result {
      residual.withUnsafeBufferPointer { residual in
        factors.withUnsafeBufferPointer { factors in
          offsets.withUnsafeBufferPointer { offsets in
            var chain = d3k_chain(), stages: [d3k_stage] = []
            for kind in kinds {
              var stage = d3k_stage()
              stage.kind = Int32(kind.rawValue)
              let isFull = kind == D3K_ADD || kind == D3K_MUL
              stage.extent = Int32((isFull ? D3K_FULL : D3K_CHANNEL).rawValue)
              stage.operand = isFull ? residual.baseAddress : factors.baseAddress
              stage.operand2 = offsets.baseAddress
              stage.operand_stride = Int64(window.out_channels)
              stages.append(stage)
            }
            withUnsafeMutableBytes(of: &chain.stages) { bytes in
              stages.withUnsafeBytes { bytes.copyMemory(from: $0) }
            }
            chain.count = Int32(stages.count)
            return body(chain)
          }
        }
      }
    }

    func run(_ backend: d3k_backend, threads: Int32) -> [Float] {
      withChain { chain in
        var (options, chain) = (options, chain)
        options.backend = Int32(backend.rawValue)
        options.threads = threads
        options.chain = chain
        guard let conv = d3k_conv_create(&options) else { return [] }
        defer { d3k_conv_free(conv) }
        let packed = Bytes(d3k_conv_packed_bytes(conv))
        let scratch = Bytes(d3k_conv_scratch_bytes(conv))
        // What is between the pixels of y has to stay.
        var y = [Float](repeating: 7, count: pixels * Int(window.y_stride))
        d3k_conv_pack(conv, weights, scale, packed.start)
        d3k_conv_run(
          conv, x, packed.start, options.has_bias == 1 ? bias : nil, &chain, &y, scratch.start)
        return y
      }
    }
    /// Of the weights; y counts as the derivative by itself.
    func gradient(_ backend: d3k_backend, threads: Int32) -> [Float] {
      var options = options
      options.backend = Int32(backend.rawValue)
      options.threads = threads
      guard let gradient = d3k_conv_gradient_create(&options) else { return [] }
      defer { d3k_conv_gradient_free(gradient) }
      let scratch = Bytes(d3k_conv_gradient_scratch_bytes(gradient))
      var random = SplitMix64(seed: 1)
      let dy = random.floats(pixels * Int(window.y_stride))
      var sums = [Float](repeating: 1, count: weights.count)
      d3k_conv_gradient_run(gradient, x, dy, &sums, nil, scratch.start)
      return sums
    }
  }

  /// Compares sums of `count` products with the exact ones.
  ///
  /// Sums of products of values up to 1 grow with √k, so all roundings together are most probably
  /// 8e-9 · count. Ten times that is for the worst of all; results are rounded once more.
  ///
  /// Filtering rounds twice as much.
  private func compare(
    _ found: [Float], _ wanted: [Float], count: Int32, _ window: d3k_window, _ what: Comment
  ) {
    let largest = wanted.reduce(Float(1)) { max($0, abs($1)) }
    let worst = zip(found, wanted).reduce(Float(0)) { worst, pair in
      let apart = abs(pair.0 - pair.1)
      return apart <= worst ? worst : apart
    }
    let isFiltered = (window.kernel_height, window.kernel_width) == (3, 3)
    let bound = (isFiltered ? 2 : 1) * (2e-6 + 8e-8 * Float(count) + 2e-7 * largest)
    #expect(worst <= bound && found.count == wanted.count, "\(what): \(worst) \(bound) \(window)")
  }

  /// From which our own kernels take what they compute.
  private static let best = d3k_backend(rawValue: UInt32(d3k_best_backend()))

  private func check(_ tested: Case) {
    let w = tested.window
    let wanted = tested.run(D3K_BACKEND_REFERENCE, threads: 1)
    let one = tested.run(Self.best, threads: 1)
    let count = w.kernel_height * w.kernel_width * (w.in_channels / w.groups)
    compare(one, wanted, count: count, w, "outputs")
    let exact = tested.gradient(D3K_BACKEND_REFERENCE, threads: 1)
    let gradient = tested.gradient(Self.best, threads: 1)
    compare(gradient, exact, count: w.batch * w.out_height * w.out_width, w, "gradient")
    for threads: Int32 in [2, 3, 5] {
      let isEqual = tested.run(Self.best, threads: threads) == one
      #expect(isEqual, "\(threads) threads, \(w)")
      let isSame = tested.gradient(Self.best, threads: threads) == gradient
      #expect(isSame, "gradient, \(threads) threads, \(w)")
    }
  }

  @Test("every output is the sum by definition, and threads do not change it", arguments: 0..<90)
  func definition(_ seed: UInt64) { check(Case(seed: seed)) }

  @Test("the same of those that are cut into pieces", arguments: 0..<24)
  func pieces(_ seed: UInt64) { check(Case(seed: seed, .large)) }

  @Test("the same of 3x3 kernels of stride 1, whose inputs are filtered", arguments: 0..<40)
  func filtered(_ seed: UInt64) { check(Case(seed: seed, .filtered)) }

  @Test("filtering is chosen where tiles are many and inside, and never where sums are direct")
  func choice() {
    func name(_ size: Int32, dilation: Int32 = 1, _ precision: d3k_precision = D3K_F32) -> String {
      var options = d3k_conv_options()
      options.window = d3k_window(
        batch: 1, in_height: size, in_width: size, in_channels: 64, out_height: size,
        out_width: size, out_channels: 64, groups: 1, kernel_height: 3, kernel_width: 3,
        stride_y: 1, stride_x: 1, dilation_y: dilation, dilation_x: dilation, pad_top: dilation,
        pad_left: dilation, x_stride: 64, y_stride: 64)
      options.backend = d3k_best_backend()
      options.precision = Int32(precision.rawValue)
      options.threads = 1
      guard let conv = d3k_conv_create(&options) else { return "" }
      defer { d3k_conv_free(conv) }
      return String(cString: d3k_conv_name(conv))
    }
    guard d3k_find_isa() != Int32(D3K_ISA_BASE.rawValue) else {
      #expect(!name(40).hasPrefix("winograd"))
      return
    }
    #expect(name(40) == "winograd 4x4")
    #expect(name(12) == "winograd 2x2")
    #expect(!name(17, dilation: 16).hasPrefix("winograd"))
    #expect(!name(40, D3K_F32_DIRECT).hasPrefix("winograd"))
  }
}
