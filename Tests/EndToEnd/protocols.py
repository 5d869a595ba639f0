"""Runs the protocols of the literature on small folders that lie as the data sets come, and compares
every IoU with what numpy makes of the same network and truth.

    python Tests/EndToEnd/protocols.py DAS3_RUN STREET

STREET is examples/street. Prints what it checks and, last, how many checks passed.
"""

import json
import pathlib
import shutil
import sys
import tempfile

import numpy as np
from PIL import Image

from client import Checks, Program, rubbish
from pngs import GRAY, GRAY_ALPHA, RGB, RGB_ALPHA, png
from world import (
    CITYSCAPES, CLASSES, HEIGHT, NAMES, PROTOCOLS, SIXTEEN, SYNTHIA, THIRTEEN, WIDTH, World, labels, mean, named,
    network, scores,
)


def is_near(found, expected):
    """Whether a printed value, of two decimals, is this one."""
    return found == expected or None not in (found, expected) and abs(found - expected) < 0.00501


class Tests:
    def __init__(self, das3, check):
        self.das3, self.check = das3, check
        self.world = World(das3.scratch)
        self.models = {
            len(names): network(das3.scratch / f"{len(names)}.onnx", names)
            for names in (THIRTEEN, SIXTEEN, CLASSES, CLASSES + ["background"])
        }

    def model(self, name):
        return self.models[len(PROTOCOLS[name][0])]

    def evaluate(self, *arguments, **options):
        """The result, or what was said."""
        result = self.das3.run(None, "--json", *arguments, **options | {"command": "evaluate"})
        return json.loads(result.stdout) if result.returncode == 0 else result.stderr

    def same(self, what, found, expected, thirteen=False):
        """Every value that was printed must be that of numpy."""
        if isinstance(found, str):
            return self.check(what, False, found)
        good = list(found["iou"]) == list(expected)
        good = good and all(is_near(found["iou"][name], value) for name, value in expected.items())
        good = good and is_near(found["miou"], mean(expected.values()))
        wanted = mean([expected[name] for name in THIRTEEN]) if thirteen else None
        good = good and is_near(found.get("miou13"), wanted)
        self.check(f"{what}: mIoU {mean(expected.values()):.2f}", good, f"{found}, {expected}")

    def bad(self, code, words, *arguments, **options):
        rubbish(self.das3, self.check, code, words, *arguments, **({"output": None} | options))

    def evaluated(self):
        for name, (classes, preset, _) in PROTOCOLS.items():
            folder, frames = self.world.protocol(name)
            found = self.evaluate(model=self.model(name), class_preset=preset, input=folder, protocol=name)
            expected = scores(self.model(name), frames, classes, classes)
            self.same(name, found, expected, thirteen=name == "synthia-cityscapes")
            if isinstance(found, dict):
                self.check(f"{name}: all frames", found["frames"] == len(frames), found["frames"])
        folder, frames = self.world.protocol("synthia-cityscapes")
        names = CLASSES + ["background"]
        (self.das3.scratch / "20.json").write_text(json.dumps({"classes": names}))
        for name in ("gta5-cityscapes", "synthia-cityscapes", "synthia13-cityscapes"):
            classes = PROTOCOLS[name][0]
            found = self.evaluate(model=self.models[20], input=folder, protocol=name)
            expected = scores(self.models[20], frames, names, classes)
            self.same(f"{name} of 20 classes", found, expected, thirteen=name == "synthia-cityscapes")

    def adapted(self):
        for name in ("gta5-cityscapes", "synthia-cityscapes", "cityscapes-rome"):
            classes, preset, data = PROTOCOLS[name]
            folder, frames = self.world.protocol(name)
            output = self.das3.scratch / f"{name}.onnx"
            options = {"model": self.model(name), "class_preset": preset, "input": folder, "protocol": name}
            events = self.das3.events(output, method="bn", **options)
            measured = [event for event in events if event["event"] == "evaluation"]
            thirteen = name == "synthia-cityscapes"
            before = scores(self.model(name), frames, classes, classes)
            after = scores(output, frames, classes, classes)
            self.same(f"{name} before", measured[0], before, thirteen)
            self.same(f"{name} after", measured[-1], after, thirteen)
            self.check(f"{name}: labels have changed", before != after)
            last, count = events[-1], 6 if data == "cityscapes" else 4
            good = last["protocol"] == name and last["frames"] == count
            self.check(f"{name}: from {count} frames", good, last)
        folder, _ = self.world.protocol("synthia-cityscapes")
        options = {"model": self.models[16], "class_preset": "synthia16", "input": folder, "steps": "a=1,b=1,c=1"}
        report, strips = self.das3.scratch / "report", self.das3.scratch / "strips"
        result = self.das3.run(self.das3.scratch / "auto.onnx", protocol="synthia-cityscapes", method="auto",
                               report=report, strip=strips, **options)
        good = result.returncode in (0, 3) and "mIoU13" in result.stdout and (report / "index.html").exists()
        self.check("auto: a table with both means, and a page", good, result.stderr + result.stdout)
        names = sorted(str(path.relative_to(strips)) for path in strips.rglob("*.png"))
        good = len(names) == 4 and names[0].startswith("frankfurt/frankfurt_0")
        self.check("strips lie as the frames do", good, names)

    def missing(self):
        folder, _ = self.world.protocol("gta5-cityscapes")
        options = {"model": self.models[19], "class_preset": "cityscapes19", "command": "evaluate"}
        for part in ("leftImg8bit/train", "leftImg8bit/val", "gtFine/val"):
            data = self.das3.scratch / f"without-{part.replace('/', '-')}"
            shutil.copytree(folder, data)
            shutil.rmtree(data / part)
            if part == "leftImg8bit/train":
                found = self.evaluate(input=data, protocol="gta5-cityscapes", **options)
                self.check("evaluate needs no frames of training", isinstance(found, dict), found)
            else:
                self.bad(1, f"{data / part}: no such directory", input=data, protocol="gta5-cityscapes", **options)
            self.bad(1, "cityscapes-dataset.com", input=data, protocol="gta5-cityscapes",
                     **options | {"command": "adapt", "output": self.das3.scratch / "rubbish.onnx"})
        self.bad(1, "yihsinchen", input=self.world.cities / "Rio", protocol="cityscapes-rio",
                 **options | {"model": self.models[13], "class_preset": "crosscity13"})
        data = self.das3.scratch / "lost"
        shutil.copytree(folder, data)
        next(data.glob("gtFine/val/*/*_labelIds.png")).unlink()
        self.bad(1, "has no truth: expected", input=data, protocol="gta5-cityscapes", **options)
        self.bad(1, "lacks \"fence\", \"pole\", \"wall\"", input=folder, protocol="synthia-cityscapes",
                 **options | {"model": self.models[13], "class_preset": "synthia13"})
        self.bad(2, "'gta5' is invalid for '--protocol <name>'", input=folder, protocol="gta5", **options)
        self.bad(2, "'--truth' is what '--protocol gta5-cityscapes' says", input=folder, truth=folder,
                 protocol="gta5-cityscapes", **options)
        self.bad(2, "the truth is missing", input=folder, **options)
        self.bad(2, "'--val' is what '--protocol", input=folder, val=folder, protocol="gta5-cityscapes",
                 **options | {"command": "adapt", "output": self.das3.scratch / "rubbish.onnx"})

    def class_maps(self):
        cityscapes = self.das3.scratch / "Cityscapes"
        city = {"input": cityscapes / "leftImg8bit/val", "truth": cityscapes / "gtFine/val"}
        frames = self.world.cityscapes_frames
        options = {"model": self.models[19], "class_preset": "cityscapes19"}

        def compare(what, frames, names, count=19, **more):
            presets = {19: CLASSES, 16: SIXTEEN, 13: THIRTEEN}
            found = self.evaluate(model=self.models[count], **more)
            shown = [(picture, named(numbers, names)) for picture, numbers in frames]
            self.same(what, found, scores(self.models[count], shown, presets[count], presets[count]))

        compare("labelIds", frames, NAMES, class_map="cityscapes-ids", class_preset="cityscapes19", **city)
        compare("labelIds, 16 classes", frames, NAMES, 16, class_map="cityscapes-ids", class_preset="synthia16", **city)
        # Their colour is that of poles.
        painted = ["pole" if number == 18 else name for number, name, _ in CITYSCAPES]
        compare("colours", frames, painted, class_map="cityscapes-colours", class_preset="cityscapes19", **city)
        self.bad(1, "may be *_gtFine_color.png", command="evaluate", **options, **city)
        self.bad(1, "looks like labelIds of Cityscapes", command="evaluate", truth_suffix="_gtFine_labelIds",
                 **options, **city)
        self.bad(1, "a name of cityscapes-colours", command="evaluate", truth_suffix="_gtFine_color",
                 class_map="cityscapes-ids", **options, **city)
        self.bad(1, "looks like instanceIds of Cityscapes", command="evaluate",
                 truth_suffix="_gtFine_instanceIds", class_map="cityscapes-ids", **options, **city)
        self.bad(1, "or one of cityscapes-ids", command="evaluate",
                 class_map="cityscapes", **options, **city)
        self.bad(1, "has none of the classes", command="evaluate", class_map="cityscapes-ids",
                 model=self.models[19], **city)

        trained = self.das3.scratch / "trained"
        for path in sorted((cityscapes / "leftImg8bit/val").glob("*/*.png")):
            stem = path.name.replace("_leftImg8bit.png", "")
            numbers = np.asarray(Image.open(cityscapes / "gtFine/val" / path.parent.name / f"{stem}_gtFine_labelIds.png"))
            index = np.array([CLASSES.index(name) if name else 255 for name in NAMES], np.uint8)
            folder = trained / path.parent.name
            folder.mkdir(parents=True, exist_ok=True)
            png(folder / f"{stem}_gtFine_labelTrainIds.png", index[numbers])
        other = city | {"truth": trained}
        compare("trainIds", frames, NAMES, class_preset="cityscapes19", **other)
        compare("trainIds, 13 classes", frames, NAMES, 13, class_map="cityscapes-trainids",
                class_preset="synthia13", **other)
        self.bad(1, "a name of cityscapes-trainids", command="evaluate", class_map="cityscapes-ids", **options, **other)
        self.bad(1, "a name of cityscapes-trainids", command="evaluate", class_map="gta5-cityscapes",
                 **options, **other)

        game = {"input": self.das3.scratch / "GTA5/images", "truth": self.das3.scratch / "GTA5/labels"}
        compare("GTA5, palette indices", self.world.gta5_frames, NAMES + [None], class_map="gta5-ids",
                class_preset="cityscapes19", **game)
        compare("GTA5, palette colours", self.world.gta5_frames, painted + ["car"],
                class_map="cityscapes-colours", class_preset="cityscapes19", **game)
        self.bad(1, "beside the 34 values of cityscapes-ids: 34 (", command="evaluate",
                 class_map="cityscapes-ids", **options, **game)
        rome = {"input": self.world.cities / "Rome/Images/Test", "truth": self.world.cities / "Rome/Labels/Test"}
        compare("Cross-City", self.world.city_frames["Rome"], NAMES, 13, class_map="crosscity-ids",
                class_preset="crosscity13", **rome)

        root = self.das3.scratch / "RAND_CITYSCAPES"
        synthia = {"input": root / "RGB", "truth": root / "GT/LABELS"}
        compare("SYNTHIA, 16 bits", self.world.synthia_frames, SYNTHIA, 16, class_map="synthia-ids",
                class_preset="synthia16", **synthia)
        compare("SYNTHIA, 19 classes", self.world.synthia_frames, SYNTHIA, 19, class_map="synthia-ids",
                class_preset="cityscapes19", **synthia)
        self.bad(1, "holds numbers of 16 bits in red", command="evaluate", **options, **synthia)
        self.bad(1, "holds numbers of 16 bits in red", command="evaluate", class_map="cityscapes-ids",
                 **options, **synthia)

    def channels(self):
        """Numbers in one channel of several, wherever it is."""
        frames, random = self.world.gta5_frames, np.random.default_rng(7)
        folder = self.das3.scratch / "GTA5/images"
        ids = {str(number): name for number, name, _ in CITYSCAPES} | {"34": None}
        shown = [(picture, named(numbers, NAMES + [None])) for picture, numbers in frames]
        expected = scores(self.models[19], shown, CLASSES, CLASSES)
        options = {"model": self.models[19], "class_preset": "cityscapes19", "input": folder}

        def truth(name, kind, bits, place, count):
            target = self.das3.scratch / name
            target.mkdir()
            for (_, numbers), path in zip(frames, sorted(folder.iterdir())):
                pixels = random.integers(0, 1 << bits, (HEIGHT, WIDTH, count))
                pixels[:, :, place] = numbers
                png(target / path.name, pixels, kind, bits)
            return target

        def class_map(name, **keys):
            path = self.das3.scratch / f"{name}.json"
            path.write_text(json.dumps(keys))
            return path

        cases = ((RGB, 8, 3), (RGB, 16, 3), (RGB_ALPHA, 8, 4), (RGB_ALPHA, 16, 4), (GRAY_ALPHA, 8, 2),
                 (GRAY_ALPHA, 16, 2), (GRAY, 8, 1), (GRAY, 16, 1))
        for kind, bits, count in cases:
            for place in range(count):
                name = f"channel {place} of {count}, {bits} bits"
                target = truth(name, kind, bits, place, count)
                chosen = class_map(name, channel=place, values=ids)
                self.same(name, self.evaluate(class_map=chosen, truth=target, **options), expected)
            if count < 4:
                chosen = class_map("beyond", channel=count, values=ids)
                self.bad(1, f"has {count} channel", command="evaluate", class_map=chosen, truth=target, **options)
        target = truth("colours", RGB, 8, 0, 3)
        self.bad(1, "holds colours", command="evaluate", class_map="gta5-ids", truth=target, **options)
        self.bad(1, "has colours beside the", command="evaluate", class_map="cityscapes-colours", truth=target,
                 **options)
        self.bad(1, "like numbers and not like colours", command="evaluate", class_map="cityscapes-colours",
                 truth=self.das3.scratch / "channel 0 of 1, 8 bits", **options)
        for keys, words in (({"channel": 4}, "expected 0 (red or gray) to 3"),
                            ({"channel": 0, "colours": {}}, "\"channel\" or \"colours\", not both")):
            self.bad(1, words, command="evaluate", class_map=class_map("wrong", **keys), truth=target, **options)

    def nested(self):
        """Frames in directories below one: results and predictions lie in such, too."""
        frames = self.das3.scratch / "Cityscapes/leftImg8bit/val"
        options = {"model": self.models[19], "class_preset": "cityscapes19", "input": frames}
        output = self.das3.scratch / "segmented"
        result = self.das3.run(output, "--overlay", command="segment", save="labels,confidence", **options)
        for kind in ("labels", "confidence", "overlay"):
            names = {str(path.relative_to(output / kind)) for path in (output / kind).rglob("*.png")}
            wanted = {str(path.relative_to(frames)) for path in frames.rglob("*.png")}
            self.check(f"{kind} of directories below", names == wanted, f"{names} {result.stderr}")
        path = next(frames.rglob("*.png"))
        found = np.asarray(Image.open(output / "labels" / path.relative_to(frames)))
        expected = labels(self.models[19], np.asarray(Image.open(path)), CLASSES, CLASSES)
        self.check("labels as numpy has them", (found == expected).all())
        events = self.das3.events(self.das3.scratch / "taught.onnx", teacher=output, steps="b=2,c=1", **options)
        self.check("stored predictions of them teach", events[-1]["done"], events[-1])
        self.bad(1, "nor in those in it", input=self.das3.scratch / "Cityscapes",
                 **{"model": self.models[19], "output": self.das3.scratch / "rubbish.onnx"})

    def helps(self):
        text = self.das3.run(None, "adapt", command="help", input=None, model=None).stdout
        self.check("help names the protocols", all(name in text for name in PROTOCOLS), text)
        text = self.das3.run(None, "evaluate", command="help", input=None, model=None).stdout
        names = ("cityscapes-ids", "cityscapes-trainids", "cityscapes-colours", "crosscity-ids", "gta5-ids",
                 "synthia-ids")
        self.check("help names the class maps", all(name in text for name in names), text)


def main(program, street):
    check = Checks()
    with tempfile.TemporaryDirectory() as scratch:
        tests = Tests(Program(program, street, pathlib.Path(scratch)), check)
        for test in (tests.evaluated, tests.adapted, tests.missing, tests.class_maps, tests.channels, tests.nested,
                     tests.helps):
            test()
    return check.end()


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve()))
