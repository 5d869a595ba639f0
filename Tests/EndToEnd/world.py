"""What the protocols are tested on: folders as Cityscapes, NTHU Cross-City, GTA5 and SYNTHIA come, a network
that sees colours, and what numpy makes of both."""

import json

import numpy as np
import onnx
from onnx import TensorProto, helper
from PIL import Image

from pngs import GRAY, RGB, png

HEIGHT, WIDTH = 24, 40

# Number, class and colour of what Cityscapes tells apart; no class where it does not count.
CITYSCAPES = [
    (0, None, (0, 0, 0)), (1, None, (0, 0, 0)), (2, None, (0, 0, 0)), (3, None, (0, 0, 0)),
    (4, None, (0, 0, 0)), (5, None, (111, 74, 0)), (6, None, (81, 0, 81)), (7, "road", (128, 64, 128)),
    (8, "sidewalk", (244, 35, 232)), (9, None, (250, 170, 160)), (10, None, (230, 150, 140)),
    (11, "building", (70, 70, 70)), (12, "wall", (102, 102, 156)), (13, "fence", (190, 153, 153)),
    (14, None, (180, 165, 180)), (15, None, (150, 100, 100)), (16, None, (150, 120, 90)),
    (17, "pole", (153, 153, 153)), (18, None, (153, 153, 153)), (19, "traffic light", (250, 170, 30)),
    (20, "traffic sign", (220, 220, 0)), (21, "vegetation", (107, 142, 35)), (22, "terrain", (152, 251, 152)),
    (23, "sky", (70, 130, 180)), (24, "person", (220, 20, 60)), (25, "rider", (255, 0, 0)),
    (26, "car", (0, 0, 142)), (27, "truck", (0, 0, 70)), (28, "bus", (0, 60, 100)), (29, None, (0, 0, 90)),
    (30, None, (0, 0, 110)), (31, "train", (0, 80, 100)), (32, "motorcycle", (0, 0, 230)),
    (33, "bicycle", (119, 11, 32)),
]
NAMES = [name for _, name, _ in CITYSCAPES]
CLASSES = [name for name in NAMES if name]
SIXTEEN = [name for name in CLASSES if name not in ("terrain", "truck", "train")]
THIRTEEN = [name for name in SIXTEEN if name not in ("wall", "fence", "pole")]
# The class of each number of SYNTHIA.
SYNTHIA = [
    None, "sky", "building", "road", "sidewalk", "fence", "vegetation", "pole", "car", "traffic sign", "person",
    "bicycle", "motorcycle", None, None, "traffic light", "terrain", "rider", "truck", "bus", "train", "wall", None,
]
CITIES = ("Rio", "Rome", "Taipei", "Tokyo")
# Protocol: classes, class preset, data set or city.
PROTOCOLS = {
    "gta5-cityscapes": (CLASSES, "cityscapes19", "cityscapes"),
    "synthia-cityscapes": (SIXTEEN, "synthia16", "cityscapes"),
    "synthia13-cityscapes": (THIRTEEN, "synthia13", "cityscapes"),
    **{f"cityscapes-{city.lower()}": (THIRTEEN, "crosscity13", city) for city in CITIES},
}


COLOURS = {name: colour for _, name, colour in CITYSCAPES if name} | {"background": (255, 255, 255)}
SCALE = 1 / 127.5


def network(path, names):
    """Writes a network that takes each pixel for the class whose colour is nearest, but for some error."""
    random = np.random.default_rng(3)
    colours = np.array([COLOURS[name] for name in names]) * SCALE - 1
    both = np.vstack([np.eye(3), -np.eye(3)])  # what is positive and what is negative
    weights = {
        "hidden": both[:, :, None, None], "scale": np.ones(6), "shift": np.zeros(6),
        "mean": random.uniform(-0.05, 0.05, 6), "variance": random.uniform(0.8, 1.2, 6),
        "last": (2 * colours @ both.T)[:, :, None, None], "bias": -(colours**2).sum(1),
    }
    nodes = [
        helper.make_node("Conv", ["image", "hidden"], ["a"]),
        helper.make_node("BatchNormalization", ["a", "scale", "shift", "mean", "variance"], ["b"], epsilon=1e-5),
        helper.make_node("Relu", ["b"], ["c"]), helper.make_node("Conv", ["c", "last", "bias"], ["scores"]),
    ]
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, "h", "w"])
    scores = helper.make_tensor_value_info("scores", TensorProto.FLOAT, [1, len(names), "h", "w"])
    tensors = [onnx.numpy_helper.from_array(value.astype(np.float32), name) for name, value in weights.items()]
    graph = helper.make_graph(nodes, "pixels", [image], [scores], tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    given = {"colour_order": "rgb", "scale": SCALE, "mean": [1, 1, 1], "std": [1, 1, 1]}
    helper.set_model_props(model, {"input": json.dumps(given)})
    onnx.save(model, path)
    return path


def labels(model, picture, names, wanted):
    """The class of each pixel, an index of `wanted`, by the network's file; its classes are `names`."""
    tensors = onnx.load(model).graph.initializer
    w = {tensor.name: onnx.numpy_helper.to_array(tensor).astype(np.float64) for tensor in tensors}
    x = picture.astype(np.float64) * SCALE - 1
    x = x @ w["hidden"][:, :, 0, 0].T
    x = (x - w["mean"]) / np.sqrt(w["variance"] + 1e-5) * w["scale"] + w["shift"]
    x = np.maximum(x, 0) @ w["last"][:, :, 0, 0].T + w["bias"]
    return x[:, :, [names.index(name) for name in wanted]].argmax(axis=2)


def scores(model, frames, names, wanted):
    """IoU in percent of each class over all frames, pairs of a picture and the classes' names."""
    counts = np.zeros((len(wanted), len(wanted)), np.int64)
    for picture, truth in frames:
        found = labels(model, picture, names, wanted)
        index = {name: number for number, name in enumerate(wanted)}
        expected = np.array([[index.get(name, -1) for name in row] for row in truth])
        np.add.at(counts, (expected[expected >= 0], found[expected >= 0]), 1)
    union = counts.sum(0) + counts.sum(1) - counts.diagonal()
    return {
        name: 100 * counts[i, i] / union[i] if union[i] else None for i, name in enumerate(wanted)
    }


def mean(values):
    values = [value for value in values if value is not None]
    return sum(values) / len(values)


def named(numbers, names=NAMES):
    return np.array(names, object)[numbers]


class World:
    """Folders as the data sets come: random labels, and frames with their colours and much noise."""

    def __init__(self, folder):
        self.folder, self.random = folder, np.random.default_rng(5)
        self.cityscapes_frames = self.cityscapes(folder / "Cityscapes")
        self.cities = folder / "NTHU_Datasets"
        self.city_frames = {city: self.cross_city(self.cities / city) for city in CITIES}
        self.gta5_frames = self.gta5(folder / "GTA5")
        self.synthia_frames = self.synthia(folder / "RAND_CITYSCAPES")

    def frame(self, names):
        """A picture and its numbers, whose classes are `names`."""
        numbers = self.random.integers(0, len(names), (HEIGHT, WIDTH), np.uint8)
        colours = np.array([COLOURS.get(name, (127, 127, 127)) for name in names])[numbers]
        noise = self.random.normal(0, 20, colours.shape)
        return (colours + noise).clip(0, 255).astype(np.uint8), numbers

    def cityscapes(self, root):
        found = []
        cities = {"train": ["aachen", "bochum"], "val": ["frankfurt", "lindau"], "test": ["berlin"]}
        for split, city in ((split, city) for split, names in cities.items() for city in names):
            frames, truth = root / "leftImg8bit" / split / city, root / "gtFine" / split / city
            frames.mkdir(parents=True)
            truth.mkdir(parents=True)
            for number in range(3):
                stem = f"{city}_{number:06}_000019"
                picture, numbers = self.frame(NAMES)
                Image.fromarray(picture).save(frames / f"{stem}_leftImg8bit.png")
                png(truth / f"{stem}_gtFine_labelIds.png", numbers)
                png(truth / f"{stem}_gtFine_instanceIds.png", instances(numbers), GRAY, 16)
                colours = np.array([colour for _, _, colour in CITYSCAPES], np.uint8)[numbers]
                alpha = np.full((HEIGHT, WIDTH, 1), 255, np.uint8)
                Image.fromarray(np.dstack([colours, alpha])).save(truth / f"{stem}_gtFine_color.png")
                (truth / f"{stem}_gtFine_polygons.json").write_text("{}")
                if split == "val":
                    found.append((picture, numbers))
        return found

    def cross_city(self, root):
        for folder in ("Images/Train", "Images/Test", "Labels/Test"):
            (root / folder).mkdir(parents=True)
        found = []
        for number in range(4):
            Image.fromarray(self.frame(NAMES)[0]).save(root / "Images/Train" / f"pano_{number:05}_0_100.jpg")
            picture, numbers = self.frame(NAMES)
            Image.fromarray(picture).save(root / "Images/Test" / f"pano_{number:05}_1_200.png")
            png(root / "Labels/Test" / f"pano_{number:05}_1_200_eval.png", numbers)
            found.append((picture, numbers))
        return found

    def gta5(self, root):
        found = []
        for folder in ("images", "labels"):
            (root / folder).mkdir(parents=True)
        for number in range(1, 4):
            picture, numbers = self.frame(NAMES + [None])
            Image.fromarray(picture).save(root / "images" / f"{number:05}.png")
            image = Image.fromarray(numbers, "P")
            colours = [colour for _, _, colour in CITYSCAPES] + [(0, 0, 142)]
            image.putpalette([part for colour in colours for part in colour])
            image.save(root / "labels" / f"{number:05}.png")
            found.append((picture, numbers))
        return found

    def synthia(self, root):
        found = []
        for folder in ("RGB", "GT/LABELS"):
            (root / folder).mkdir(parents=True)
        for number in range(3):
            picture, numbers = self.frame(SYNTHIA)
            instance = self.random.integers(0, 5000, (HEIGHT, WIDTH))
            Image.fromarray(picture).save(root / "RGB" / f"{number:07}.png")
            channels = np.dstack([numbers, instance, np.zeros_like(instance)])
            png(root / "GT/LABELS" / f"{number:07}.png", channels, RGB, 16)
            found.append((picture, numbers))
        return found

    def protocol(self, name):
        """Folder of the data set; the frames that are measured, with the names of their classes."""
        data = PROTOCOLS[name][2]
        frames = self.cityscapes_frames if data == "cityscapes" else self.city_frames[data]
        folder = self.folder / "Cityscapes" if data == "cityscapes" else self.cities
        return folder, [(picture, named(numbers)) for picture, numbers in frames]


def instances(numbers):
    """As Cityscapes numbers what can be counted: 1000 times the class, and which one."""
    return np.where(numbers >= 24, numbers.astype(np.uint16) * 1000 + 2, numbers)
