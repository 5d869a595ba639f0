// One image or video file in, its decoded pictures out, one after the other.
import CFFmpeg

/// libavformat and libavcodec for one local file.
@safe
final class PictureDecoder {
  /// Whether the file holds one picture and no time.
  let isStill: Bool
  /// Of a video; `FrameRate.standard` where the file does not say.
  let frameRate: FrameRate
  /// Of a video, as the file declares it; nil where it does not.
  let frameCount: Int?
  /// Parts of a video that could not be decoded so far.
  private(set) var damagedPartCount = 0

  private let path: String
  private let streamIndex: Int32
  private var isDraining = false
  private var decodedCount = 0
  private var format: UnsafeMutablePointer<AVFormatContext>?
  private var codec: UnsafeMutablePointer<AVCodecContext>?
  private var packet: UnsafeMutablePointer<AVPacket>?
  private var picture: UnsafeMutablePointer<AVFrame>?

  private static let largestPixelCount: Int64 = 1 << 26
  private static let mostDamagedParts = 1000

  /// - Parameters:
  ///   - path: an image or video file; never a network address.
  ///   - threadCount: for decoding a video; 0 = one per core.
  /// - Throws: `Failure` for a file without a picture that can be decoded.
  init(path: String, threadCount: Int) throws(Failure) {
    av_log_set_level(AV_LOG_QUIET)
    self.path = path
    var opening = unsafe OpaquePointer?.none
    unsafe av_dict_set(&opening, "protocol_whitelist", "file", 0)
    unsafe av_dict_set(&opening, "pattern_type", "none", 0)
    let openStatus = unsafe avformat_open_input(&format, "file:" + path, nil, &opening)
    unsafe av_dict_free(&opening)
    guard openStatus >= 0, let format = unsafe format, let demuxer = unsafe format.pointee.iformat
    else {
      throw Failure("cannot read \(path): \(MediaError.text(openStatus))")
    }
    let demuxerName = unsafe String(cString: demuxer.pointee.name)
    isStill = demuxerName.hasSuffix("_pipe") || demuxerName == "image2"

    var decoder: UnsafePointer<AVCodec>?
    do throws(Failure) {
      if !isStill {
        try MediaError.check(unsafe avformat_find_stream_info(format, nil), "cannot read \(path)")
      }
      streamIndex = unsafe av_find_best_stream(format, AVMEDIA_TYPE_VIDEO, -1, -1, &decoder, 0)
      guard streamIndex >= 0, let decoder = unsafe decoder,
        let stream = unsafe format.pointee.streams[Int(streamIndex)],
        let context = unsafe avcodec_alloc_context3(decoder)
      else {
        throw Failure("cannot read \(path): no picture in it that can be decoded")
      }
      unsafe codec = context
      unsafe packet = av_packet_alloc()
      unsafe picture = av_frame_alloc()
      unsafe avcodec_parameters_to_context(context, stream.pointee.codecpar)
      unsafe context.pointee.max_pixels = Self.largestPixelCount
      unsafe context.pointee.thread_count = isStill ? 1 : Int32(threadCount)
      if isStill { unsafe context.pointee.err_recognition = AV_EF_EXPLODE | AV_EF_CRCCHECK }
      try MediaError.check(unsafe avcodec_open2(context, decoder, nil), "cannot read \(path)")

      let rate = unsafe av_guess_frame_rate(format, stream, nil)
      let isKnown = rate.num > 0 && rate.den > 0
      frameRate =
        isKnown ? FrameRate(numerator: rate.num, denominator: rate.den) : FrameRate.standard
      frameCount = Self.frameCount(
        declared: unsafe stream.pointee.nb_frames, microseconds: unsafe format.pointee.duration,
        rate: rate)
    } catch {
      unsafe Self.release(&self.format, &codec, &packet, &picture)
      throw error
    }
  }

  deinit {
    unsafe Self.release(&format, &codec, &packet, &picture)
  }

  /// Calls `use` with the next picture.
  ///
  /// Returns nil at the end of the file.
  func withNextPicture<Result>(
    _ use: (DecodedPicture) throws(Failure) -> Result
  ) throws(Failure) -> Result? {
    guard let codec = unsafe codec, let picture = unsafe picture else { return nil }
    while true {
      let status = unsafe avcodec_receive_frame(codec, picture)
      if status == 0 {
        decodedCount += 1
        defer { unsafe av_frame_unref(picture) }
        return try use(unsafe DecodedPicture(pointer: UnsafePointer(picture)))
      }
      if status == cffmpeg_end_of_file() { break }
      if status != cffmpeg_try_again() { try noteDamage(status) }
      if damagedPartCount > Self.mostDamagedParts { break }
      try unsafe feed(codec)
    }
    guard decodedCount > 0 else {
      throw Failure("cannot read \(path): no picture in it that can be decoded")
    }
    return nil
  }

  /// Hands the next packet of our stream, or the end, to the decoder.
  private func feed(_ codec: UnsafeMutablePointer<AVCodecContext>) throws(Failure) {
    guard !isDraining else { return }
    while true {
      let status = unsafe av_read_frame(format, packet)
      guard status >= 0, let packet = unsafe packet else {
        if status != cffmpeg_end_of_file() { try noteDamage(status) }
        isDraining = true
        unsafe avcodec_send_packet(codec, nil)
        return
      }
      defer { unsafe av_packet_unref(packet) }
      guard unsafe packet.pointee.stream_index == streamIndex else { continue }
      let sent = unsafe avcodec_send_packet(codec, packet)
      if sent < 0, sent != cffmpeg_end_of_file() { try noteDamage(sent) }
      return
    }
  }

  /// A damaged image is an error; a video goes on behind the damage.
  private func noteDamage(_ status: Int32) throws(Failure) {
    if isStill { throw Failure("cannot read \(path): \(MediaError.text(status))") }
    damagedPartCount += 1
  }

  private static func frameCount(
    declared: Int64, microseconds: Int64, rate: AVRational
  ) -> Int? {
    if declared > 0 { return Int(declared) }
    guard microseconds > 0, rate.num > 0, rate.den > 0 else { return nil }
    let frames = Double(microseconds) * 1e-6 * Double(rate.num) / Double(rate.den)
    return frames < 1e9 ? Int(frames.rounded()) : nil
  }

  private static func release(
    _ format: inout UnsafeMutablePointer<AVFormatContext>?,
    _ codec: inout UnsafeMutablePointer<AVCodecContext>?,
    _ packet: inout UnsafeMutablePointer<AVPacket>?,
    _ picture: inout UnsafeMutablePointer<AVFrame>?
  ) {
    unsafe av_frame_free(&picture)
    unsafe av_packet_free(&packet)
    unsafe avcodec_free_context(&codec)
    unsafe avformat_close_input(&format)
  }
}
