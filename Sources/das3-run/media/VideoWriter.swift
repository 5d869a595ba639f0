// RGB frames of one size and their times in, an MP4 file out.
import CFFmpeg

/// H.264 where FFmpeg can encode it in software, else MPEG-4; odd sizes lose a row or column.
@safe
final class VideoWriter {
  private let path: String
  private let size: PixelSize
  private let timing: VideoTiming
  private let audio: AudioTrack?
  private let converter = PixelConverter()
  private var format: UnsafeMutablePointer<AVFormatContext>?
  private var codec: UnsafeMutablePointer<AVCodecContext>?
  private var picture: UnsafeMutablePointer<AVFrame>?
  private var packet: UnsafeMutablePointer<AVPacket>?
  /// The last packet, which waits for the next one to say how long it is shown.
  private var held: UnsafeMutablePointer<AVPacket>?
  private var stream: UnsafeMutablePointer<AVStream>?
  /// Of the last frame, in units of the encoder.
  private var lastTime: Int64 = -1
  /// From the header to the index.
  private var isOpen = false

  private static let encoderNames = ["libx264", "libopenh264", "mpeg4"]
  /// MPEG-4 counts time in no finer units than these.
  private static let finestBase: Int32 = 65_535

  /// - Parameters:
  ///   - path: the file; an existing one is replaced.
  ///   - size: of the frames that will come.
  ///   - timing: of the frames.
  ///   - audio: what is copied beside them.
  ///   - threadCount: for encoding; 0 = one per core.
  /// - Throws: `Failure` where the file or its encoder cannot be opened.
  init(
    path: String, size: PixelSize, timing: VideoTiming, audio: AudioTrack?, threadCount: Int
  ) throws(Failure) {
    av_log_set_level(AV_LOG_QUIET)
    self.path = path
    self.size = size
    self.timing = timing
    self.audio = audio
    do throws(Failure) {
      try open(threadCount: threadCount)
    } catch {
      release()
      throw error
    }
  }

  /// After a failure elsewhere the file still becomes a video.
  deinit {
    try? finish(at: lastTime + 1)
    release()
  }

  /// Adds a frame that is shown from its time on.
  func write(_ frame: Frame) throws(Failure) {
    guard frame.size == size else {
      throw Failure(
        "the size of the frames changes: \(frame.name) with its legend is \(frame.size), before it "
          + "was \(size), and a video has one size; without --overlay all of them are labelled")
    }
    guard let picture = unsafe picture else { return }
    try MediaError.check(unsafe av_frame_make_writable(picture), "cannot write \(path)")
    try unsafe converter.convert(frame, into: picture)
    lastTime = max(inUnits(frame.time), lastTime + 1)
    unsafe picture.pointee.pts = lastTime
    try unsafe encode(picture)
  }

  /// Writes what the encoder still holds and the index; without it the file is no video.
  /// - Parameter end: when the last frame is no longer shown, in units of the timing's base.
  /// - Throws: `Failure` where it cannot be written; what is there of it is removed.
  func finish(at end: Int64) throws(Failure) {
    guard isOpen else { return }
    isOpen = false
    do throws(Failure) {
      try unsafe encode(nil)
      try writeHeld(until: max(inUnits(end), lastTime + 1))
      if let audio { try copy(audio, until: end) }
      try MediaError.check(unsafe av_write_trailer(format), "cannot write \(path)")
      if let format = unsafe format {
        try MediaError.check(unsafe avio_closep(&format.pointee.pb), "cannot write \(path)")
      }
    } catch {
      if SystemFile.kind(path) == .regular { SystemFile.remove(path) }
      throw error
    }
  }

  private func open(threadCount: Int) throws(Failure) {
    unsafe avformat_alloc_output_context2(&format, nil, "mp4", nil)
    let encoders = unsafe Self.encoderNames.compactMap { unsafe avcodec_find_encoder_by_name($0) }
    guard let format = unsafe format, let encoder = unsafe encoders.first else {
      throw Failure("cannot write \(path): this FFmpeg has no MP4 or no H.264 or MPEG-4 encoder")
    }
    guard let codec = unsafe avcodec_alloc_context3(encoder),
      let stream = unsafe avformat_new_stream(format, nil), let picture = unsafe av_frame_alloc()
    else { throw Failure("cannot write \(path): memory ran out") }
    unsafe self.codec = codec
    unsafe self.stream = stream
    unsafe self.picture = picture
    unsafe packet = av_packet_alloc()
    unsafe held = av_packet_alloc()

    unsafe codec.pointee.width = Int32(size.width & ~1)
    unsafe codec.pointee.height = Int32(size.height & ~1)
    unsafe codec.pointee.pix_fmt = AV_PIX_FMT_YUV420P
    unsafe codec.pointee.time_base = Self.base(timing)
    unsafe codec.pointee.framerate = AVRational(
      num: timing.rate.numerator, den: timing.rate.denominator)
    unsafe codec.pointee.sample_aspect_ratio = AVRational(
      num: timing.pixelAspect.numerator, den: timing.pixelAspect.denominator)
    // Packets then come in the order of the frames, and their times are those of the frames.
    unsafe codec.pointee.max_b_frames = 0
    unsafe codec.pointee.colorspace = AVCOL_SPC_BT709
    unsafe codec.pointee.color_primaries = AVCOL_PRI_BT709
    unsafe codec.pointee.color_trc = AVCOL_TRC_BT709
    unsafe codec.pointee.color_range = AVCOL_RANGE_MPEG
    unsafe codec.pointee.thread_count = Int32(threadCount)
    unsafe codec.pointee.flags |= AV_CODEC_FLAG_GLOBAL_HEADER
    // Only one of the two is known to each encoder: constant quality, or a generous bit rate.
    unsafe codec.pointee.bit_rate = Int64(size.pixelCount) * 5
    unsafe av_opt_set(codec.pointee.priv_data, "preset", "veryfast", 0)
    unsafe av_opt_set(codec.pointee.priv_data, "crf", "20", 0)
    try MediaError.check(unsafe avcodec_open2(codec, encoder, nil), "cannot write \(path)")
    unsafe avcodec_parameters_from_context(stream.pointee.codecpar, codec)
    unsafe stream.pointee.time_base = codec.pointee.time_base
    unsafe stream.pointee.avg_frame_rate = codec.pointee.framerate
    unsafe stream.pointee.sample_aspect_ratio = codec.pointee.sample_aspect_ratio

    unsafe picture.pointee.width = codec.pointee.width
    unsafe picture.pointee.height = codec.pointee.height
    unsafe picture.pointee.format = AV_PIX_FMT_YUV420P.rawValue
    try MediaError.check(unsafe av_frame_get_buffer(picture, 0), "cannot write \(path)")
    if let audio { try unsafe audio.add(to: format) }
    let status = unsafe SystemFile.withPath("file:" + path) { path in
      unsafe avio_open(&format.pointee.pb, path, AVIO_FLAG_WRITE)
    }
    try MediaError.check(status, "cannot write \(path)")
    try MediaError.check(unsafe avformat_write_header(format, nil), "cannot write \(path)")
    isOpen = true
  }

  private static func base(_ timing: VideoTiming) -> AVRational {
    let base = timing.base
    guard base.denominator > finestBase else {
      return AVRational(num: base.numerator, den: base.denominator)
    }
    return AVRational(num: 1, den: 60_000)
  }

  private func inUnits(_ time: Int64) -> Int64 {
    let source = AVRational(num: timing.base.numerator, den: timing.base.denominator)
    return av_rescale_q(time, source, Self.base(timing))
  }

  private func encode(_ picture: UnsafeMutablePointer<AVFrame>?) throws(Failure) {
    try MediaError.check(unsafe avcodec_send_frame(codec, picture), "cannot write \(path)")
    while true {
      let status = unsafe avcodec_receive_packet(codec, packet)
      if status == cffmpeg_try_again() || status == cffmpeg_end_of_file() { return }
      try MediaError.check(status, "cannot write \(path)")
      guard let packet = unsafe packet else { return }
      try writeHeld(until: unsafe packet.pointee.pts)
      unsafe av_packet_move_ref(held, packet)
    }
  }

  /// Writes the packet that was held back; it is shown until `time`, in units of the encoder.
  private func writeHeld(until time: Int64) throws(Failure) {
    guard let codec = unsafe codec, let stream = unsafe stream, let held = unsafe held,
      unsafe held.pointee.data != nil
    else { return }
    if let audio {
      let base = AVRational(num: timing.base.numerator, den: timing.base.denominator)
      try copy(audio, until: unsafe av_rescale_q(held.pointee.pts, codec.pointee.time_base, base))
    }
    unsafe held.pointee.duration = max(1, time - held.pointee.pts)
    unsafe av_packet_rescale_ts(held, codec.pointee.time_base, stream.pointee.time_base)
    unsafe held.pointee.stream_index = stream.pointee.index
    try MediaError.check(
      unsafe av_interleaved_write_frame(format, held), "cannot write \(path)")
  }

  /// Copies what is heard before `time`, in units of the timing's base.
  private func copy(_ audio: AudioTrack, until time: Int64) throws(Failure) {
    guard let format = unsafe format else { return }
    let seconds = Double(time) * timing.base.value
    try unsafe audio.copy(until: seconds, into: format, path: path)
  }

  private func release() {
    if let format = unsafe format, unsafe format.pointee.pb != nil {
      unsafe avio_closep(&format.pointee.pb)
    }
    unsafe av_packet_free(&packet)
    unsafe av_packet_free(&held)
    unsafe av_frame_free(&picture)
    unsafe avcodec_free_context(&codec)
    unsafe avformat_free_context(format)
    unsafe format = nil
  }
}
