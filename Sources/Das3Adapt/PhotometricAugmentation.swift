internal import CKernels
import Das3Graph
import Das3Runtime

/// A frame as the network sees it → the same frame under other light and focus.
///
/// Colour jitter with probability 0.8 (brightness, contrast and saturation by up to a fifth, hue by
/// a twentieth of the circle, in random order), Gaussian blur with probability 0.5 (deviation 0.15
/// to 1.15 pixels).
struct PhotometricAugmentation {
  private let height, width: Int
  private let threads: Int32
  private var jitter: d3k_jitter
  private let scratch: Arena

  init(_ model: SegmentationModel, height: Int, width: Int, threads: Int) throws(Das3Error) {
    self.height = height
    self.width = width
    self.threads = Int32(threads)
    let metadata = model.metadata
    let (whole, mean, deviation) = (metadata.scale * 255, metadata.mean, metadata.deviation)
    jitter = d3k_jitter()
    jitter.channels = Int32(model.channelCount)
    jitter.swaps_colours = metadata.swapsColours ? 1 : 0
    jitter.factor = (deviation[0] / whole, deviation[1] / whole, deviation[2] / whole)
    jitter.offset = (mean[0] / whole, mean[1] / whole, mean[2] / whole)
    let byteCount = d3k_blur_scratch_bytes(Int64(height), Int64(width), Int64(jitter.channels))
    scratch = try Arena(elementCount: (byteCount + 3) / 4)
  }

  var byteCount: Int { 4 * scratch.elementCount }

  /// Changes a normalised image in place.
  func apply(to image: UnsafeMutablePointer<Float>, _ random: inout Random) {
    if random.uniform(0...1) < 0.8 {
      var jitter = jitter
      jitter.brightness = random.uniform(0.8...1.2)
      jitter.contrast = random.uniform(0.8...1.2)
      jitter.saturation = random.uniform(0.8...1.2)
      jitter.hue = random.uniform(-0.05...0.05)
      let order = random.shuffled([Int32(0), 1, 2, 3])
      jitter.order = (order[0], order[1], order[2], order[3])
      unsafe d3k_jitter_colours(threads, &jitter, image, Int64(height * width))
    }
    if random.uniform(0...1) < 0.5 {
      let deviation = Double(random.uniform(0.15...1.15))
      unsafe d3k_blur(
        threads, deviation, image, Int64(height), Int64(width), Int64(jitter.channels),
        scratch.pointer(at: 0))
    }
  }
}
