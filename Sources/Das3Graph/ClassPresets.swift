/// The class lists of public data sets by name, with the colours of these data sets.
package enum ClassPresets {
  private static let cityscapes: [(String, [UInt8])] = [
    ("road", [128, 64, 128]), ("sidewalk", [244, 35, 232]), ("building", [70, 70, 70]),
    ("wall", [102, 102, 156]), ("fence", [190, 153, 153]), ("pole", [153, 153, 153]),
    ("traffic light", [250, 170, 30]), ("traffic sign", [220, 220, 0]),
    ("vegetation", [107, 142, 35]), ("terrain", [152, 251, 152]), ("sky", [70, 130, 180]),
    ("person", [220, 20, 60]), ("rider", [255, 0, 0]), ("car", [0, 0, 142]),
    ("truck", [0, 0, 70]), ("bus", [0, 60, 100]), ("train", [0, 80, 100]),
    ("motorcycle", [0, 0, 230]), ("bicycle", [119, 11, 32]),
  ]
  private static let camvid: [(String, [UInt8])] = [
    ("Sky", [128, 128, 128]), ("Building", [128, 0, 0]), ("Pole", [192, 192, 128]),
    ("Road", [128, 64, 128]), ("Pavement", [60, 40, 222]), ("Tree", [128, 128, 0]),
    ("SignSymbol", [192, 128, 128]), ("Fence", [64, 64, 128]), ("Car", [64, 0, 128]),
    ("Pedestrian", [64, 64, 0]), ("Bicyclist", [0, 128, 192]),
  ]

  /// The list as metadata, or nil for an unknown name.
  package static func json(named name: String) -> [String: Json]? {
    let list: [(String, [UInt8])]
    switch name {
    case "cityscapes19": list = cityscapes
    // SYNTHIA lacks terrain, truck and train; 13 also leaves out wall, fence and pole.
    case "synthia16": list = without(["terrain", "truck", "train"])
    case "synthia13": list = without(["terrain", "truck", "train", "wall", "fence", "pole"])
    case "crosscity13":
      list = without(["wall", "fence", "pole", "terrain", "truck", "train"])
    case "camvid11": list = camvid
    default: return nil
    }
    return [
      "classes": .array(list.map { .string($0.0) }),
      "colours": .array(list.map { .array($0.1.map { .number(Double($0)) }) }),
    ]
  }

  private static func without(_ names: Set<String>) -> [(String, [UInt8])] {
    cityscapes.filter { !names.contains($0.0) }
  }
}
