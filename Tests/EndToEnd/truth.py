"""Runs das3-run evaluate on truth of every kind that data sets have: bits, palettes, suffixes, other
numbers, colours; what has no meaning must be refused with what it is.

    python Tests/EndToEnd/truth.py DAS3_RUN STREET

STREET is examples/street. Prints what it checks and, last, how many checks passed.
"""

import json
import pathlib
import sys
import tempfile

import numpy as np
import onnx
from onnx import TensorProto, helper
from PIL import Image

from client import Checks, Program
from pngs import GRAY, GRAY_ALPHA, PALETTE, RGB, RGB_ALPHA, png


def network(path, classes):
    """Writes a network that sees that many classes in the colour of each pixel."""
    weights = np.random.default_rng(1).standard_normal((classes, 3, 1, 1)).astype(np.float32)
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, "h", "w"])
    scores = helper.make_tensor_value_info("scores", TensorProto.FLOAT, [1, classes, "h", "w"])
    graph = helper.make_graph([helper.make_node("Conv", ["image", "w"], ["scores"])], "pixels", [image], [scores],
                              [onnx.numpy_helper.from_array(weights, "w")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(model, {"input": '{"mean": [0, 0, 0], "std": [1, 1, 1]}'})
    onnx.save(model, path)
    return path


class Truth:
    """Two street frames, and ways to write their truth."""

    def __init__(self, das3, check):
        self.das3, self.check, self.count = das3, check, 0
        self.frames = das3.scratch / "frames"
        self.frames.mkdir()
        self.numbers = {}
        for name in ("street0", "street1"):
            (self.frames / f"{name}.png").write_bytes((das3.frames / f"{name}.png").read_bytes())
            self.numbers[name] = np.asarray(Image.open(das3.truth / f"{name}.png"))
        self.classes = json.loads(das3.run(None, "--json", command="info", input=None).stdout)["classes"]
        self.names = [entry["name"] for entry in self.classes]

    def folder(self, write, name="{}.png"):
        self.count += 1
        folder = self.das3.scratch / f"truth{self.count}"
        folder.mkdir()
        for stem, values in self.numbers.items():
            write(folder / name.format(stem), values)
        return folder

    def evaluate(self, truth, *arguments, frames=None, **options):
        frames = frames or self.frames
        return self.das3.run(None, "--json", *arguments, command="evaluate", input=frames, truth=truth, **options)

    def map(self, **keys):
        self.count += 1
        path = self.das3.scratch / f"map{self.count}.json"
        path.write_text(json.dumps(keys))
        return path

    def same(self, name, truth, expected, *arguments, **options):
        result = self.evaluate(truth, *arguments, **options)
        found = json.loads(result.stdout)["miou"] if result.returncode == 0 else result.stderr
        self.check(f"{name}: the same mIoU", found == expected, f"{found}, {expected}")

    def refused(self, name, truth, *words, **options):
        result = self.evaluate(truth, **options)
        good = result.returncode == 1 and all(word in result.stderr for word in words)
        good = good and len(result.stderr.splitlines()) == 1
        self.check(f"{name}: refused with {', '.join(words)}", good, f"{result.returncode} {result.stderr}")


def kinds(truth, expected):
    for kind, bits in ((GRAY, 16), (GRAY, 4), (PALETTE, 8), (PALETTE, 4), (GRAY_ALPHA, 8), (GRAY_ALPHA, 16),
                       (RGB, 8), (RGB, 16), (RGB_ALPHA, 8), (RGB_ALPHA, 16)):
        folder = truth.folder(lambda path, values: png(path, values, kind, bits))
        truth.same(f"kind {kind}, {bits} bits", folder, expected)
    for bits in (1, 2):
        most = (1 << bits) - 1
        few = truth.folder(lambda path, values: png(path, np.minimum(values, most)))
        wanted = json.loads(truth.evaluate(few).stdout)["miou"]
        for kind in (GRAY, PALETTE):
            folder = truth.folder(lambda path, values: png(path, np.minimum(values, most), kind, bits))
            truth.same(f"kind {kind}, {bits} bits", folder, wanted)


def ignored(truth, expected):
    """Pixels that --ignore names have no truth, as rows or as an image."""
    height, width = next(iter(truth.numbers.values())).shape

    def without(values):
        values = values.copy()
        values[height - 20 :] = 255
        return values

    wanted = json.loads(truth.evaluate(truth.folder(lambda path, values: png(path, without(values)))).stdout)
    truth.check("rows matter", wanted["miou"] != expected, wanted)
    plain = truth.folder(png)
    mask = np.zeros((height, width, 3), np.uint8)
    mask[height - 20 :, :, 1] = 200
    Image.fromarray(mask).save(truth.das3.scratch / "mask.png")
    Image.fromarray(mask[::4, ::4]).save(truth.das3.scratch / "small.png")
    for ignore in (f"{height - 20}-{height - 1}", f"{height - 20}-999", truth.das3.scratch / "mask.png",
                   truth.das3.scratch / "small.png"):
        truth.same(f"--ignore {pathlib.Path(ignore).name}", plain, wanted["miou"], ignore=ignore)
    for ignore, word in ((f"{height}-{height}", f"rows 0 to {height - 1}"), ("9-3", "upper row first"),
                         ("bonnet", "such as 400-479"), (f"0-{height - 1}", "--ignore names it")):
        truth.refused(f"--ignore {ignore}", plain, word, ignore=ignore)


def names(truth, expected):
    for name in ("{}.PNG", "{}_labelIds.png", "{}_L.png", "{}-mask.png", "{}_gtFine_labelTrainIds.png"):
        truth.same(name, truth.folder(png, name), expected)
    city = truth.das3.scratch / "city"
    city.mkdir()
    for stem in truth.numbers:
        (city / f"{stem}_leftImg8bit.png").write_bytes((truth.frames / f"{stem}.png").read_bytes())
    folder = truth.folder(png, "{}_gtFine_labelTrainIds.png")
    truth.same("of _leftImg8bit", folder, expected, frames=city)
    for stem, values in truth.numbers.items():
        png(folder / f"{stem}_gtFine_labelIds.png", values * 2)
    truth.refused("two suffixes", folder, "_gtFine_labelIds", "_gtFine_labelTrainIds", "--truth-suffix")
    truth.same("--truth-suffix", folder, expected, truth_suffix="_gtFine_labelTrainIds")
    # Another frame's truth is none of this one's.
    truth.refused("a number behind", truth.folder(png, "{}_7.png"), "street0 has no truth")


def meaning(truth, expected):
    ids = truth.folder(lambda path, values: png(path, values + 20))
    truth.refused("other numbers", ids, "values outside the 9 classes", "20 (", " %)", "values")
    back = {str(number + 20): name for number, name in enumerate(truth.names)}
    truth.same("mapped by values", ids, expected, class_map=truth.map(values=back))
    truth.refused("some mapped", ids, "beside the 8 values", class_map=truth.map(
        values=dict(list(back.items())[:8])))
    few = dict(list(back.items())[:8]) | {"*": None}
    result = truth.evaluate(ids, class_map=truth.map(values=few))
    found = json.loads(result.stdout or "{}").get("iou", {})
    truth.check("the rest is not counted", result.returncode == 0 and len(found) == 9, result.stderr)
    deep = truth.folder(lambda path, values: png(path, values.astype(np.uint16) * 256 + 3, GRAY, 16))
    truth.refused("instances", deep, "259 (")
    colours = [entry["colour"] for entry in truth.classes]

    def paint(path, values):
        Image.fromarray(np.array(colours, np.uint8)[values]).save(path)

    painted = truth.folder(paint)
    truth.refused("colours", painted, "holds colours", "class map")
    names = {"#%02x%02x%02x" % tuple(colour): name for colour, name in zip(colours, truth.names)}
    truth.same("mapped by colours", painted, expected, class_map=truth.map(colours=names))

    def dye(path, values):
        image = Image.fromarray(values.astype(np.uint8), "P")
        image.putpalette([part for colour in colours for part in colour])
        image.save(path)

    truth.same("a palette by colours", truth.folder(dye), expected, class_map=truth.map(colours=names))
    lacking = dict(list(names.items())[1:])
    truth.refused("a colour that is missing", painted, list(names)[0], class_map=truth.map(colours=lacking))
    void = truth.folder(lambda path, values: png(path, np.where(values == 0, 255, values)))
    truth.check("255 is not counted", truth.evaluate(void).returncode == 0)
    for keys, words in (({"values": {"x": "road"}}, "a number from 0 to 65535"),
                        ({"values": {"7": "lava"}}, "lava"), ({"colours": {"red": "road"}}, "#rrggbb"),
                        ({"classes": ["road", "lava"]}, "lava")):
        truth.refused(f"{keys}", ids, words, class_map=truth.map(**keys))


def other_classes(truth, _):
    """What the numbers look like depends on how many classes there are."""
    city = network(truth.das3.scratch / "city.onnx", 19)
    ids = truth.folder(lambda path, values: png(path, values + 20))
    truth.refused("labelIds", ids, "looks like labelIds of Cityscapes", "values", model=city)
    other = truth.folder(lambda path, values: png(path, values + 60))
    result = truth.evaluate(other, model=city)
    truth.check("others are not", result.returncode == 1 and "labelIds" not in result.stderr, result.stderr)

    two = network(truth.das3.scratch / "two.onnx", 2)
    mask = truth.folder(lambda path, values: png(path, np.where(values > 3, 255, 0)))
    truth.refused("a mask of 0 and 255", mask, "two classes", '{"values": {"0":', model=two)
    names = [entry["name"] for entry in json.loads(
        truth.das3.run(None, "--json", command="info", input=None, model=two).stdout)["classes"]]
    ones = truth.folder(lambda path, values: png(path, np.where(values > 3, 1, 0)))
    wanted = json.loads(truth.evaluate(ones, model=two).stdout)["miou"]
    truth.same("the mask by a class map", mask, wanted, model=two,
               class_map=truth.map(values={"0": names[0], "255": names[1]}))
    void = truth.folder(lambda path, values: png(path, np.where(values > 3, 255, values > 1)))
    truth.check("0, 1 and 255 are clear", truth.evaluate(void, model=two).returncode == 0)


def main(program, street):
    check = Checks()
    with tempfile.TemporaryDirectory() as scratch:
        truth = Truth(Program(program, street, pathlib.Path(scratch)), check)
        expected = json.loads(truth.evaluate(truth.folder(png)).stdout)["miou"]
        for test in (kinds, ignored, names, meaning, other_classes):
            test(truth, expected)
    return check.end()


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve()))
