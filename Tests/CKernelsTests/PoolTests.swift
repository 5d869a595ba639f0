import CKernels
import Das3TestSupport
import Testing

/// Poolings of many shapes against the definition, of few channels above all.
@Suite("Pooling")
struct PoolTests {
  @Test("every output is the mean or the largest of its window", arguments: 0..<60)
  func definition(_ seed: UInt64) {
    var random = SplitMix64(seed: seed)
    func pick(_ range: ClosedRange<Int32>) -> Int32 { .random(in: range, using: &random) }
    var pool = d3k_pool()
    var w = d3k_window()
    w.batch = pick(1...2)
    w.in_channels = seed % 4 == 0 ? pick(4...40) : pick(1...3)
    w.out_channels = w.in_channels
    (w.kernel_height, w.kernel_width) = (pick(1...5), pick(1...5))
    (w.stride_y, w.stride_x) = (pick(1...3), pick(1...3))
    (w.dilation_y, w.dilation_x) = (pick(1...2), pick(1...2))
    let (tall, wide) = ((w.kernel_height - 1) * w.dilation_y, (w.kernel_width - 1) * w.dilation_x)
    (w.pad_top, w.pad_left) = (pick(0...tall), pick(0...wide))
    w.in_height = pick(1...7)
    // Some are wider than the line that a few channels are joined in.
    w.in_width = seed % 5 == 0 ? pick(2000...5000) : pick(1...40)
    w.out_height = max(1, (w.in_height + 2 * w.pad_top - tall - 1) / w.stride_y + 1)
    w.out_width = max(1, (w.in_width + 2 * w.pad_left - wide - 1) / w.stride_x + 1)
    w.x_stride = Int64(w.in_channels + (pick(0...2) == 0 ? pick(1...5) : 0))
    w.y_stride = Int64(w.out_channels + (pick(0...1) == 0 ? pick(1...5) : 0))
    pool.window = w
    pool.is_mean = pick(0...1)
    pool.pads = (w.pad_top, w.pad_left, w.pad_top, w.pad_left)
    var x = random.floats(Int(w.batch * w.in_height * w.in_width) * Int(w.x_stride))
    x[x.count / 2] = .nan
    let count = Int(w.batch * w.out_height * w.out_width) * Int(w.y_stride)
    var chain = d3k_chain()
    let found = [Int32(1), 3].map { threads in
      // What is between the pixels of y has to stay.
      var y = [Float](repeating: 7, count: count)
      d3k_pool_run(threads, &pool, &chain, x, &y)
      return y
    }
    let isEqual = found[0].map(\.bitPattern) == found[1].map(\.bitPattern)
    #expect(isEqual)
    let wanted = reference(pool, x)
    let firstWrong = found[0].indices.first {
      !(abs(found[0][$0] - wanted[$0]) <= 1e-5 || found[0][$0].isNaN && wanted[$0].isNaN
        || found[0][$0] == wanted[$0])
    }
    #expect(firstWrong == nil, "\(w)")
  }

  private func reference(_ pool: d3k_pool, _ x: [Float]) -> [Float] {
    let w = pool.window
    var y: [Float] = []
    for n in 0..<w.batch {
      for row in 0..<w.out_height {
        for column in 0..<w.out_width {
          for channel in 0..<w.out_channels {
            var cells: [Float] = []
            for ky in 0..<w.kernel_height {
              for kx in 0..<w.kernel_width {
                let iy = row * w.stride_y - w.pad_top + ky * w.dilation_y
                let ix = column * w.stride_x - w.pad_left + kx * w.dilation_x
                guard (0..<w.in_height).contains(iy), (0..<w.in_width).contains(ix) else {
                  continue
                }
                let pixel = Int((n * w.in_height + iy) * w.in_width + ix)
                cells.append(x[pixel * Int(w.x_stride) + Int(channel)])
              }
            }
            if pool.is_mean == 1 {
              y.append(cells.reduce(0, +) / Float(max(1, cells.count)))
            } else {
              y.append(cells.reduce(-.infinity) { $1.isNaN || $0.isNaN ? .nan : max($0, $1) })
            }
          }
          y += [Float](repeating: 7, count: Int(w.y_stride) - Int(w.out_channels))
        }
      }
    }
    return y
  }
}
