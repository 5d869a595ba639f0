import CDas3
import Das3
import Testing

/// What the loaded library says of itself.
@Suite("Version")
struct VersionTests {
  @Test("the ABI number is the header's")
  func abi() { #expect(das3_abi_version() == UInt32(DAS3_ABI_VERSION)) }

  @Test("the version is the header's")
  func version() {
    let expected = "\(DAS3_VERSION_MAJOR).\(DAS3_VERSION_MINOR).\(DAS3_VERSION_PATCH)"
    #expect(das3_version().map { String(cString: $0) } == expected)
  }

  @Test("every status has its name, any other number is unknown")
  func statusNames() {
    let names: [Int32: String] = [
      0: "DAS3_OK", -1: "DAS3_E_ARGUMENT", -2: "DAS3_E_SHAPE", -3: "DAS3_E_MEMORY",
      -4: "DAS3_E_IO", -5: "DAS3_E_FORMAT", -6: "DAS3_E_UNSUPPORTED", -7: "DAS3_E_LIMIT",
      -8: "DAS3_E_CANCELLED", -9: "DAS3_E_INTERNAL",
    ]
    for (status, name) in names {
      #expect(das3_status_name(status).map { String(cString: $0) } == name)
    }
    for status in [1, -10, Int32.min, Int32.max] {
      #expect(das3_status_name(status).map { String(cString: $0) } == "unknown")
    }
  }
}
