// One image or video file in, its decoded pictures out, one after the other.
import CFFmpeg

/// libavformat and libavcodec for one local file or stream.
@safe
final class PictureDecoder {
  /// Whether the file holds one picture and no time.
  let isStill: Bool
  /// The timing of a video; of a still picture, the default.
  let timing: VideoTiming
  /// Frames of a video, as the file declares them; nil where it does not.
  let frameCount: Int?
  /// How many parts of a video could not be decoded so far.
  private(set) var damagedPartCount = 0
  /// Seconds of a video that the file declares but does not contain; known at its end.
  private(set) var missingSeconds = 0.0
  /// Whether all of the file has been read.
  private(set) var isAtEnd = false
  /// Why a stream has broken off; nil where it came to its end.
  private(set) var breakReason: String?
  /// Time of the last picture since the first one, and how long it is shown, in units of the time
  /// base.
  private(set) var time: Int64 = 0
  private(set) var duration: Int64 = 0
  /// Whether parts of the last picture, or of one that it builds upon, are missing.
  private(set) var isDamaged = false
  /// When the last picture so far ends.
  private(set) var endTime: Int64 = 0

  private let path: String
  private let live: LiveSource?
  private let demuxer: Demuxer
  private let codec: Codec
  private let streamIndex: Int32
  private let turn: Orientation
  /// The declared length in units of the time base; 0 where the file does not say it.
  private let declaredDuration: Int64
  private var firstStamp: Int64?
  private var isDraining = false
  private(set) var decodedCount = 0
  /// Whether colours that no standard is named for are those of high definition.
  private let mayBeHighDefinition: Bool
  private var hasToldBrightness = false

  private static let largestPixelCount: Int64 = 1 << 28
  private static let mostDamagedParts = 1000
  /// Longer times in a file are taken for damage.
  private static let longestTime: Int64 = 1 << 50
  /// A video may be so much shorter than declared before something counts as missing.
  private static let slackSeconds = 1.0
  /// From so many rows on, video that does not say it has the colours of BT.709, as players take it.
  private static let highDefinitionRows: Int32 = 720

  /// Opens a local file, or a stream; `threadCount` threads decode a video, 0 = one per core.
  init(
    path: String, live: LiveSource? = nil, reading: ReadingOptions, threadCount: Int
  ) throws(Failure) {
    self.path = path
    self.live = live
    if live == nil { try FileDiagnosis.check(path) }
    demuxer = try Demuxer(path: path, live: live, raw: reading.raw)
    let format = unsafe demuxer.format
    let demuxerName = unsafe String(cString: format.pointee.iformat.pointee.name)
    let isPicture = demuxerName.hasSuffix("_pipe") || demuxerName == "image2"
    if !isPicture || live != nil {
      let status = unsafe avformat_find_stream_info(format, nil)
      guard status >= 0 else { throw Demuxer.failure(path, status) }
    }
    var decoder: UnsafePointer<AVCodec>?
    let best = unsafe demuxer.bestStream(AVMEDIA_TYPE_VIDEO, decoder: &decoder)
    guard let stream = unsafe best, let decoder = unsafe decoder else {
      throw Demuxer.failure(path, nil)
    }
    streamIndex = unsafe stream.pointee.index
    // A GIF or AVIF file may be a picture or a video.
    isStill =
      live == nil && isPicture
      || live == nil && reading.raw == nil
        && FrameReader.imageEndings.contains(Path.ending(of: path).lowercased())
        && Self.holdsOnePacket(path, streamIndex: streamIndex)
    codec = try unsafe Codec(decoder)
    let context = unsafe codec.context
    unsafe avcodec_parameters_to_context(context, stream.pointee.codecpar)
    unsafe context.pointee.max_pixels = Self.largestPixelCount
    unsafe context.pointee.thread_count = isStill ? 1 : Int32(threadCount)
    unsafe context.pointee.pkt_timebase = stream.pointee.time_base
    let kind = unsafe context.pointee.codec_id
    mayBeHighDefinition = ![AV_CODEC_ID_RAWVIDEO, AV_CODEC_ID_MJPEG].contains(kind) && !isStill
    // In a TIFF, FFmpeg would take each unknown tag for damage, such as the orientation.
    if isStill && kind != AV_CODEC_ID_TIFF || kind == AV_CODEC_ID_MJPEG {
      unsafe context.pointee.err_recognition = AV_EF_EXPLODE | AV_EF_CRCCHECK
    }
    let status = unsafe avcodec_open2(context, decoder, nil)
    guard status >= 0 else { throw Demuxer.failure(path, status) }

    if !reading.autorotate {
      turn = .upright
    } else {
      turn = unsafe isStill ? Exif.orientation(ofFile: path) : Self.turn(of: stream)
    }
    let rate = unsafe av_guess_frame_rate(format, stream, nil)
    let aspect = unsafe av_guess_sample_aspect_ratio(format, stream, nil)
    let base = unsafe stream.pointee.time_base
    var timing = VideoTiming()
    if rate.isPositive { timing.rate = rate }
    if base.isPositive { timing.base = base }
    if aspect.isPositive { timing.pixelAspect = turn.isTransposed ? av_inv_q(aspect) : aspect }
    self.timing = timing
    declaredDuration = unsafe max(0, stream.pointee.duration)
    frameCount = Self.frameCount(
      declared: unsafe stream.pointee.nb_frames, microseconds: unsafe format.pointee.duration,
      rate: rate)
  }

  /// Calls `use` with the next picture and how it is turned.
  ///
  /// Returns nil at the end of the file.
  func withNextPicture<Result>(
    _ use: (DecodedPicture, Orientation) throws(Failure) -> Result
  ) throws(Failure) -> Result? {
    let picture = unsafe codec.picture
    while true {
      let status = unsafe avcodec_receive_frame(codec.context, picture)
      if status == 0 {
        decodedCount += 1
        unsafe note(picture)
        unsafe noteColours(picture)
        defer { unsafe av_frame_unref(picture) }
        return try use(unsafe DecodedPicture(pointer: UnsafePointer(picture)), turn)
      }
      if status == cffmpeg_end_of_file() { break }
      if status != cffmpeg_try_again() { try noteDamage(status) }
      if damagedPartCount > Self.mostDamagedParts { break }
      try feed()
    }
    guard decodedCount > 0 || Interrupt.isRequested else { throw Demuxer.failure(path, nil) }
    if !isAtEnd { noteEnd() }
    isAtEnd = true
    return nil
  }

  /// Gives the decoder the next packet of the stream, or tells it that no more will come.
  private func feed() throws(Failure) {
    guard !isDraining else { return }
    let status = demuxer.next(of: streamIndex)
    guard status >= 0 else {
      if status != cffmpeg_end_of_file(), !Interrupt.isRequested {
        if live == nil { try noteDamage(status) } else { breakReason = MediaError.text(status) }
      }
      isDraining = true
      unsafe avcodec_send_packet(codec.context, nil)
      return
    }
    if unsafe demuxer.packet.pointee.flags & AV_PKT_FLAG_CORRUPT != 0 { try noteDamage(0) }
    let sent = unsafe avcodec_send_packet(codec.context, demuxer.packet)
    if sent < 0, sent != cffmpeg_end_of_file() { try noteDamage(sent) }
  }

  /// Notes when a picture is shown, and whether it is whole.
  private func note(_ picture: UnsafeMutablePointer<AVFrame>) {
    let stamp = unsafe picture.pointee.best_effort_timestamp
    let one = Double(timing.base.den) / Double(timing.base.num) / timing.rate.value
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
      // A key frame does not depend on earlier pictures.
      isDamaged = false
    }
  }

  /// Names the colours of a picture that does not, and says once what the network will not see.
  private func noteColours(_ picture: UnsafeMutablePointer<AVFrame>) {
    if mayBeHighDefinition, unsafe picture.pointee.colorspace == AVCOL_SPC_UNSPECIFIED,
      unsafe picture.pointee.height >= Self.highDefinitionRows
    {
      unsafe picture.pointee.colorspace = AVCOL_SPC_BT709
    }
    let transfer = unsafe picture.pointee.color_trc
    guard [AVCOL_TRC_SMPTE2084, AVCOL_TRC_ARIB_STD_B67].contains(transfer), !hasToldBrightness
    else { return }
    hasToldBrightness = true
    Terminal.note(
      "\(path) is HDR (\(transfer == AVCOL_TRC_SMPTE2084 ? "PQ" : "HLG")): its brightness is taken "
        + "as if it were not, and the network sees paler frames; a copy in BT.709 would help")
  }

  /// Whether pictures come when they like, and may go on after a break: those of a camera, and of an
  /// address that sends no file.
  var hasOwnPace: Bool {
    guard let live, live != .pipe else { return false }
    return !demuxer.hasKnownEnd
  }

  /// Compares the length of a video, at its end, with what the file declares.
  private func noteEnd() {
    guard !isStill, declaredDuration > 0, damagedPartCount <= Self.mostDamagedParts else { return }
    let missing = declaredDuration - endTime
    let seconds = Double(missing) * timing.base.value
    let share = Double(missing) / Double(declaredDuration)
    if seconds > Self.slackSeconds, share > 0.02 { missingSeconds = seconds }
  }

  /// Throws for an image; counts the damage of a video, which goes on after it.
  private func noteDamage(_ status: Int32) throws(Failure) {
    if isStill { throw Demuxer.failure(path, status == 0 ? nil : status) }
    damagedPartCount += 1
    isDamaged = true
  }

  /// Whether a file contains a single picture.
  private static func holdsOnePacket(_ path: String, streamIndex: Int32) -> Bool {
    guard let demuxer = try? Demuxer(path: path) else { return false }
    return demuxer.next(of: streamIndex) >= 0 && demuxer.next(of: streamIndex) < 0
  }

  /// The orientation in the display matrix of a stream.
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
    guard microseconds > 0, rate.isPositive else { return nil }
    let frames = Double(microseconds) * 1e-6 * rate.value
    return frames < 1e9 ? Int(frames.rounded()) : nil
  }
}
