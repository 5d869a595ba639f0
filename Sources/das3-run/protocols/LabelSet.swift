// The name of a labelling in, the class of each of its numbers or colours out.

/// How the PNGs of a public data set write down classes, by a name that `--class-map` takes.
struct LabelSet {
  let name: String
  /// What such PNGs are, for the help.
  let files: String
  /// What their names end in, before ".png"; "" where they are called as the frames.
  let ending: String
  let pixels: PixelKind
  /// The class of each number or colour; nil = not counted.
  let classes: [UInt32: String?]

  private init(
    _ name: String, files: String, ending: String = "", pixels: PixelKind = .number,
    _ classes: [(value: UInt32, name: String?)]
  ) {
    self.name = name
    self.files = files
    self.ending = ending
    self.pixels = pixels
    // A colour may stand for a class and for something that is none: Cityscapes paints groups of
    // poles as poles.
    self.classes = Dictionary(classes.map { ($0.value, $0.name) }) { $0 ?? $1 }
  }

  init?(named name: String) {
    guard let match = Self.all.first(where: { $0.name == name }) else { return nil }
    self = match
  }

  static let all = [cityscapesIds, cityscapesTrainIds, cityscapesColours, crossCity, gta5, synthia]

  /// The classes of Cityscapes, by the numbers that it trains with.
  static let cityscapesClasses = cityscapes.compactMap(\.name)

  static let cityscapesIds = LabelSet(
    "cityscapes-ids", files: "*_labelIds.png of Cityscapes, and what is numbered so",
    ending: "_labelIds", numbered(cityscapes.map(\.name)))

  static let crossCity = LabelSet(
    "crosscity-ids", files: "*_eval.png of Cross-City, with numbers of Cityscapes",
    ending: "_eval", numbered(cityscapes.map(\.name)))

  private static let cityscapesTrainIds = LabelSet(
    "cityscapes-trainids", files: "*_labelTrainIds.png of Cityscapes: 0 to 18",
    ending: "_labelTrainIds", numbered(cityscapesClasses))

  private static let cityscapesColours = LabelSet(
    "cityscapes-colours", files: "*_color.png of Cityscapes, and what is painted so",
    ending: "_color", pixels: .colour, cityscapes.map { ($0.colour, $0.name) })

  /// Those of Cityscapes, and 34, a licence plate.
  private static let gta5 = LabelSet(
    "gta5-ids", files: "labels/*.png of GTA5 (Playing for Data): palette indices",
    numbered(cityscapes.map(\.name) + [nil]))

  /// The third channel is empty.
  private static let synthia = LabelSet(
    "synthia-ids",
    files: "GT/LABELS/*.png of SYNTHIA: 16 bits, class and instance", pixels: .channel(0),
    numbered([
      nil, "sky", "building", "road", "sidewalk", "fence", "vegetation", "pole", "car",
      "traffic sign", "person", "bicycle", "motorcycle", nil, nil, "traffic light", "terrain",
      "rider", "truck", "bus", "train", "wall", nil,
    ]))

  private static func numbered(_ names: [String?]) -> [(value: UInt32, name: String?)] {
    names.enumerated().map { (UInt32($0), $1) }
  }

  /// The labels of Cityscapes, by number; nil = not a class that counts.
  private static let cityscapes: [(name: String?, colour: UInt32)] = [
    (nil, 0x000000), (nil, 0x000000), (nil, 0x000000), (nil, 0x000000), (nil, 0x000000),
    (nil, 0x6F4A00), (nil, 0x510051), ("road", 0x804080), ("sidewalk", 0xF423E8),
    (nil, 0xFAAAA0), (nil, 0xE6968C), ("building", 0x464646), ("wall", 0x66669C),
    ("fence", 0xBE9999), (nil, 0xB4A5B4), (nil, 0x966464), (nil, 0x96785A), ("pole", 0x999999),
    (nil, 0x999999), ("traffic light", 0xFAAA1E), ("traffic sign", 0xDCDC00),
    ("vegetation", 0x6B8E23), ("terrain", 0x98FB98), ("sky", 0x4682B4), ("person", 0xDC143C),
    ("rider", 0xFF0000), ("car", 0x00008E), ("truck", 0x000046), ("bus", 0x003C64),
    (nil, 0x00005A), (nil, 0x00006E), ("train", 0x005064), ("motorcycle", 0x0000E6),
    ("bicycle", 0x770B20),
  ]
}
