// A picture as libavcodec gives it, for as long as the decoder lends it.
import CFFmpeg

/// Wraps a lent `AVFrame`; must not outlive the call it is passed to.
@safe
struct DecodedPicture {
  enum Contents {
    case numbers, colours, unknown
    case tooFewChannels(Int)
  }

  let pointer: UnsafePointer<AVFrame>

  var size: PixelSize {
    unsafe PixelSize(width: Int(pointer.pointee.width), height: Int(pointer.pointee.height))
  }

  var format: AVPixelFormat { AVPixelFormat(unsafe pointer.pointee.format) }

  /// Copies one number per pixel.
  ///
  /// It is a gray value, the index in a palette, or the value of red, green and blue where all three
  /// are equal; alpha is ignored. On request, it is the value of one channel, or the colour.
  /// - Parameters:
  ///   - values: receives height × width numbers, or colours as 0xRRGGBB.
  ///   - bitCount: bits of a number in the file.
  ///   - kind: what is wanted.
  /// - Returns: whether `values` are numbers or colours.
  func copyNumbers(
    into values: inout [UInt32], bitCount: Int, as kind: PixelKind
  ) -> Contents {
    guard let layout = unsafe av_pix_fmt_desc_get(format) else { return .unknown }
    let flags = unsafe Int32(truncatingIfNeeded: layout.pointee.flags)
    let isPalette = flags & AV_PIX_FMT_FLAG_PAL != 0
    let isColour = flags & AV_PIX_FMT_FLAG_RGB != 0 && !isPalette
    let channelCount = unsafe isPalette ? 1 : Int(layout.pointee.nb_components)
    guard isColour || channelCount <= 2 else { return .unknown }
    let areColours = kind == .colour
    var channels = isColour ? [0, 1, 2] : [0, 0, 0]
    if case .channel(let wanted) = kind {
      guard wanted < channelCount else { return .tooFewChannels(channelCount) }
      channels = [wanted, wanted, wanted]
    }
    if values.count != size.pixelCount {
      values = [UInt32](repeating: 0, count: size.pixelCount)
    }
    let depth = unsafe layout.pointee.comp.0.depth
    // The decoder scales gray of fewer than 8 bits to 0 to 255; this division undoes it.
    let isStretched = bitCount < 8 && depth == 8 && !isPalette
    let stretch: UInt32 = isStretched ? 255 / (1 << UInt32(bitCount) - 1) : 1
    func byte(_ value: UInt32) -> UInt32 {
      depth > 8 ? value >> 8 : depth == 1 ? value * 255 : value
    }
    let planes = unsafe pointer.pointee.data
    let palette = unsafe UnsafeRawPointer(planes.1)?.assumingMemoryBound(to: UInt32.self)
    var data: [UnsafePointer<UInt8>?] = unsafe [
      UnsafePointer(planes.0), UnsafePointer(planes.1), nil, nil,
    ]
    let lengths = unsafe pointer.pointee.linesize
    let strides = [lengths.0, lengths.1, lengths.2, lengths.3]
    var lines = [[UInt32]](repeating: [UInt32](repeating: 0, count: size.width), count: 3)
    var areEqual = true
    for y in 0..<size.height {
      for channel in lines.indices {
        unsafe av_read_image_line2(
          &lines[channel], &data, strides, layout, 0, Int32(y), Int32(channels[channel]),
          Int32(size.width), 0, Int32(MemoryLayout<UInt32>.size))
      }
      for x in 0..<size.width {
        let (red, green, blue) = (lines[0][x], lines[1][x], lines[2][x])
        areEqual = areEqual && red == green && green == blue
        let value =
          if !areColours {
            red / stretch
          } else if isPalette {
            unsafe (palette?[Int(red)] ?? 0) & 0xFF_FFFF
          } else {
            byte(red) << 16 | byte(green) << 8 | byte(blue)
          }
        values[y * size.width + x] = value
      }
    }
    return areColours || !areEqual ? .colours : .numbers
  }
}
