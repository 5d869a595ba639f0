// RGB frames of one size in, an MP4 file out.
import CFFmpeg

/// H.264 where FFmpeg can encode it in software, else MPEG-4; odd sizes lose a row or column.
@safe
final class VideoWriter {
  private let path: String
  private let size: PixelSize
  private let converter = PixelConverter()
  private var format: UnsafeMutablePointer<AVFormatContext>?
  private var codec: UnsafeMutablePointer<AVCodecContext>?
  private var picture: UnsafeMutablePointer<AVFrame>?
  private var packet: UnsafeMutablePointer<AVPacket>?
  private var stream: UnsafeMutablePointer<AVStream>?
  private var writtenCount: Int64 = 0
  /// From the header to the index.
  private var isOpen = false

  private static let encoderNames = ["libx264", "libopenh264", "mpeg4"]

  /// - Parameters:
  ///   - path: the file; an existing one is replaced.
  ///   - size: of the frames that will come.
  ///   - rate: of the frames.
  ///   - threadCount: for encoding; 0 = one per core.
  /// - Throws: `Failure` where the file or its encoder cannot be opened.
  init(path: String, size: PixelSize, rate: FrameRate, threadCount: Int) throws(Failure) {
    av_log_set_level(AV_LOG_QUIET)
    self.path = path
    self.size = size
    do throws(Failure) {
      try open(rate: rate, threadCount: threadCount)
    } catch {
      release()
      throw error
    }
  }

  /// After a failure elsewhere the file still becomes a video.
  deinit {
    try? finish()
    release()
  }

  func write(_ frame: Frame) throws(Failure) {
    guard frame.size == size else {
      throw Failure(
        "cannot write \(path): frame \(frame.name) is \(frame.size), the first was \(size)")
    }
    guard let picture = unsafe picture else { return }
    try MediaError.check(unsafe av_frame_make_writable(picture), "cannot write \(path)")
    try unsafe converter.convert(frame, into: picture)
    unsafe picture.pointee.pts = writtenCount
    writtenCount += 1
    try unsafe encode(picture)
  }

  /// Writes what the encoder still holds and the index; without it the file is no video.
  func finish() throws(Failure) {
    guard isOpen else { return }
    isOpen = false
    try unsafe encode(nil)
    try MediaError.check(unsafe av_write_trailer(format), "cannot write \(path)")
    if let format = unsafe format {
      try MediaError.check(unsafe avio_closep(&format.pointee.pb), "cannot write \(path)")
    }
  }

  private func open(rate: FrameRate, threadCount: Int) throws(Failure) {
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

    unsafe codec.pointee.width = Int32(size.width & ~1)
    unsafe codec.pointee.height = Int32(size.height & ~1)
    unsafe codec.pointee.pix_fmt = AV_PIX_FMT_YUV420P
    unsafe codec.pointee.time_base = AVRational(num: rate.denominator, den: rate.numerator)
    unsafe codec.pointee.framerate = AVRational(num: rate.numerator, den: rate.denominator)
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

    unsafe picture.pointee.width = codec.pointee.width
    unsafe picture.pointee.height = codec.pointee.height
    unsafe picture.pointee.format = AV_PIX_FMT_YUV420P.rawValue
    try MediaError.check(unsafe av_frame_get_buffer(picture, 0), "cannot write \(path)")
    try MediaError.check(
      unsafe avio_open(&format.pointee.pb, "file:" + path, AVIO_FLAG_WRITE),
      "cannot write \(path)")
    try MediaError.check(unsafe avformat_write_header(format, nil), "cannot write \(path)")
    isOpen = true
  }

  private func encode(_ picture: UnsafeMutablePointer<AVFrame>?) throws(Failure) {
    try MediaError.check(unsafe avcodec_send_frame(codec, picture), "cannot write \(path)")
    while true {
      let status = unsafe avcodec_receive_packet(codec, packet)
      if status == cffmpeg_try_again() || status == cffmpeg_end_of_file() { return }
      try MediaError.check(status, "cannot write \(path)")
      guard let codec = unsafe codec, let stream = unsafe stream, let packet = unsafe packet
      else { return }
      unsafe av_packet_rescale_ts(packet, codec.pointee.time_base, stream.pointee.time_base)
      unsafe packet.pointee.stream_index = stream.pointee.index
      unsafe packet.pointee.duration = av_rescale_q(
        1, codec.pointee.time_base, stream.pointee.time_base)
      try MediaError.check(
        unsafe av_interleaved_write_frame(format, packet), "cannot write \(path)")
    }
  }

  private func release() {
    if let format = unsafe format, unsafe format.pointee.pb != nil {
      unsafe avio_closep(&format.pointee.pb)
    }
    unsafe av_packet_free(&packet)
    unsafe av_frame_free(&picture)
    unsafe avcodec_free_context(&codec)
    unsafe avformat_free_context(format)
    unsafe format = nil
  }
}
