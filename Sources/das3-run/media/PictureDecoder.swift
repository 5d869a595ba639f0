// One image or video file in, its decoded pictures out, one after the other.
import CFFmpeg

/// libavformat and libavcodec for one local file.
@safe
final class PictureDecoder {
  /// Whether the file holds one picture and no time.
  let isStill: Bool
  /// Of a video.
  let timing: VideoTiming
  /// Of a video, as the file declares it; nil where it does not.
  let frameCount: Int?
  /// Parts of a video that could not be decoded so far.
  private(set) var damagedPartCount = 0
  /// Seconds of a video that the file declares and does not have; known at its end.
  private(set) var missingSeconds = 0.0
  /// Whether all of the file has been read.
  private(set) var isAtEnd = false
  /// Of the last picture, in units of the time base, since the first.
  private(set) var time: Int64 = 0
  private(set) var duration: Int64 = 0
  /// Whether parts of the last picture, or of one that it builds upon, are missing.
  private(set) var isDamaged = false
  /// When the last picture so far ends.
  private(set) var endTime: Int64 = 0

  private let path: String
  private let streamIndex: Int32
  private let turn: Orientation
  /// In units of the time base; 0 where the file does not say.
  private let declaredDuration: Int64
  private var firstStamp: Int64?
  private var isDraining = false
  private var decodedCount = 0
  private var format: UnsafeMutablePointer<AVFormatContext>?
  private var codec: UnsafeMutablePointer<AVCodecContext>?
  private var packet: UnsafeMutablePointer<AVPacket>?
  private var picture: UnsafeMutablePointer<AVFrame>?

  private static let largestPixelCount: Int64 = 1 << 28
  private static let mostDamagedParts = 1000
  /// What files say beyond it is not believed.
  private static let longestTime: Int64 = 1 << 50
  /// What a container may declare too much before something is missing.
  private static let slackSeconds = 1.0

  /// - Parameters:
  ///   - path: an image or video file; never a network address.
  ///   - reading: how it is turned.
  ///   - threadCount: for decoding a video; 0 = one per core.
  /// - Throws: `Failure` for a file without a picture that can be decoded.
  init(path: String, reading: ReadingOptions = .standard, threadCount: Int) throws(Failure) {
    av_log_set_level(AV_LOG_QUIET)
    self.path = path
    try FileDiagnosis.check(path)
    var opened: UnsafeMutablePointer<AVFormatContext>?
    let openStatus = unsafe Self.open(path, &opened)
    unsafe self.format = opened
    guard openStatus >= 0, let format = unsafe opened, let demuxer = unsafe format.pointee.iformat
    else { throw Self.failure(path, openStatus, "FFmpeg knows no picture or video like it") }
    let demuxerName = unsafe String(cString: demuxer.pointee.name)
    let isPicture = demuxerName.hasSuffix("_pipe") || demuxerName == "image2"

    var decoder: UnsafePointer<AVCodec>?
    do throws(Failure) {
      if !isPicture {
        let status = unsafe avformat_find_stream_info(format, nil)
        guard status >= 0 else { throw Self.failure(path, status) }
      }
      streamIndex = unsafe av_find_best_stream(format, AVMEDIA_TYPE_VIDEO, -1, -1, &decoder, 0)
      guard streamIndex >= 0, let decoder = unsafe decoder,
        let stream = unsafe format.pointee.streams[Int(streamIndex)],
        let context = unsafe avcodec_alloc_context3(decoder)
      else { throw Self.failure(path, nil) }
      // GIF and AVIF hold either.
      isStill =
        isPicture
        || FrameReader.imageEndings.contains(Path.ending(of: path).lowercased())
          && Self.holdsOnePacket(path, streamIndex: streamIndex)
      unsafe codec = context
      unsafe packet = av_packet_alloc()
      unsafe picture = av_frame_alloc()
      unsafe avcodec_parameters_to_context(context, stream.pointee.codecpar)
      unsafe context.pointee.max_pixels = Self.largestPixelCount
      unsafe context.pointee.thread_count = isStill ? 1 : Int32(threadCount)
      unsafe context.pointee.pkt_timebase = stream.pointee.time_base
      let kind = unsafe context.pointee.codec_id
      // In a TIFF any tag that FFmpeg does not know would be damage, such as how it is turned.
      if isStill && kind != AV_CODEC_ID_TIFF || kind == AV_CODEC_ID_MJPEG {
        unsafe context.pointee.err_recognition = AV_EF_EXPLODE | AV_EF_CRCCHECK
      }
      let status = unsafe avcodec_open2(context, decoder, nil)
      guard status >= 0 else { throw Self.failure(path, status) }

      let rate = unsafe av_guess_frame_rate(format, stream, nil)
      let aspect = unsafe av_guess_sample_aspect_ratio(format, stream, nil)
      var timing = VideoTiming()
      if rate.num > 0, rate.den > 0 {
        timing.rate = Fraction(numerator: rate.num, denominator: rate.den)
      }
      let base = unsafe stream.pointee.time_base
      if base.num > 0, base.den > 0 {
        timing.base = Fraction(numerator: base.num, denominator: base.den)
      }
      if !reading.autorotate {
        turn = .upright
      } else {
        turn = unsafe isStill ? Exif.orientation(ofFile: path) : Self.turn(of: stream)
      }
      if aspect.num > 0, aspect.den > 0 {
        timing.pixelAspect =
          turn.isTransposed
          ? Fraction(numerator: aspect.den, denominator: aspect.num)
          : Fraction(numerator: aspect.num, denominator: aspect.den)
      }
      self.timing = timing
      declaredDuration = unsafe stream.pointee.duration > 0 ? stream.pointee.duration : 0
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

  /// Calls `use` with the next picture and how it is turned.
  ///
  /// Returns nil at the end of the file.
  func withNextPicture<Result>(
    _ use: (DecodedPicture, Orientation) throws(Failure) -> Result
  ) throws(Failure) -> Result? {
    guard let codec = unsafe codec, let picture = unsafe picture else { return nil }
    while true {
      let status = unsafe avcodec_receive_frame(codec, picture)
      if status == 0 {
        decodedCount += 1
        unsafe note(picture)
        defer { unsafe av_frame_unref(picture) }
        return try use(unsafe DecodedPicture(pointer: UnsafePointer(picture)), turn)
      }
      if status == cffmpeg_end_of_file() { break }
      if status != cffmpeg_try_again() { try noteDamage(status) }
      if damagedPartCount > Self.mostDamagedParts { break }
      try unsafe feed(codec)
    }
    guard decodedCount > 0 else { throw Self.failure(path, nil) }
    if !isAtEnd { noteEnd() }
    isAtEnd = true
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
      if unsafe packet.pointee.flags & AV_PKT_FLAG_CORRUPT != 0 { try noteDamage(0) }
      let sent = unsafe avcodec_send_packet(codec, packet)
      if sent < 0, sent != cffmpeg_end_of_file() { try noteDamage(sent) }
      return
    }
  }

  /// Notes when a picture is shown, and whether it is whole.
  private func note(_ picture: UnsafeMutablePointer<AVFrame>) {
    let stamp = unsafe picture.pointee.best_effort_timestamp
    let one = Double(timing.base.denominator) / Double(timing.base.numerator) / timing.rate.value
    duration = unsafe picture.pointee.pkt_duration
    if duration <= 0 { duration = max(1, Int64(min(one, 1e12))) }
    duration = min(duration, Self.longestTime)
    if stamp != cffmpeg_no_time(), firstStamp == nil { firstStamp = stamp }
    let since = firstStamp.map(stamp.subtractingReportingOverflow)
    if stamp != cffmpeg_no_time(), let since, !since.overflow,
      0...Self.longestTime ~= since.partialValue
    {
      time = since.partialValue
    } else {
      time = endTime
    }
    endTime = max(endTime, min(time + duration, Self.longestTime))

    let isBroken =
      unsafe picture.pointee.decode_error_flags != 0
      || picture.pointee.flags & AV_FRAME_FLAG_CORRUPT != 0
    if isBroken {
      damagedPartCount += 1
      isDamaged = true
    } else if unsafe picture.pointee.key_frame != 0 {
      // It builds upon no other.
      isDamaged = false
    }
  }

  /// At the end of a video: what the file declares must have come.
  private func noteEnd() {
    guard !isStill, declaredDuration > 0, damagedPartCount <= Self.mostDamagedParts else { return }
    let missing = declaredDuration - endTime
    let seconds = Double(missing) * timing.base.value
    let share = Double(missing) / Double(declaredDuration)
    if seconds > Self.slackSeconds, share > 0.02 { missingSeconds = seconds }
  }

  /// A damaged image is an error; a video goes on behind the damage.
  private func noteDamage(_ status: Int32) throws(Failure) {
    if isStill { throw Self.failure(path, status == 0 ? nil : status) }
    damagedPartCount += 1
    isDamaged = true
  }

  /// Says what the file is, where that is known, or else what FFmpeg says.
  private static func failure(
    _ path: String, _ status: Int32?, _ guess: String = "it is damaged or cut off"
  ) -> Failure {
    let reason =
      status.map { "\(guess) (\(MediaError.text($0)))" } ?? "no picture in it that can be decoded"
    return Failure("cannot read \(path): \(FileDiagnosis.reason(path) ?? reason)")
  }

  /// Opens a file, and nothing else that it may name; returns FFmpeg's status.
  static func open(
    _ path: String, _ format: inout UnsafeMutablePointer<AVFormatContext>?
  ) -> Int32 {
    var options = unsafe OpaquePointer?.none
    unsafe av_dict_set(&options, "protocol_whitelist", "file", 0)
    unsafe av_dict_set(&options, "pattern_type", "none", 0)
    defer { unsafe av_dict_free(&options) }
    return unsafe SystemFile.withPath("file:" + path) { path in
      unsafe avformat_open_input(&format, path, nil, &options)
    }
  }

  /// Whether a file has one picture although its kind may have many.
  private static func holdsOnePacket(_ path: String, streamIndex: Int32) -> Bool {
    var format: UnsafeMutablePointer<AVFormatContext>?
    guard unsafe open(path, &format) >= 0 else { return false }
    var packet = unsafe av_packet_alloc()
    defer {
      unsafe av_packet_free(&packet)
      unsafe avformat_close_input(&format)
    }
    var count = 0
    while count < 2, unsafe av_read_frame(format, packet) >= 0, let packet = unsafe packet {
      if unsafe packet.pointee.stream_index == streamIndex { count += 1 }
      unsafe av_packet_unref(packet)
    }
    return count == 1
  }

  /// From the display matrix of a stream.
  private static func turn(of stream: UnsafeMutablePointer<AVStream>) -> Orientation {
    guard let bytes = unsafe av_stream_get_side_data(stream, AV_PKT_DATA_DISPLAYMATRIX, nil) else {
      return .upright
    }
    let matrix = unsafe UnsafeRawPointer(bytes).assumingMemoryBound(to: Int32.self)
    return unsafe Orientation(a: matrix[0], b: matrix[1], c: matrix[3], d: matrix[4])
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
