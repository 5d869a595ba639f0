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
  private let codec: Codec
  /// The last packet; how long it is shown is known when the next one comes.
  private var held = unsafe av_packet_alloc()
  private var format: UnsafeMutablePointer<AVFormatContext>?
  private var stream: UnsafeMutablePointer<AVStream>?
  /// Time of the last frame, in units of the encoder.
  private var lastTime: Int64 = -1
  /// Whether the header is written and the index is not yet.
  private var isOpen = false

  private static let encoderNames = ["libx264", "libopenh264", "mpeg4"]
  /// The MPEG-4 encoder takes no more units of time per second.
  private static let finestBase: Int32 = 65_535

  /// Opens a new file, or replaces an old one; `threadCount` threads encode it, 0 = one per core.
  init(
    path: String, size: PixelSize, timing: VideoTiming, audio: AudioTrack?, threadCount: Int
  ) throws(Failure) {
    av_log_set_level(AV_LOG_QUIET)
    let encoders = unsafe Self.encoderNames.compactMap { unsafe avcodec_find_encoder_by_name($0) }
    guard let encoder = unsafe encoders.first else {
      throw Failure("cannot write \(path): this FFmpeg has no H.264 or MPEG-4 encoder")
    }
    codec = try unsafe Codec(encoder)
    self.path = path
    self.size = size
    self.timing = timing
    self.audio = audio
    try open(threadCount: threadCount)
  }

  /// Completes the file where a failure elsewhere has kept `finish` from being called.
  deinit {
    try? finish(at: lastTime + 1)
    if let format = unsafe format { unsafe avio_closep(&format.pointee.pb) }
    unsafe avformat_free_context(format)
    unsafe av_packet_free(&held)
  }

  /// Adds a frame, which is shown from its time on.
  func write(_ frame: Frame) throws(Failure) {
    guard frame.size == size else {
      throw Failure(
        "the size of the frames changes: \(frame.name) with its legend is \(frame.size), before it "
          + "was \(size), and a video has one size; without --overlay all of them are labelled")
    }
    let picture = unsafe codec.picture
    try check(unsafe av_frame_make_writable(picture))
    try unsafe converter.convert(frame, into: picture)
    lastTime = max(inUnits(frame.time), lastTime + 1)
    unsafe picture.pointee.pts = lastTime
    try unsafe encode(picture)
  }

  /// Writes the frames that the encoder still holds, and the index, without which nothing plays.
  /// - Parameter end: when the last frame is no longer shown, in units of the timing's base.
  /// - Throws: `Failure` where the file cannot be written; it is removed then.
  func finish(at end: Int64) throws(Failure) {
    guard isOpen else { return }
    isOpen = false
    do throws(Failure) {
      try unsafe encode(nil)
      try writeHeld(until: max(inUnits(end), lastTime + 1))
      if let audio { try copy(audio, until: end) }
      try check(unsafe av_write_trailer(format))
      if let format = unsafe format { try check(unsafe avio_closep(&format.pointee.pb)) }
    } catch {
      if SystemFile.kind(path) == .regular { SystemFile.remove(path) }
      throw error
    }
  }

  private func open(threadCount: Int) throws(Failure) {
    unsafe avformat_alloc_output_context2(&format, nil, "mp4", nil)
    guard let format = unsafe format, let stream = unsafe avformat_new_stream(format, nil) else {
      throw Failure("cannot write \(path): this FFmpeg has no MP4")
    }
    unsafe self.stream = stream
    let context = unsafe codec.context
    unsafe context.pointee.time_base = encoderBase
    unsafe context.pointee.framerate = timing.rate
    unsafe context.pointee.sample_aspect_ratio = timing.pixelAspect
    // Without B frames, packets come in the order of the frames and with their times.
    unsafe context.pointee.max_b_frames = 0
    unsafe context.pointee.colorspace = AVCOL_SPC_BT709
    unsafe context.pointee.color_primaries = AVCOL_PRI_BT709
    unsafe context.pointee.color_trc = AVCOL_TRC_BT709
    unsafe context.pointee.color_range = AVCOL_RANGE_MPEG
    unsafe context.pointee.thread_count = Int32(threadCount)
    unsafe context.pointee.flags |= AV_CODEC_FLAG_GLOBAL_HEADER
    // libx264 takes the constant quality, the other encoders the generous bit rate.
    unsafe context.pointee.bit_rate = Int64(size.pixelCount) * 5
    unsafe av_opt_set(context.pointee.priv_data, "preset", "veryfast", 0)
    unsafe av_opt_set(context.pointee.priv_data, "crf", "20", 0)
    try codec.openEncoder(
      size: PixelSize(width: size.width & ~1, height: size.height & ~1),
      pixels: AV_PIX_FMT_YUV420P, path: path)
    unsafe avcodec_parameters_from_context(stream.pointee.codecpar, context)
    unsafe stream.pointee.time_base = context.pointee.time_base
    unsafe stream.pointee.avg_frame_rate = context.pointee.framerate
    unsafe stream.pointee.sample_aspect_ratio = context.pointee.sample_aspect_ratio
    if let audio { try unsafe audio.add(to: format) }
    let status = unsafe SystemFile.withPath("file:" + path) { path in
      unsafe avio_open(&format.pointee.pb, path, AVIO_FLAG_WRITE)
    }
    try check(status)
    try check(unsafe avformat_write_header(format, nil))
    isOpen = true
  }

  /// The unit of time in which frames are encoded, in seconds.
  private var encoderBase: AVRational {
    timing.base.den > Self.finestBase ? AVRational(num: 1, den: 60_000) : timing.base
  }

  private func inUnits(_ time: Int64) -> Int64 {
    av_rescale_q(time, timing.base, encoderBase)
  }

  private func check(_ status: Int32) throws(Failure) {
    try MediaError.check(status, "cannot write \(path)")
  }

  private func encode(_ picture: UnsafeMutablePointer<AVFrame>?) throws(Failure) {
    try check(unsafe avcodec_send_frame(codec.context, picture))
    while true {
      let packet = unsafe codec.packet
      let status = unsafe avcodec_receive_packet(codec.context, packet)
      if status == cffmpeg_try_again() || status == cffmpeg_end_of_file() { return }
      try check(status)
      try writeHeld(until: unsafe packet.pointee.pts)
      unsafe av_packet_move_ref(held, packet)
    }
  }

  /// Writes the packet that was held back, if any; it is shown until `time`, in units of the encoder.
  private func writeHeld(until time: Int64) throws(Failure) {
    guard let stream = unsafe stream, let held = unsafe held, unsafe held.pointee.data != nil
    else { return }
    let base = unsafe codec.context.pointee.time_base
    if let audio {
      let start = unsafe held.pointee.pts
      try copy(audio, until: av_rescale_q(start, base, timing.base))
    }
    unsafe held.pointee.duration = max(1, time - held.pointee.pts)
    unsafe av_packet_rescale_ts(held, base, stream.pointee.time_base)
    unsafe held.pointee.stream_index = stream.pointee.index
    try check(unsafe av_interleaved_write_frame(format, held))
  }

  /// Copies the sound before `time`, in units of the timing's base.
  private func copy(_ audio: AudioTrack, until time: Int64) throws(Failure) {
    guard let format = unsafe format else { return }
    let seconds = Double(time) * timing.base.value
    try unsafe audio.copy(until: seconds, into: format, path: path)
  }
}
