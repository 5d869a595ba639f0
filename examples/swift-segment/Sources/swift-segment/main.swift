// A network and a PPM image of 160×120 pixels in, the share of each class out.
import CDas3
import Foundation

let (width, height) = (160, 120)
let file = try Data(contentsOf: URL(fileURLWithPath: CommandLine.arguments[2]))
let pixels = [UInt8](file.suffix(width * height * 3))
var labels = [UInt8](repeating: 0, count: width * height)
var (model, segmenter): (OpaquePointer?, OpaquePointer?) = (nil, nil)

let done = pixels.withUnsafeBytes { pixels in
  labels.withUnsafeMutableBufferPointer { labels in
    var image = das3_image(
      data: pixels.baseAddress, width: Int32(width), height: Int32(height), stride_bytes: 0,
      format: Int32(DAS3_FORMAT_RGB8.rawValue))
    var result = das3_segmentation()
    result.struct_size = UInt32(MemoryLayout.size(ofValue: result))
    result.labels = labels.baseAddress
    return das3_model_load(&model, CommandLine.arguments[1], nil) == DAS3_OK
      && das3_segmenter_create(&segmenter, model, nil) == DAS3_OK
      && das3_segmenter_run(segmenter, &image, &result) == DAS3_OK
  }
}
if done {
  for (label, pixels) in Dictionary(grouping: labels, by: \.self).sorted(by: { $0.key < $1.key }) {
    var entry = das3_class()
    entry.struct_size = UInt32(MemoryLayout.size(ofValue: entry))
    das3_model_get_class(model, Int32(label), &entry)
    print("\(100 * pixels.count / labels.count) %", String(cString: entry.name))
  }
} else {
  print("swift-segment:", String(cString: das3_last_error()))
}
das3_segmenter_free(segmenter)
das3_model_free(model)
exit(done ? 0 : 1)
