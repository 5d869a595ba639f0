// Bytes of stdin or of a named pipe in, what FFmpeg reads from out.
import CFFmpeg
import Foundation

/// Lets libavformat read a pipe, and end the waiting for it when the user does.
@safe
final class PipeInput {
  private let descriptor: Int32
  private let isOwned: Bool
  private var context: UnsafeMutablePointer<AVIOContext>?

  private static let bufferByteCount: Int32 = 1 << 16
  /// Milliseconds after which a pipe that gives nothing is asked again.
  private static let pause: Int32 = 100

  /// Opens a pipe; "-" is stdin.
  init(path: String) throws(Failure) {
    isOwned = path != "-"
    if isOwned {
      // This does not wait for somebody who writes; `poll` does.
      descriptor = unsafe SystemFile.withPath(path) {
        unsafe open($0, O_RDONLY | O_NONBLOCK | O_CLOEXEC)
      }
      guard descriptor >= 0 else { throw Failure("cannot read \(path): \(SystemFile.reason)") }
    } else {
      descriptor = STDIN_FILENO
      guard isatty(descriptor) == 0 else {
        throw Failure(
          "frames are to come through stdin, which is a terminal; expected a pipe, such as "
            + "'cat drive.mkv | das3-run … --input -'")
      }
    }
    let buffer = unsafe av_malloc(Int(Self.bufferByteCount))?.assumingMemoryBound(to: UInt8.self)
    unsafe context = avio_alloc_context(
      buffer, Self.bufferByteCount, 0, Unmanaged.passUnretained(self).toOpaque(),
      { source, bytes, count in
        guard let source = unsafe source, let bytes = unsafe bytes else {
          return cffmpeg_end_of_file()
        }
        let input = unsafe Unmanaged<PipeInput>.fromOpaque(source).takeUnretainedValue()
        return unsafe input.read(into: bytes, count: count)
      }, nil, nil)
    guard unsafe context != nil else { throw Failure("memory ran out") }
  }

  deinit {
    if let context = unsafe context { unsafe av_free(context.pointee.buffer) }
    unsafe avio_context_free(&context)
    if isOwned { close(descriptor) }
  }

  /// Makes an open format read from here; this must outlive it.
  func attach(to format: UnsafeMutablePointer<AVFormatContext>) {
    unsafe format.pointee.pb = context
    unsafe format.pointee.flags |= AVFMT_FLAG_CUSTOM_IO
  }

  private func read(into bytes: UnsafeMutablePointer<UInt8>, count: Int32) -> Int32 {
    while !Interrupt.isRequested {
      var waiting = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
      let status = unsafe poll(&waiting, 1, Self.pause)
      if status == 0 || status < 0 && errno == EINTR { continue }
      let result = unsafe Glibc.read(descriptor, bytes, Int(count))
      if result < 0, errno == EINTR || errno == EAGAIN { continue }
      return result > 0 ? Int32(result) : cffmpeg_end_of_file()
    }
    return cffmpeg_end_of_file()
  }
}
