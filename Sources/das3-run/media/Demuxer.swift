// A path in, the packets of its streams as they are stored out.
import ArgumentParser
import CFFmpeg

/// libavformat for one local file, or for a stream.
@safe
final class Demuxer {
  let format: UnsafeMutablePointer<AVFormatContext>
  /// The packet that `next` has read.
  let packet: UnsafeMutablePointer<AVPacket>
  /// What a pipe is read by.
  private let pipe: PipeInput?

  /// Opens a local file or a stream; other files or addresses that it names are not opened.
  ///
  /// Ctrl-C ends the waiting for a stream. `raw` says how pixels lie, where the input does not.
  init(path: String, live: LiveSource? = nil, raw: RawLayout? = nil) throws(Failure) {
    av_log_set_level(AV_LOG_QUIET)
    pipe = try live == .pipe ? PipeInput(path: path) : nil
    var opened = unsafe avformat_alloc_context()
    guard let context = unsafe opened, let packet = unsafe av_packet_alloc() else {
      throw Failure("memory ran out")
    }
    unsafe self.packet = packet
    if live != nil {
      unsafe context.pointee.interrupt_callback.callback = { _ in Interrupt.isRequested ? 1 : 0 }
    }
    if let pipe { unsafe pipe.attach(to: context) }
    var options = unsafe OpaquePointer?.none
    defer { unsafe av_dict_free(&options) }
    var format = unsafe UnsafePointer<AVInputFormat>?.none
    if let raw { unsafe Self.add(raw, live, to: &options) }
    switch live {
    case .camera: unsafe format = try LiveSource.cameraFormat()
    case .address:
      unsafe av_dict_set(&options, "protocol_whitelist", LiveSource.protocols, 0)
      for name in ["timeout", "rw_timeout", "stimeout"] {
        unsafe av_dict_set_int(&options, name, Int64(LiveSource.patience), 0)
      }
      unsafe av_dict_set(&options, "rtsp_transport", "tcp", 0)
    case .pipe, nil:
      unsafe av_dict_set(&options, "protocol_whitelist", "file", 0)
      unsafe av_dict_set(&options, "pattern_type", "none", 0)
      if raw != nil { unsafe format = av_find_input_format("rawvideo") }
    }
    // After a failure the context is freed already.
    let status = unsafe SystemFile.withPath(live == nil ? "file:" + path : path) { path in
      unsafe avformat_open_input(&opened, path, format, &options)
    }
    guard status >= 0, let format = unsafe opened else {
      var packet = unsafe Optional(packet)
      unsafe av_packet_free(&packet)
      guard live == nil else { throw Self.failure(live, path, status) }
      throw Self.failure(path, status, "FFmpeg knows no picture or video like it")
    }
    unsafe self.format = format
  }

  /// Says how pixels lie in the words of the format that reads them.
  private static func add(_ raw: RawLayout, _ live: LiveSource?, to options: inout OpaquePointer?) {
    unsafe av_dict_set(&options, live == .camera ? "input_format" : "pixel_format", raw.format, 0)
    unsafe av_dict_set(&options, "video_size", raw.size.description, 0)
    if let rate = raw.rate { unsafe av_dict_set(&options, "framerate", rate, 0) }
  }

  private static func failure(_ live: LiveSource?, _ path: String, _ status: Int32) -> Failure {
    if let interruption { return interruption }
    guard live == .pipe else { return Failure("cannot read \(path): \(MediaError.text(status))") }
    return Failure(
      "cannot read \(shown(path)): FFmpeg knows no video like it (\(MediaError.text(status))); raw pixels "
        + "need '--raw', and an MP4 its index at the beginning (ffmpeg -movflags faststart)")
  }

  /// Whether the end of the input is known, as that of a file that a server sends is.
  var hasKnownEnd: Bool {
    let input = unsafe format.pointee.pb
    return unsafe format.pointee.duration > 0 || input != nil && avio_size(input) >= 0
  }

  deinit {
    var (format, packet) = unsafe (Optional(format), Optional(packet))
    unsafe avformat_close_input(&format)
    unsafe av_packet_free(&packet)
  }

  /// The stream of a kind that FFmpeg prefers; where `decoder` is given, one that can be decoded.
  func bestStream(
    _ kind: AVMediaType, decoder: UnsafeMutablePointer<UnsafePointer<AVCodec>?>? = nil
  ) -> UnsafeMutablePointer<AVStream>? {
    let index = unsafe av_find_best_stream(format, kind, -1, -1, decoder, 0)
    return unsafe index >= 0 ? format.pointee.streams[Int(index)] : nil
  }

  /// Reads the next packet of a stream; returns FFmpeg's status.
  func next(of streamIndex: Int32) -> Int32 {
    while true {
      unsafe av_packet_unref(packet)
      let status = unsafe av_read_frame(format, packet)
      guard status >= 0, unsafe packet.pointee.stream_index != streamIndex else { return status }
    }
  }

  /// A failure that says what the file is, where that is known, or else what FFmpeg reports.
  static func failure(
    _ path: String, _ status: Int32?, _ guess: String = "it is damaged or cut off"
  ) -> Failure {
    if let interruption { return interruption }
    let reason =
      status.map { "\(guess) (\(MediaError.text($0)))" } ?? "no picture in it that can be decoded"
    return Failure("cannot read \(shown(path)): \(FileDiagnosis.reason(path) ?? reason)")
  }

  /// What a failure was in truth, if the user has ended the waiting.
  private static var interruption: Failure? {
    Interrupt.isRequested
      ? Failure("ended before the first frame", exitCode: ExitCode.interrupted.rawValue) : nil
  }

  private static func shown(_ path: String) -> String { path == "-" ? "stdin" : path }
}
