// A picture as libavcodec gives it, for as long as the decoder lends it.
import CFFmpeg

/// Wraps a lent `AVFrame`; must not outlive the call it is passed to.
@safe
struct DecodedPicture {
  let pointer: UnsafePointer<AVFrame>

  var size: PixelSize {
    unsafe PixelSize(width: Int(pointer.pointee.width), height: Int(pointer.pointee.height))
  }

  var format: AVPixelFormat { AVPixelFormat(unsafe pointer.pointee.format) }

  /// Copies gray values, or the indices of a palette picture rather than its colours.
  /// - Parameter values: receives height × width bytes.
  /// - Returns: whether the picture holds such values.
  func copyIndices(into values: inout [UInt8]) -> Bool {
    let bytesPerPixel: Int
    switch format {
    case AV_PIX_FMT_GRAY8, AV_PIX_FMT_PAL8: bytesPerPixel = 1
    case AV_PIX_FMT_YA8: bytesPerPixel = 2
    default: return false
    }
    let strideBytes = Int(unsafe pointer.pointee.linesize.0)
    let rowBytes = size.width * bytesPerPixel
    guard let data = unsafe pointer.pointee.data.0, strideBytes >= rowBytes else { return false }
    if values.count != size.pixelCount {
      values = [UInt8](repeating: 0, count: size.pixelCount)
    }
    for y in 0..<size.height {
      let row = unsafe UnsafeBufferPointer(start: data + y * strideBytes, count: rowBytes)
      for x in 0..<size.width {
        values[y * size.width + x] = unsafe row[x * bytesPerPixel]
      }
    }
    return true
  }
}
