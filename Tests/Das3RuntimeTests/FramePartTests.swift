import Das3Graph
import Das3Runtime
import Testing

@Suite("Parts of frames")
struct FramePartTests {
  @Test("a part is whole pixels, at least one, within the picture")
  func pixels() {
    let part = FramePart.Extent(start: 0.4, end: 1)
    #expect(part.pixels(of: 10) == 4..<10)
    #expect(part.pixels(of: 1) == 0..<1)
    #expect(FramePart.Extent(start: 0.3, end: 0.31).pixels(of: 7) == 2..<3)
    #expect(FramePart.whole.rows.pixels(of: 33) == 0..<33)
  }

  @Test("the nearest pixels of a part, of one byte or several")
  func nearest() {
    let map = (0..<24).map { UInt8($0) }
    let part = FramePart(rows: .init(start: 0.5, end: 1), columns: .init(start: 0, end: 0.5))
    #expect(
      part.nearest(of: map, height: 4, width: 6, newHeight: 2, newWidth: 3)
        == [12, 13, 14, 18, 19, 20])
    #expect(
      part.nearest(of: map, height: 4, width: 6, newHeight: 2, newWidth: 6)
        == [12, 12, 13, 13, 14, 14, 18, 18, 19, 19, 20, 20])
    #expect(
      part.nearest(of: map, height: 4, width: 3, pixelBytes: 2, newHeight: 1, newWidth: 1)
        == [20, 21])
    #expect(FramePart.whole.nearest(of: map, height: 4, width: 6, newHeight: 4, newWidth: 6) == map)
  }

  @Test("enlarged parts, laid together, give the picture that they are of", arguments: [1, 3])
  func zoomed(threads: Int) throws {
    // A linear ramp stays what it is when it is enlarged and reduced, but for the borders.
    let (height, width, classCount) = (20, 30, 3)
    func value(_ y: Double, _ x: Double, _ c: Int) -> Double { y * 0.5 + x * 0.25 + Double(c) }
    let zoomed = try ZoomedParts([1, classCount, height, width])
    let enlarged = try Arena(elementCount: classCount * height * width)
    for round in 0..<2 {
      zoomed.clear()
      for part in ZoomedParts.parts {
        let (rows, columns) = (part.rows.pixels(of: height), part.columns.pixels(of: width))
        var values: [Float] = []
        for y in 0..<height {
          for x in 0..<width {
            let row = Double(rows.lowerBound) + (Double(y) + 0.5) * Double(rows.count) / 20 - 0.5
            let column =
              Double(columns.lowerBound) + (Double(x) + 0.5) * Double(columns.count) / 30 - 0.5
            values += (0..<classCount).map { Float(value(row, column, $0)) }
          }
        }
        enlarged.fill(values)
        zoomed.add(enlarged, at: part, threads: threads)
      }
      for y in 0..<height {
        for x in 0..<width {
          for c in 0..<classCount {
            let found = zoomed.pointer[(y * width + x) * classCount + c]
            #expect(
              abs(Double(found) - value(Double(y), Double(x), c)) < 1e-4, "\(round) \(y) \(x)")
          }
        }
      }
    }
  }
}
