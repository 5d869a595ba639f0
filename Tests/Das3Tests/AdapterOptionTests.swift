import CDas3
import Das3
import Testing

/// The list that `das3_adapter_options_get` gives.
@Suite("Options of an adapter")
struct AdapterOptionTests {
  private static func option(_ index: Int32) -> das3_option? {
    var option = das3_option()
    option.struct_size = UInt32(MemoryLayout<das3_option>.size)
    return das3_adapter_options_get(index, &option) == DAS3_OK ? option : nil
  }

  private static var all: [das3_option] {
    Array((0..<1000).lazy.map(option).prefix { $0 != nil }.compactMap { $0 })
  }

  @Test("the list has every field of the struct but its size and what is reserved")
  func fields() {
    let fields = Mirror(reflecting: das3_adapter_options()).children.compactMap(\.label)
    let names = Self.all.map { String(cString: $0.name) }
    #expect(names == fields.filter { $0 != "struct_size" && $0 != "reserved" })
  }

  @Test("fields lie one behind the other, with room for nothing but what is reserved")
  func offsets() {
    var end = MemoryLayout<UInt32>.size
    for option in Self.all {
      let isWide = [DAS3_OPTION_UINT64, DAS3_OPTION_DOUBLE, DAS3_OPTION_STRING]
        .contains(das3_option_kind(UInt32(option.kind)))
      let size = isWide ? 8 : 4
      #expect(
        Int(option.offset) == (end + size - 1) / size * size, "\(String(cString: option.name))")
      end = Int(option.offset) + size
    }
    // What is reserved fills the last word.
    #expect((end + 7) / 8 * 8 == MemoryLayout<das3_adapter_options>.size)
  }

  @Test("every option has a meaning that fits a line of a table; choices have their words")
  func texts() {
    for option in Self.all {
      #expect((5...48).contains(String(cString: option.meaning).count), "\(option)")
    }
    let words = Self.all.map { String(cString: $0.words) }.filter { !$0.isEmpty }
    #expect(words.count == 6)
    #expect(words.contains("default|frozen|batch|statistics"))
  }

  @Test("an option is set where the list says that it lies")
  func setByName() throws {
    let option = try #require(Self.all.first { String(cString: $0.name) == "momentum" })
    #expect(String(cString: option.range) == "0 to below 1")
    let adapter = TestAdapter { options in
      withUnsafeMutableBytes(of: &options) { bytes in
        bytes.storeBytes(of: 1.5, toByteOffset: Int(option.offset), as: Double.self)
      }
    }
    #expect(adapter.status == DAS3_E_ARGUMENT)
    #expect(adapter.message.contains("momentum is 1.5; expected 0 to below 1"))
  }

  @Test("what is no option, and no struct, is refused")
  func refused() {
    #expect(Self.option(-1) == nil)
    #expect(Self.option(Int32(Self.all.count)) == nil)
    #expect(lastError().contains("there are \(Self.all.count)"))
    #expect(das3_adapter_options_get(0, nil) == DAS3_E_ARGUMENT)
    #expect(lastError().contains("option is NULL"))
    var option = das3_option()
    #expect(das3_adapter_options_get(0, &option) == DAS3_E_ARGUMENT)
    #expect(lastError().contains("struct_size"))
  }
}
