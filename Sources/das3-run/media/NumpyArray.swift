// A .npy file in, its shape and the bytes of its numbers out.
import Foundation

/// A C-ordered array of three dimensions, little-endian float16 or float32.
struct NumpyArray {
  enum Element: String {
    case float16 = "<f2"
    case float32 = "<f4"

    var byteCount: Int { self == .float16 ? 2 : 4 }
  }

  let element: Element
  let shape: [Int]
  let bytes: Data

  private static let magic: [UInt8] = [0x93] + Array("NUMPY".utf8)

  init(path: String) throws(Failure) {
    let file = Data(try SystemFile.read(path))
    // The length of the header takes 2 bytes in version 1 and 4 bytes in later versions.
    let lengthByteCount = file.count > 6 && file[6] > 1 ? 4 : 2
    let headerStart = 8 + lengthByteCount
    guard file.count >= headerStart, file.starts(with: Self.magic) else {
      throw Failure("\(path) is not a .npy file")
    }
    let headerLength = file[8..<headerStart].reversed().bigEndianNumber
    let header = String(decoding: file[headerStart...].prefix(headerLength), as: UTF8.self)
    guard let element = header.firstMatch(of: /'descr': *'([^']*)'/).map({ String($0.1) }),
      let order = header.firstMatch(of: /'fortran_order': *(True|False)/).map({ $0.1 }),
      let sides = header.firstMatch(of: /'shape': *\(([0-9, ]*)\)/).map({ $0.1 })
    else { throw Failure("\(path): the header of this .npy file is damaged") }
    let shape = sides.split(separator: ",").compactMap {
      Int($0.trimmingCharacters(in: .whitespaces))
    }
    guard let element = Element(rawValue: element), order == "False", shape.count == 3 else {
      throw Failure(
        "\(path) holds \(element) \(shape)\(order == "True" ? " in Fortran order" : ""); expected "
          + "classes x height x width of <f4 or <f2")
    }
    bytes = file[headerStart...].dropFirst(headerLength)
    let largest = PixelSize.largestSide
    guard shape.allSatisfy({ (1...largest).contains($0) }),
      bytes.count == shape.reduce(element.byteCount, *)
    else {
      throw Failure("\(path): \(bytes.count) bytes of numbers do not fit its shape \(shape)")
    }
    self.element = element
    self.shape = shape
  }
}
