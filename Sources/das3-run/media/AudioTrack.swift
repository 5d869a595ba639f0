// A video in, the packets of its sound copied into another video out.
import CFFmpeg

/// Copies the sound of a file without decoding it.
@safe
final class AudioTrack {
  private let demuxer: Demuxer
  private let source: UnsafeMutablePointer<AVStream>
  /// When the first picture is shown, in seconds.
  private let origin: Double
  /// The stream in the other file.
  private var target: UnsafeMutablePointer<AVStream>?
  /// Whether the packet that was read last is not copied yet.
  private var isWaiting = false

  /// - Parameter path: of a video.
  /// - Throws: `Failure` where it has no sound, or one that an MP4 file cannot hold.
  init(path: String) throws(Failure) {
    demuxer = try Demuxer(path: path)
    unsafe avformat_find_stream_info(demuxer.format, nil)
    guard let source = unsafe demuxer.bestStream(AVMEDIA_TYPE_AUDIO),
      let pictures = unsafe demuxer.bestStream(AVMEDIA_TYPE_VIDEO)
    else { throw Failure("\(path) has no sound that '--audio' could copy") }
    unsafe self.source = source
    let start = unsafe pictures.pointee.start_time
    let base = unsafe pictures.pointee.time_base
    origin = start == cffmpeg_no_time() || base.den == 0 ? 0 : Double(start) * base.value
    let codec = unsafe source.pointee.codecpar.pointee.codec_id
    let container = unsafe av_guess_format("mp4", nil, nil)
    guard unsafe avformat_query_codec(container, codec, FF_COMPLIANCE_NORMAL) == 1 else {
      let name = unsafe String(cString: avcodec_get_name(codec))
      throw Failure(
        "the sound of \(path) is \(name), which an MP4 file does not hold; leave out '--audio'")
    }
  }

  /// Adds a stream for the sound to a file whose header is not written yet.
  func add(to other: UnsafeMutablePointer<AVFormatContext>) throws(Failure) {
    guard let stream = unsafe avformat_new_stream(other, nil) else {
      throw Failure("memory ran out")
    }
    unsafe avcodec_parameters_copy(stream.pointee.codecpar, source.pointee.codecpar)
    unsafe stream.pointee.codecpar.pointee.codec_tag = 0
    unsafe stream.pointee.time_base = source.pointee.time_base
    unsafe target = stream
  }

  /// Copies the sound before `seconds` after the first picture.
  func copy(
    until seconds: Double, into other: UnsafeMutablePointer<AVFormatContext>, path file: String
  ) throws(Failure) {
    guard let target = unsafe target else { return }
    let packet = unsafe demuxer.packet
    let base = unsafe source.pointee.time_base
    let unit = Double(base.num) / Double(max(1, base.den))
    let shift = Int64((origin / unit).rounded())
    while true {
      if !isWaiting {
        guard unsafe demuxer.next(of: source.pointee.index) >= 0 else { return }
        isWaiting = true
      }
      let time = unsafe packet.pointee.dts == cffmpeg_no_time() ? 0 : packet.pointee.dts - shift
      guard Double(time) * unit < seconds else { return }
      isWaiting = false
      unsafe packet.pointee.pts -= packet.pointee.pts == cffmpeg_no_time() ? 0 : shift
      unsafe packet.pointee.dts -= packet.pointee.dts == cffmpeg_no_time() ? 0 : shift
      unsafe av_packet_rescale_ts(packet, base, target.pointee.time_base)
      unsafe packet.pointee.stream_index = target.pointee.index
      unsafe packet.pointee.pos = -1
      try MediaError.check(
        unsafe av_interleaved_write_frame(other, packet), "cannot write \(file)")
    }
  }
}
