// A network and a raw YUYV frame of 160×120 pixels in, the class numbers seen in it out.
import CDas3
import Foundation

let file = try Data(contentsOf: URL(filePath: CommandLine.arguments[2])).prefix(160 * 120 * 2)
let pixels = Data(file) as NSData
var labels = [UInt8](repeating: 255, count: 160 * 120)
var (model, segmenter): (OpaquePointer?, OpaquePointer?) = (nil, nil)
var image = das3_image(data: pixels.bytes, width: 160, height: 120, stride_bytes: 0, format: 7)
let done = labels.withUnsafeMutableBufferPointer { labels in
  var result = das3_segmentation()
  (result.struct_size, result.labels) = (
    UInt32(MemoryLayout.size(ofValue: result)), labels.baseAddress
  )
  return das3_model_load(&model, CommandLine.arguments[1], nil) == DAS3_OK
    && das3_segmenter_create(&segmenter, model, nil) == DAS3_OK
    && das3_segmenter_run(segmenter, &image, &result) == DAS3_OK
}
print(done ? "classes \(Set(labels).sorted())" : String(cString: das3_last_error()))
exit(done ? 0 : 1)
