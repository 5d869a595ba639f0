// A decoded picture of any pixel format in, RGB bytes out; and RGB bytes to a video's format.
import CFFmpeg

/// libswscale for one kind of picture at a time; sizes stay as they are.
@safe
final class PixelConverter {
  private var context: OpaquePointer?

  private static let flags =
    SWS_BILINEAR | SWS_ACCURATE_RND | SWS_FULL_CHR_H_INT | SWS_FULL_CHR_H_INP

  deinit {
    unsafe sws_freeContext(context)
  }

  /// Copies a picture as RGB; bytes that are RGB already stay exactly as they are.
  func convert(_ decoded: DecodedPicture, into frame: inout Frame) throws(Failure) {
    let picture = unsafe decoded.pointer
    let width = unsafe picture.pointee.width
    let height = unsafe picture.pointee.height
    let source = decoded.format
    guard width > 0, height > 0 else { throw Failure("a picture has no pixels") }
    frame.resize(to: decoded.size)
    let strideBytes = Int32(frame.strideBytes)

    if source == AV_PIX_FMT_RGB24 {
      let sourceStride = unsafe picture.pointee.linesize.0
      unsafe frame.pixels.withUnsafeMutableBufferPointer { pixels in
        unsafe av_image_copy_plane(
          pixels.baseAddress, strideBytes, picture.pointee.data.0, sourceStride, strideBytes,
          height)
      }
      return
    }
    unsafe context = sws_getCachedContext(
      context, width, height, source, width, height, AV_PIX_FMT_RGB24, Self.flags, nil, nil, nil)
    guard let context = unsafe context else {
      throw Failure("pictures of format \(Self.name(source)) cannot be converted to RGB")
    }
    if Self.isYUV(source) {
      let full = unsafe picture.pointee.color_range == AVCOL_RANGE_JPEG || Self.isFullRange(source)
      let matrix = unsafe sws_getCoefficients(Int32(picture.pointee.colorspace.rawValue))
      unsafe sws_setColorspaceDetails(
        context, matrix, full ? 1 : 0, sws_getCoefficients(SWS_CS_DEFAULT), 1, 0, 1 << 16, 1 << 16)
    }
    let rows = unsafe frame.pixels.withUnsafeMutableBufferPointer { pixels in
      let planes = unsafe Self.planes(of: picture)
      let target = unsafe [pixels.baseAddress, nil, nil, nil]
      let targetStrides = [strideBytes, 0, 0, 0]
      return unsafe sws_scale(
        context, planes.data, planes.strides, 0, height, target, targetStrides)
    }
    guard rows == height else { throw Failure("a picture cannot be converted to RGB") }
  }

  /// Fills `picture`, which is as large as `frame` or one pixel smaller, with BT.709 video colours.
  func convert(_ frame: Frame, into picture: UnsafeMutablePointer<AVFrame>) throws(Failure) {
    let width = unsafe picture.pointee.width
    let height = unsafe picture.pointee.height
    let target = AVPixelFormat(unsafe picture.pointee.format)
    unsafe context = sws_getCachedContext(
      context, width, height, AV_PIX_FMT_RGB24, width, height, target, Self.flags, nil, nil, nil)
    guard let context = unsafe context else {
      throw Failure("RGB cannot be converted to \(Self.name(target))")
    }
    let matrix = unsafe sws_getCoefficients(SWS_CS_ITU709)
    unsafe sws_setColorspaceDetails(context, matrix, 1, matrix, 0, 0, 1 << 16, 1 << 16)
    let rows = unsafe frame.pixels.withUnsafeBufferPointer { pixels in
      let source = unsafe [pixels.baseAddress, nil, nil, nil]
      let sourceStrides = [Int32(frame.strideBytes), 0, 0, 0]
      let planes = unsafe Self.planes(of: UnsafePointer(picture))
      return unsafe sws_scale(
        context, source, sourceStrides, 0, height, planes.mutableData, planes.strides)
    }
    guard rows == height else { throw Failure("a picture cannot be converted for the video") }
  }

  @unsafe
  private struct Planes {
    let mutableData: [UnsafeMutablePointer<UInt8>?]
    let data: [UnsafePointer<UInt8>?]
    let strides: [Int32]
  }

  private static func planes(of picture: UnsafePointer<AVFrame>) -> Planes {
    let data = unsafe picture.pointee.data
    let strides = unsafe picture.pointee.linesize
    let mutableData = unsafe [data.0, data.1, data.2, data.3]
    return unsafe Planes(
      mutableData: mutableData, data: mutableData.map { unsafe UnsafePointer($0) },
      strides: [strides.0, strides.1, strides.2, strides.3])
  }

  private static func isYUV(_ format: AVPixelFormat) -> Bool {
    guard let description = unsafe av_pix_fmt_desc_get(format) else { return false }
    let other = UInt64(AV_PIX_FMT_FLAG_RGB | AV_PIX_FMT_FLAG_PAL)
    return unsafe description.pointee.nb_components >= 3 && description.pointee.flags & other == 0
  }

  private static func isFullRange(_ format: AVPixelFormat) -> Bool {
    [
      AV_PIX_FMT_YUVJ420P, AV_PIX_FMT_YUVJ422P, AV_PIX_FMT_YUVJ444P, AV_PIX_FMT_YUVJ440P,
      AV_PIX_FMT_YUVJ411P,
    ].contains(format)
  }

  private static func name(_ format: AVPixelFormat) -> String {
    guard let name = unsafe av_get_pix_fmt_name(format) else { return "unknown" }
    return unsafe String(cString: name)
  }
}
