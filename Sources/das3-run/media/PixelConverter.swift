// A decoded picture of any pixel format in, RGB bytes out; and RGB bytes to a video's format.
import CFFmpeg

/// libswscale, which converts pixel formats here and keeps sizes.
@safe
final class PixelConverter {
  private var context: OpaquePointer?

  private static let flags =
    SWS_BILINEAR | SWS_ACCURATE_RND | SWS_FULL_CHR_H_INT | SWS_FULL_CHR_H_INP

  deinit {
    unsafe sws_freeContext(context)
  }

  /// Converts a picture to RGB; a picture that is RGB already is copied.
  func convert(_ decoded: DecodedPicture, into frame: inout Frame) throws(Failure) {
    let picture = unsafe decoded.pointer
    let source = decoded.format
    guard decoded.size.width > 0, decoded.size.height > 0 else {
      throw Failure("a picture has no pixels")
    }
    frame.resize(to: decoded.size)
    let strideBytes = Int32(frame.strideBytes)
    if source == AV_PIX_FMT_RGB24 {
      return unsafe frame.pixels.withUnsafeMutableBufferPointer { pixels in
        unsafe av_image_copy_plane(
          pixels.baseAddress, strideBytes, picture.pointee.data.0, picture.pointee.linesize.0,
          strideBytes, picture.pointee.height)
      }
    }
    try unsafe prepare(picture, from: source, to: AV_PIX_FMT_RGB24)
    if Self.isYUV(source) {
      let full = unsafe picture.pointee.color_range == AVCOL_RANGE_JPEG || Self.isFullRange(source)
      let matrix = unsafe sws_getCoefficients(Int32(picture.pointee.colorspace.rawValue))
      unsafe sws_setColorspaceDetails(
        context, matrix, full ? 1 : 0, sws_getCoefficients(SWS_CS_DEFAULT), 1, 0, 1 << 16, 1 << 16)
    }
    let rowCount = unsafe frame.pixels.withUnsafeMutableBufferPointer { pixels in
      unsafe cffmpeg_scale_to_rgb(context, picture, pixels.baseAddress, strideBytes)
    }
    guard Int(rowCount) == frame.size.height else {
      throw Failure("a picture cannot be converted to RGB")
    }
  }

  /// Converts a frame to BT.709 video colours; `picture` is as large, or one row or column smaller.
  func convert(_ frame: Frame, into picture: UnsafeMutablePointer<AVFrame>) throws(Failure) {
    let lent = unsafe UnsafePointer(picture)
    try unsafe prepare(
      lent, from: AV_PIX_FMT_RGB24, to: AVPixelFormat(unsafe picture.pointee.format))
    let matrix = unsafe sws_getCoefficients(SWS_CS_ITU709)
    unsafe sws_setColorspaceDetails(context, matrix, 1, matrix, 0, 0, 1 << 16, 1 << 16)
    let rowCount = unsafe frame.pixels.withUnsafeBufferPointer { pixels in
      unsafe cffmpeg_scale_from_rgb(context, pixels.baseAddress, Int32(frame.strideBytes), picture)
    }
    guard unsafe rowCount == picture.pointee.height else {
      throw Failure("a picture cannot be converted for the video")
    }
  }

  /// Prepares the context for pictures as large as `picture`.
  private func prepare(
    _ picture: UnsafePointer<AVFrame>, from source: AVPixelFormat, to target: AVPixelFormat
  ) throws(Failure) {
    let (width, height) = unsafe (picture.pointee.width, picture.pointee.height)
    unsafe context = sws_getCachedContext(
      context, width, height, source, width, height, target, Self.flags, nil, nil, nil)
    guard unsafe context != nil else {
      let names = "\(Self.name(of: source)) cannot be converted to \(Self.name(of: target))"
      throw Failure("pictures of format \(names)")
    }
  }

  private static func isYUV(_ format: AVPixelFormat) -> Bool {
    guard let description = unsafe av_pix_fmt_desc_get(format) else { return false }
    let other = UInt64(AV_PIX_FMT_FLAG_RGB | AV_PIX_FMT_FLAG_PAL)
    return unsafe description.pointee.nb_components >= 3 && description.pointee.flags & other == 0
  }

  /// Whether the format itself says that all 256 levels are used: "yuvj420p" and its like.
  private static func isFullRange(_ format: AVPixelFormat) -> Bool {
    name(of: format).hasPrefix("yuvj")
  }

  private static func name(of format: AVPixelFormat) -> String {
    unsafe av_get_pix_fmt_name(format).map { unsafe String(cString: $0) } ?? "unknown"
  }
}
