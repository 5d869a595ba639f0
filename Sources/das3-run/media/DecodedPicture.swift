// A picture as libavcodec gives it, for as long as the decoder lends it.
import CFFmpeg

/// Wraps a lent `AVFrame`; must not outlive the call it is passed to.
@safe
struct DecodedPicture {
  enum Contents {
    case numbers, colours, unknown
  }

  let pointer: UnsafePointer<AVFrame>

  var size: PixelSize {
    unsafe PixelSize(width: Int(pointer.pointee.width), height: Int(pointer.pointee.height))
  }

  var format: AVPixelFormat { AVPixelFormat(unsafe pointer.pointee.format) }

  /// Copies one number per pixel: gray values, the indices of a palette picture, or the value of
  /// red, green and blue where all three are equal; alpha does not count.
  /// - Parameters:
  ///   - values: receives height × width numbers, or colours as 0xRRGGBB.
  ///   - bitCount: of a number in the file.
  ///   - areColours: whether colours are wanted.
  /// - Returns: what `values` are.
  func copyNumbers(
    into values: inout [UInt32], bitCount: Int, areColours: Bool
  ) -> Contents {
    guard let layout = unsafe av_pix_fmt_desc_get(format)?.pointee else { return .unknown }
    let isPalette = unsafe layout.flags & UInt64(AV_PIX_FMT_FLAG_PAL) != 0
    let isColour = unsafe layout.flags & UInt64(AV_PIX_FMT_FLAG_RGB) != 0 && !isPalette
    guard unsafe isPalette || isColour || layout.nb_components <= 2 else { return .unknown }
    if values.count != size.pixelCount {
      values = [UInt32](repeating: 0, count: size.pixelCount)
    }
    let channels = unsafe [layout.comp.0, layout.comp.1, layout.comp.2].prefix(isColour ? 3 : 1)
    // What the decoder makes of less than 8 bits of gray.
    let stretch: UInt32 = bitCount < 8 && !isPalette ? 255 / (1 << UInt32(bitCount) - 1) : 1
    let isBits = unsafe layout.flags & UInt64(AV_PIX_FMT_FLAG_BITSTREAM) != 0
    let isBig = unsafe layout.flags & UInt64(AV_PIX_FMT_FLAG_BE) != 0
    var areEqual = true
    for y in 0..<size.height {
      guard let rows = unsafe rows(at: y) else { return .unknown }
      for x in 0..<size.width {
        let place = y * size.width + x
        var (first, colour): (UInt32, UInt32) = (0, 0)
        for (index, channel) in channels.enumerated() {
          var value: UInt32
          let row = unsafe rows.color
          if isBits {
            value = unsafe UInt32(row[x >> 3] >> (7 - UInt8(x & 7)) & 1)
          } else {
            let offset = x * Int(channel.step) + Int(channel.offset)
            value = unsafe UInt32(row[offset])
            if channel.depth > 8 {
              let next = unsafe UInt32(row[offset + 1])
              value = isBig ? value << 8 | next : next << 8 | value
            }
          }
          if index == 0 { first = value }
          areEqual = areEqual && value == first
          colour = colour << 8 | (channel.depth > 8 ? value >> 8 : value)
        }
        if isPalette, areColours {
          values[place] = unsafe rows.palette?[Int(first)] ?? 0
          values[place] &= 0xFF_FFFF
        } else if areColours, !isColour {
          let gray = channels[0].depth > 8 ? first >> 8 : isBits ? first * 255 : first
          values[place] = gray * 0x01_0101
        } else {
          values[place] = areColours ? colour : isBits ? first : first / stretch
        }
      }
    }
    return areColours || !areEqual ? .colours : .numbers
  }

  /// Row `y` of the only plane, and the palette as 0xAARRGGBB.
  private func rows(
    at y: Int
  ) -> (color: UnsafePointer<UInt8>, palette: UnsafePointer<UInt32>?)? {
    guard let data = unsafe pointer.pointee.data.0 else { return nil }
    let row = unsafe UnsafePointer(data + y * Int(pointer.pointee.linesize.0))
    let palette = unsafe pointer.pointee.data.1.map {
      unsafe UnsafeRawPointer($0).assumingMemoryBound(to: UInt32.self)
    }
    return unsafe (row, palette)
  }
}
