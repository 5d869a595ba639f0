// Frames of a reader in, the callback by which an adapter reads them out.
import CDas3

/// Reads a frame each time the library asks for it.
@safe
final class FrameFeed {
  /// Why the last read failed.
  private(set) var failure: Failure?

  private let reader: FrameReader
  /// Indices in the reader of the frames that the library may ask for.
  private let indices: [Int]
  private var frame = Frame()
  private let pixels = LentBytes()

  init(_ reader: FrameReader, indices: [Int]) {
    self.reader = reader
    self.indices = indices
  }

  /// The callback for the library; it may be called only while this object lives.
  var source: das3_frame_source {
    var source = unsafe das3_frame_source()
    unsafe source.struct_size = UInt32(MemoryLayout<das3_frame_source>.stride)
    unsafe source.count = Int64(indices.count)
    unsafe source.payload = Unmanaged.passUnretained(self).toOpaque()
    unsafe source.read = { index, image, payload in
      guard let image = unsafe image, let payload = unsafe payload else { return 1 }
      let feed = unsafe Unmanaged<FrameFeed>.fromOpaque(payload).takeUnretainedValue()
      return unsafe feed.read(Int(index), into: image) ? 0 : 1
    }
    return unsafe source
  }

  private func read(_ index: Int, into image: UnsafeMutablePointer<das3_image>) -> Bool {
    do throws(Failure) {
      guard indices.indices.contains(index), try reader.read(indices[index], into: &frame) else {
        throw Failure("\(reader.path): frame \(index) is gone")
      }
    } catch {
      failure = error
      return false
    }
    pixels.fill(frame.pixels)
    unsafe image.pointee = das3_image(frame, pixels: pixels.pointer(to: UInt8.self))
    return true
  }
}
