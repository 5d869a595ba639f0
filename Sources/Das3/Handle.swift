import CDas3
import Das3Graph

/// Turns Swift objects into the opaque pointers of the C header, and back.
///
/// A handle owns one reference. `_create` and `_load` make it with `give`; `_free` ends it with `end`.
enum Handle {
  static func give(_ object: AnyObject) -> OpaquePointer {
    unsafe OpaquePointer(Unmanaged.passRetained(object).toOpaque())
  }

  /// Returns the object of a handle.
  ///
  /// - Throws: `.argument` if the handle is NULL.
  static func lend<Object: AnyObject>(
    _ handle: OpaquePointer?, as type: Object.Type, _ name: String
  ) throws(Das3Error) -> Object {
    guard let handle = unsafe handle else { throw .argument("\(name) is NULL") }
    return unsafe Unmanaged<Object>.fromOpaque(UnsafeRawPointer(handle)).takeUnretainedValue()
  }

  static func end<Object: AnyObject>(_ handle: OpaquePointer?, as type: Object.Type) {
    guard let handle = unsafe handle else { return }
    unsafe Unmanaged<Object>.fromOpaque(UnsafeRawPointer(handle)).release()
  }
}

/// The body of a C function that uses the object behind a handle.
func status<Object: AnyObject>(
  of handle: OpaquePointer?, _ name: String, _ body: (Object) throws(Das3Error) -> Void
) -> das3_status {
  status { () throws(Das3Error) in
    try unsafe body(Handle.lend(handle, as: Object.self, name))
  }
}

/// The body of a C function that makes an object.
///
/// `out` receives the handle, or NULL after a failure.
func status(
  creating out: UnsafeMutablePointer<OpaquePointer?>?,
  _ body: () throws(Das3Error) -> AnyObject
) -> das3_status {
  unsafe out?.pointee = nil
  return status { () throws(Das3Error) in
    guard let out = unsafe out else { throw .argument("out is NULL") }
    unsafe out.pointee = Handle.give(try body())
  }
}

/// Reads and writes structs that start with `struct_size`.
///
/// The caller may know an older or a newer version of the struct. Only the fields that both sides
/// know are copied.
enum VersionedStruct {
  /// Returns the caller's struct, with the defaults for all fields that it lacks; nil lacks all.
  static func read<Struct>(
    _ pointer: UnsafePointer<Struct>?, defaults: Struct, _ name: String
  ) throws(Das3Error) -> Struct {
    guard let pointer = unsafe pointer else { return defaults }
    let size = try unsafe size(UnsafeRawPointer(pointer), name)
    var result = defaults
    unsafe withUnsafeMutableBytes(of: &result) { bytes in
      unsafe bytes.copyMemory(
        from: UnsafeRawBufferPointer(start: pointer, count: min(size, bytes.count)))
    }
    return result
  }

  /// Writes the defaults that fit, and `structSize`, into a struct of the caller.
  ///
  /// The content of the struct is not read. Fields that this library does not know become 0.
  static func fill<Struct>(
    _ pointer: UnsafeMutablePointer<Struct>?, with defaults: Struct,
    _ structSize: UInt32 = UInt32(MemoryLayout<Struct>.size)
  ) {
    guard let pointer = unsafe pointer else { return }
    let target = unsafe UnsafeMutableRawBufferPointer(start: pointer, count: Int(structSize))
    unsafe target.initializeMemory(as: UInt8.self, repeating: 0)
    unsafe withUnsafeBytes(of: defaults) { bytes in
      unsafe target.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes.prefix(target.count)))
    }
    guard target.count >= MemoryLayout<UInt32>.size else { return }
    unsafe target.storeBytes(of: structSize, as: UInt32.self)
  }

  /// Writes the fields of `value` that fit into the caller's struct, whose struct_size stays.
  static func write<Struct>(
    _ value: Struct, to pointer: UnsafeMutablePointer<Struct>?, _ name: String
  ) throws(Das3Error) {
    guard let pointer = unsafe pointer else { throw .argument("\(name) is NULL") }
    let size = try unsafe size(UnsafeRawPointer(pointer), name)
    unsafe withUnsafeBytes(of: value) { bytes in
      let start = MemoryLayout<UInt32>.size
      guard size > start else { return }
      unsafe UnsafeMutableRawPointer(pointer).advanced(by: start).copyMemory(
        from: bytes.baseAddress.unsafelyUnwrapped + start,
        byteCount: min(size, bytes.count) - start)
    }
  }

  private static func size(_ pointer: UnsafeRawPointer, _ name: String) throws(Das3Error) -> Int {
    let size = Int(unsafe pointer.loadUnaligned(as: UInt32.self))
    guard (4...Int(UInt16.max)).contains(size) else {
      throw .argument("\(name).struct_size is \(size); expected sizeof the struct")
    }
    return size
  }
}
