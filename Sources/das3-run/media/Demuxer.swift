// A path in, the packets of its streams as they are stored out.
import CFFmpeg

/// libavformat for one local file, or for a stream.
@safe
final class Demuxer {
  let format: UnsafeMutablePointer<AVFormatContext>
  /// The packet that `next` has read.
  let packet: UnsafeMutablePointer<AVPacket>

  /// Opens a local file; other files or addresses that it names are not opened.
  init(path: String) throws(Failure) {
    av_log_set_level(AV_LOG_QUIET)
    var options = unsafe OpaquePointer?.none
    unsafe av_dict_set(&options, "protocol_whitelist", "file", 0)
    unsafe av_dict_set(&options, "pattern_type", "none", 0)
    defer { unsafe av_dict_free(&options) }
    var opened: UnsafeMutablePointer<AVFormatContext>?
    let status = unsafe SystemFile.withPath("file:" + path) { path in
      unsafe avformat_open_input(&opened, path, nil, &options)
    }
    guard let format = unsafe opened, let packet = unsafe av_packet_alloc() else {
      throw Self.failure(path, status, "FFmpeg knows no picture or video like it")
    }
    unsafe self.format = format
    unsafe self.packet = packet
  }

  /// Opens a camera or an address; Ctrl-C ends the waiting for it.
  init(_ source: LiveSource, path: String) throws(Failure) {
    av_log_set_level(AV_LOG_QUIET)
    var opened = unsafe avformat_alloc_context()
    guard let context = unsafe opened, let packet = unsafe av_packet_alloc() else {
      throw Failure("memory ran out")
    }
    unsafe context.pointee.interrupt_callback.callback = { _ in Interrupt.isRequested ? 1 : 0 }
    var options = unsafe OpaquePointer?.none
    defer { unsafe av_dict_free(&options) }
    var format: UnsafePointer<AVInputFormat>?
    switch source {
    case .camera: unsafe format = try LiveSource.cameraFormat()
    case .address:
      unsafe av_dict_set(&options, "protocol_whitelist", LiveSource.protocols, 0)
      for name in ["timeout", "rw_timeout", "stimeout"] {
        unsafe av_dict_set_int(&options, name, Int64(LiveSource.patience), 0)
      }
      unsafe av_dict_set(&options, "rtsp_transport", "tcp", 0)
    }
    // After a failure the context is freed already.
    let status = unsafe SystemFile.withPath(path) { path in
      unsafe avformat_open_input(&opened, path, format, &options)
    }
    guard status >= 0, let format = unsafe opened else {
      var packet = unsafe Optional(packet)
      unsafe av_packet_free(&packet)
      throw Failure("cannot read \(path): \(MediaError.text(status))")
    }
    unsafe self.format = format
    unsafe self.packet = packet
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
    let reason =
      status.map { "\(guess) (\(MediaError.text($0)))" } ?? "no picture in it that can be decoded"
    return Failure("cannot read \(path): \(FileDiagnosis.reason(path) ?? reason)")
  }
}
