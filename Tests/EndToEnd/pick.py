"""Runs das3-run pick: what it chooses, what it writes, and the way back from an annotator.

    python Tests/EndToEnd/pick.py DAS3_RUN STREET [SHARED]

STREET is examples/street. With SHARED, which has camvid and models, picks are also compared with
random ones on real frames. Prints what it checks and, last, how many checks passed.
"""

import json
import pathlib
import random
import shutil
import sys
import tempfile

import numpy as np
from PIL import Image, ImageDraw

from client import Checks, Program, rubbish

NETWORK = "espnet_q8.onnx"
PICKS, DRAWS = 10, 20
RARE = {2: "pole", 6: "sign", 9: "pedestrian", 10: "bicyclist"}


def pick(das3, name, *arguments, count=4, **options):
    """Picks into a folder of that name; the folder and what is printed."""
    output = das3.scratch / name
    result = das3.run(output, "--n", str(count), "--json", *arguments, command="pick", **options)
    if result.returncode:
        raise SystemExit(f"{name}: {result.stderr.strip()}")
    return output, json.loads(result.stdout)


def names(told):
    return [entry["frame"] for entry in told["picked"]]


def files(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def classes(das3):
    found = das3.run(None, "--json", command="info", input=None).stdout
    return json.loads(found)["classes"]


def picture(path):
    return np.asarray(Image.open(path))


def written(das3, check):
    """Frames as they came, PNGs with the colours of the classes, JSON of LabelMe; always the same."""
    output, told = pick(das3, "picked")
    stems = [entry["file"] for entry in told["picked"]]
    check("four of eight", len(stems) == 4 and told["frames"] == 8, told)
    frames = sorted((output / "frames").glob("*.png"))
    check("names in the order of choice", [path.stem for path in frames] == stems, stems)
    same = all(
        (output / "frames" / f"{stem}.png").read_bytes() == (das3.frames / name).read_bytes()
        for stem, name in zip(stems, names(told))
    )
    check("frames byte for byte", same)
    kept = [stem.split("_", 1)[1] + ".png" == name for stem, name in zip(stems, names(told))]
    check("names keep the frames' names", all(kept), stems)
    colours = [entry["colour"] for entry in classes(das3)]
    for stem in stems:
        labels = Image.open(output / "labels" / f"{stem}.png")
        palette = np.array(labels.getpalette()).reshape(-1, 3)[: len(colours)].tolist()
        size = Image.open(output / "frames" / f"{stem}.png").size
        check(f"{stem}: indices and colours", (labels.mode, labels.size, palette) == ("P", size, colours))
    check("picked.json", json.loads((output / "picked.json").read_text()) == told)
    listed = (output / "labelme_labels.txt").read_text().split("\n")
    check("names of classes", listed == ["__ignore__", *(e["name"] for e in classes(das3)), ""], listed)
    for threads in ("1", "2"):
        again, _ = pick(das3, f"again{threads}", "--threads", threads)
        check(f"the same with --threads {threads}", files(again) == files(output))
    few, _ = pick(das3, "few", count=2)
    check("fewer are the first", names(pick(das3, "fewer", count=2)[1])[0] == names(told)[0], few)
    text = das3.run(das3.scratch / "text", "--n", "2", command="pick").stdout
    check("a table", all(f"{place}_{name[:-4]}" in text for place, name in enumerate(names(told)[:1], 1)), text)


def round_trip(das3, check):
    """What is written is read back as truth: numbers without a loss, polygons with what they moved."""
    output, told = pick(das3, "trip", count=8)
    options = {"command": "evaluate", "input": output / "frames"}
    found = json.loads(das3.run(None, "--json", truth=output / "labels", **options).stdout)
    check("PNG read back: 100 %", found["miou"] == found["pixel_accuracy"] == 100, found)
    result = das3.run(None, "--json", truth=output / "frames", **options)
    found = json.loads(result.stdout)
    check(f"LabelMe read back: {found['pixel_accuracy']} %", found["pixel_accuracy"] >= 97, result.stderr)
    mean = np.mean([entry["agreement"] for entry in told["picked"]])
    check("as picked.json says", abs(mean - found["pixel_accuracy"]) < 0.02, (mean, found))

    numbers = [entry["name"] for entry in classes(das3)]
    shares, finer, counts = [], [], []
    for entry in told["picked"]:
        labels = picture(output / "labels" / f"{entry['file']}.png")
        shapes = labelme(check, output / "frames" / f"{entry['file']}.json", numbers)
        shares.append((drawn(shapes, numbers, labels.shape, 1) == labels).mean() * 100)
        finer.append((drawn(shapes, numbers, labels.shape, 8) == labels).mean() * 100)
        counts.append(len(shapes))
    print(f"        {np.mean(counts):.0f} polygons a frame, at most {max(counts)}; Pillow draws "
          f"{np.mean(shares):.2f} % of the pixels as they are labelled, at least {min(shares):.2f} %; "
          f"eight times finer {np.mean(finer):.2f} %, at least {min(finer):.2f} %")
    check("Pillow, as LabelMe's scripts draw: 95 %", min(shares) >= 95, shares)
    check("Pillow, finer, as the program reads", abs(np.mean(finer) - mean) < 0.2, (finer, mean))

    better = das3.scratch / "better.onnx"
    for truth in ("labels", "frames"):
        result = das3.run(
            better, labelled=output / "frames", labelled_truth=output / truth, steps="a=2,b=2,c=2",
            method="auto")
        check(f"adapt --labelled-truth {truth}", result.returncode in (0, 3), result.stderr)


def labelme(check, path, numbers):
    """The shapes of a file that has what LabelMe's loader asks for."""
    content = json.loads(path.read_text())
    height, width = picture(path.with_suffix(".png")).shape[:2]
    head = {key: content[key] for key in ("flags", "imagePath", "imageData", "imageHeight", "imageWidth")}
    wanted = {"flags": {}, "imagePath": path.with_suffix(".png").name, "imageData": None,
              "imageHeight": height, "imageWidth": width}
    good = head == wanted and isinstance(content["version"], str) and all(
        shape["label"] in numbers and shape["shape_type"] == "polygon" and len(shape["points"]) >= 3
        and all(len(point) == 2 for point in shape["points"]) and shape["group_id"] is None
        for shape in content["shapes"])
    check(f"{path.name} is LabelMe's", good, head)
    return content["shapes"]


def drawn(shapes, numbers, shape, scale):
    """Shapes over each other, by another program; each pixel by its centre."""
    height, width = shape
    image = Image.new("L", (width * scale, height * scale), 255)
    draw = ImageDraw.Draw(image)
    for entry in shapes:
        points = [(x * scale, y * scale) for x, y in entry["points"]]
        draw.polygon(points, outline=numbers.index(entry["label"]), fill=numbers.index(entry["label"]))
    return np.asarray(image)[scale // 2 :: scale, scale // 2 :: scale]


def corrected(das3, check):
    """What an annotator changes in LabelMe is the truth."""
    output, told = pick(das3, "corrected", count=2)
    options = {"command": "evaluate", "input": output / "frames", "truth": output / "frames"}
    path = output / "frames" / f"{told['picked'][0]['file']}.json"
    content = json.loads(path.read_text())

    def evaluate(change):
        copy = json.loads(json.dumps(content))
        change(copy)
        path.write_text(json.dumps(copy))
        return das3.run(None, "--json", **options)

    def accuracy(change):
        return json.loads(evaluate(change).stdout)["pixel_accuracy"]

    whole = accuracy(lambda copy: None)
    rectangle = {"label": "car", "points": [[0, 0], [160, 240]], "shape_type": "rectangle"}
    half = accuracy(lambda copy: copy["shapes"].append(rectangle))
    check("a rectangle above", whole > 95 and half < whole - 20, (whole, half))
    ignored = accuracy(lambda copy: copy["shapes"].append(rectangle | {"label": "__ignore__"}))
    check("__ignore__ is not counted", ignored > 95, ignored)
    empty = accuracy(lambda copy: copy.update(shapes=copy["shapes"][:1]))
    check("without a shape is not counted", empty > 40, empty)
    for words, change in (
        ('has shapes of "lava"', lambda copy: copy["shapes"][0].update(label="lava")),
        ('a shape "circle" of 2 points', lambda copy: copy["shapes"].append(
            rectangle | {"shape_type": "circle"})),
        ("is no file of LabelMe", lambda copy: copy.pop("shapes")),
        ("is of a frame of 9x240", lambda copy: copy.update(imageWidth=9)),
    ):
        result = evaluate(change)
        lines = result.stderr.strip().splitlines()
        check(f"refused: {words}", result.returncode == 1 and words in lines[-1], result.stderr)


def same_frames(das3, check):
    """A stream that stands still: frames that are equal are picked once."""
    folder = das3.scratch / "still"
    folder.mkdir()
    for number in range(5):
        for frame in sorted(das3.frames.glob("*.png"))[:3]:
            shutil.copy(frame, folder / f"{number}{frame.name}")
    noise = np.random.default_rng(0)
    parked = picture(das3.frames / "street0.png").astype(float)
    for number in range(5):
        values = np.clip(parked + noise.normal(0, 3, parked.shape), 0, 255)
        Image.fromarray(values.astype(np.uint8)).save(folder / f"parked{number}.png")
    output = das3.scratch / "stood"
    result = das3.run(output, "--n", "10", "--json", command="pick", input=folder)
    told = json.loads(result.stdout)
    check("three of twenty", len({name[-5] for name in names(told)}) == len(names(told)) == 3, names(told))
    check("said so", result.returncode == 0 and "only 3 of 20 frames differ" in result.stderr, result.stderr)
    result = das3.run(das3.scratch / "all", "--n", "20", "--json", command="pick")
    check("more than there are", len(names(json.loads(result.stdout))) == 8, result.stdout)
    check("said so, too", "8 are all frames" in result.stderr, result.stderr)


def nothing_to_see(das3, check):
    """Frames that show nothing, and a covered lens, are not picked, however unsure the network is."""
    folder = das3.scratch / "covered"
    folder.mkdir()
    frames = sorted(das3.frames.glob("*.png"))
    for frame in frames:
        shutil.copy(frame, folder)
    noise = np.random.default_rng(0)
    shape = picture(frames[0]).shape
    for number in range(12):
        for name, level, deviation in (("black", 0, 0), ("dark", 10, 8), ("gray", 110, 4)):
            values = np.clip(noise.normal(level, deviation, shape), 0, 255).astype(np.uint8)
            Image.fromarray(values).save(folder / f"{name}{number}.png")
    output, told = pick(das3, "seen", count=10, input=folder)
    check("none that shows nothing", sorted(names(told)) == [f.name for f in frames], names(told))
    check("they are counted", told["blank"] == 36, told)
    blank = das3.scratch / "blank"
    blank.mkdir()
    shutil.copy(folder / "black0.png", blank)
    result = das3.run(das3.scratch / "unseen", command="pick", input=blank)
    check("nothing but such frames", result.returncode == 1 and "1 show nothing" in result.stderr, result.stderr)

    # Colours that no street has: the network is unsure, and the frame unlike all others.
    stripes = np.zeros(shape, np.uint8)
    stripes[:, ::8], stripes[:, 4::8] = (255, 0, 255), (0, 255, 0)
    stripes[: shape[0] // 2] //= 2
    Image.fromarray(stripes).save(folder / "stripes.png")
    for count, wanted in ((8, False), (9, True)):
        output, told = pick(das3, f"odd{count}", count=count, input=folder)
        found = [entry["frame"] for entry in told["picked"] if entry["outlier"]]
        check(f"--n {count}: the odd frame {'last' if wanted else 'is not picked'}",
              (names(told)[-1] == "stripes.png") == wanted and len(names(told)) == count
              and ("stripes.png" in names(told)) == wanted and found == ["stripes.png"] * wanted, told)
    check("though nothing is more uncertain", told["picked"][-1]["uncertain"] == 100, told)


def videos(das3, check):
    """Frames of a video become PNGs."""
    video = das3.scratch / "drive.gif"
    first, *others = [Image.open(path) for path in sorted(das3.frames.glob("*.png"))]
    first.save(video, save_all=True, append_images=others)
    output, told = pick(das3, "video", count=3, input=video)
    check("numbers of frames", all(len(name) == 6 and int(name) < 8 for name in names(told)), names(told))
    images = Image.open(video)
    good = True
    for entry in told["picked"]:
        images.seek(int(entry["frame"]))
        frame = picture(output / "frames" / f"{entry['file']}.png")
        good = good and np.array_equal(frame, np.asarray(images.convert("RGB")))
    check("their pixels", good)
    check("their times", all(entry["seconds"] is not None for entry in told["picked"]), told)
    result = das3.run(None, "--json", command="evaluate", input=output / "frames", truth=output / "labels")
    check("read back", json.loads(result.stdout)["miou"] == 100, result.stderr)


def ignored(das3, check):
    """What does not count has no class."""
    output, told = pick(das3, "ignored", "--ignore", "200-239", count=2)
    for entry in told["picked"]:
        labels = picture(output / "labels" / f"{entry['file']}.png")
        check("no class there alone", (labels[200:] == 255).all() and (labels[:200] < 255).all())
        shapes = json.loads((output / "frames" / f"{entry['file']}.json").read_text())["shapes"]
        check("a shape that is not counted", "__ignore__" in [shape["label"] for shape in shapes])


def refusals(das3, check):
    def bad(*arguments, **options):
        rubbish(das3, check, *arguments, command="pick", **options)

    bad(2, "'--n 0': expected 1", "--n", "0")
    bad(2, "'--n -1': expected 1", "--n", "-1")
    bad(1, "it is stdin", input="-")
    bad(1, "it is a camera", input="/dev/video0")
    bad(1, "cannot read", input=das3.scratch / "nothing")
    bad(1, "no directory", output=das3.model / "below")
    bad(1, "where the input is read from", output=das3.frames)
    taken = das3.scratch / "taken"
    (taken / "labels").mkdir(parents=True)
    (taken / "labels" / "1_corrected.png").write_bytes(b"by hand")
    result = das3.run(taken, command="pick")
    good = result.returncode == 1 and "may have been corrected by hand" in result.stderr
    check("nothing is written over", good and len(list(taken.rglob("*"))) <= 3, result.stderr)
    folder = das3.scratch / "damaged"
    folder.mkdir()
    for frame in das3.frames.glob("street[0-3].png"):
        shutil.copy(frame, folder)
    (folder / "street1.png").write_bytes(b"no picture")
    bad(1, "street1.png", input=folder)
    result = das3.run(das3.scratch / "going", "--n", "9", "--keep-going", "--json", command="pick", input=folder)
    told = json.loads(result.stdout)
    good = result.returncode == 4 and len(names(told)) == 3 and told["left_out"] == 1
    check("--keep-going: exit code 4", good, result.stderr)


def layout(labels, count):
    """The square roots of the shares of the classes in 3 x 3 cells."""
    rows = [part for band in np.array_split(labels, 3) for part in np.array_split(band, 3, axis=1)]
    shares = np.array([np.bincount(part.ravel(), minlength=256)[:count] for part in rows], float)
    return np.sqrt(shares / labels.size).ravel()


def real_frames(das3, check, shared):
    """Against random picks: classes that the network sees, and pixels of rare ones that are there."""
    model = shared / "models" / NETWORK
    count = len(json.loads(das3.run(None, "--json", command="info", input=None, model=model).stdout)["classes"])
    generator = random.Random(1)
    for part in ("train", "val"):
        frames = shared / "camvid" / part
        _, told = pick(das3, f"real-{part}", count=PICKS, input=frames, model=model)
        seen = das3.scratch / f"seen-{part}"
        das3.events(seen, command="segment", model=model, input=frames)
        every = sorted(path.name for path in frames.glob("*.png"))
        draws = [names(told)] + [generator.sample(every, PICKS) for _ in range(DRAWS)]

        layouts = {name: layout(picture(seen / "labels" / name), count) for name in every}

        def covered(draw):
            """Classes with at least 0.5 % of the pixels of one of the frames."""
            shares = np.array([layouts[name] for name in draw]) ** 2
            return (shares.reshape(len(draw), 9, count).sum(1) >= 0.005).any(0).sum()

        def apart(draw):
            """The mean distance of a frame to the nearest other one."""
            rows = np.array([layouts[name] for name in draw])
            distances = np.sqrt(np.maximum(0, 1 - rows @ rows.T)) + 9 * np.eye(len(rows))
            return distances.min(1).mean()

        for what, measure in (("classes covered", covered), ("distance to the nearest", apart)):
            own, *others = [measure(draw) for draw in draws]
            check(f"{part}: {what} {own:.3g}; random {np.mean(others):.3g}, at most {max(others):.3g}",
                  own > np.mean(others), others)
        if part == "train":
            continue
        truth = {name: picture(shared / "camvid" / "val_labels" / name) for name in every}
        for number, name in RARE.items():
            pixels = {frame: (values == number).sum() for frame, values in truth.items()}
            own, *others = [np.array([pixels[frame] for frame in draw]) for draw in draws]
            frames = [(one > 0).sum() for one in others]
            check(f"val: {name} {own.sum()} pixels in {(own > 0).sum()} frames; random "
                  f"{np.mean([one.sum() for one in others]):.0f} in {np.mean(frames):.1f}",
                  own.sum() >= np.mean([one.sum() for one in others]) and (own > 0).sum() >= np.mean(frames))


def main(program, street, shared=None):
    check = Checks()
    with tempfile.TemporaryDirectory() as scratch:
        das3 = Program(program, street, pathlib.Path(scratch))
        for test in (written, round_trip, corrected, same_frames, nothing_to_see, videos, ignored, refusals):
            test(das3, check)
        if shared and (shared / "camvid").is_dir():
            real_frames(das3, check, shared)
        else:
            print("no shared data: comparison with random picks skipped")
    return check.end()


if __name__ == "__main__":
    sys.exit(main(*(pathlib.Path(word).resolve() for word in sys.argv[1:])))
