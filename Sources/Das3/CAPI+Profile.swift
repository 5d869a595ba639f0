import CDas3
import Das3Graph

@c @implementation
public func das3_segmenter_set_profile(_ segmenter: OpaquePointer?, _ isOn: Int32) -> das3_status {
  unsafe status(of: segmenter, "segmenter") { (object: SegmenterObject) throws(Das3Error) in
    object.segmenter.isProfiled = isOn != 0
  }
}

@c @implementation
public func das3_segmenter_get_profile(
  _ segmenter: OpaquePointer?, _ json: UnsafeMutablePointer<UnsafePointer<CChar>?>?
) -> das3_status {
  unsafe status(of: segmenter, "segmenter") { (object: SegmenterObject) throws(Das3Error) in
    object.profile = try unsafe lend(
      object.segmenter.profileText, to: json,
      missing: "nothing was measured: call das3_segmenter_set_profile, then label a frame")
  }
}

@c @implementation
public func das3_adapter_set_profile(_ adapter: OpaquePointer?, _ isOn: Int32) -> das3_status {
  unsafe perform(adapter) { object throws(Das3Error) in object.isProfiled = isOn != 0 }
}

@c @implementation
public func das3_adapter_get_profile(
  _ adapter: OpaquePointer?, _ json: UnsafeMutablePointer<UnsafePointer<CChar>?>?
) -> das3_status {
  unsafe perform(adapter, alsoInReports: true) { object throws(Das3Error) in
    object.profile = try unsafe lend(
      object.profileText, to: json,
      missing: "nothing was measured: call das3_adapter_set_profile, then take a step")
  }
}

/// Lends the caller a text.
///
/// - Returns: what holds it, and must live as long as the caller may read it.
/// - Throws: `.argument` where there is no text or nowhere to put it.
private func lend(
  _ text: String?, to json: UnsafeMutablePointer<UnsafePointer<CChar>?>?, missing: String
) throws(Das3Error) -> CString {
  guard let json = unsafe json else { throw .argument("json is NULL") }
  guard let text else { throw .argument(missing) }
  let held = CString(text)
  unsafe json.pointee = unsafe held.start
  return held
}
