import Das3Graph

/// Swift objects as the opaque pointers of the C header, and structs across their versions.
///
/// A handle owns one reference: `give` in `_create` and `_load`, `end` in `_free`.
enum Handle {
  static func give(_ object: AnyObject) -> OpaquePointer {
    unsafe OpaquePointer(Unmanaged.passRetained(object).toOpaque())
  }

  /// Lends the object; throws where the pointer is NULL.
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

/// Fills an out parameter with a new object: NULL first, so that a failure leaves NULL.
func create(
  _ out: UnsafeMutablePointer<OpaquePointer?>?, _ body: () throws(Das3Error) -> AnyObject
) throws(Das3Error) {
  guard let out = unsafe out else { throw .argument("out is NULL") }
  unsafe out.pointee = nil
  unsafe out.pointee = Handle.give(try body())
}

/// Structs that start with `struct_size`: how much of them both sides know is copied.
enum VersionedStruct {
  /// The caller's struct over defaults; nil = all defaults.
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

  /// Writes defaults into a struct that holds nothing yet, as much as fits; what this library does
  /// not know of it becomes 0.
  static func fill<Struct>(
    _ pointer: UnsafeMutablePointer<Struct>?, with defaults: Struct, _ structSize: UInt32
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

  /// Writes `value` into the caller's struct, as much as fits; its struct_size stays.
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
