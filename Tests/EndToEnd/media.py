"""Runs das3-run on pictures and videos of every kind that people have: turned, cut off, of uneven
times, with odd names.

    python Tests/EndToEnd/media.py DAS3_RUN STREET

STREET is examples/street. All inputs are made here. Prints what it checks and, last, how many checks
passed.
"""

import io
import json
import os
import pathlib
import resource
import signal
import struct
import subprocess
import sys
import tempfile
import zlib

import numpy as np
from PIL import Image, ImageOps

import movie
from client import Checks, Program, rubbish, steps

# What the three numbers of an Orientation are in a display matrix: a, b, c, d for EXIF 1 to 8.
MATRICES = [(1, 0, 0, 1), (-1, 0, 0, 1), (-1, 0, 0, -1), (1, 0, 0, -1),
            (0, 1, 1, 0), (0, 1, -1, 0), (0, -1, -1, 0), (0, -1, 1, 0)]


def exif(orientation, order):
    """The TIFF block that says how a picture is turned."""
    mark = b"II" if order == "<" else b"MM"
    entry = struct.pack(order + "HHIHH", 0x0112, 3, 1, orientation, 0)
    return mark + struct.pack(order + "HIH", 42, 8, 1) + entry + bytes(4)


def chunk(name, body):
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def with_exif(image, kind, block):
    """The bytes of an image that carries the block; PNG: behind its pixels, as may be."""
    if kind == "jpg":
        return movie.jpeg(image, exif=b"Exif\0\0" + block)
    stream = io.BytesIO()
    if kind == "png":
        image.save(stream, "PNG")
        data = stream.getvalue()
        return data[:-12] + chunk(b"eXIf", block) + data[-12:]
    if kind == "tif":
        image.save(stream, "TIFF", tiffinfo={0x0112: struct.unpack("<H", block[18:20])[0]})
    elif kind == "avif":  # as turns and mirrors of its own
        image.save(stream, "AVIF", quality=95, exif=block)
    else:
        image.save(stream, "WEBP", lossless=True, exif=b"Exif\0\0" + block)
    return stream.getvalue()


def stored(image, orientation):
    """The picture as a camera held that way would store it."""
    for candidate in Image.Transpose:
        tagged = image.transpose(candidate)
        tagged.getexif()[0x0112] = orientation
        shown = ImageOps.exif_transpose(tagged)
        if shown.size == image.size and shown.tobytes() == image.tobytes():
            return image.transpose(candidate)
    return image


def labels(das3, name, source, *arguments):
    """The labels that segment writes of one picture."""
    output = das3.scratch / "labels of" / name
    result = das3.run(output, *arguments, command="segment", input=source)
    if result.returncode:
        return result.stderr
    return np.asarray(Image.open(next((output / "labels").iterdir())))


def orientation(das3, check):
    """Labels are those of the upright picture, in its shape, whatever the file stores."""
    upright = Image.open(das3.frames / "street0.png").convert("RGB")
    expected = labels(das3, "upright", das3.frames / "street0.png")
    for turn in range(1, 9):
        held = stored(upright, turn)
        for kind, order in (("jpg", "<"), ("jpg", ">"), ("png", "<"), ("png", ">"), ("webp", "<"), ("tif", "<"),
                            ("avif", "<")):
            name = f"{kind} turned {turn}{'le' if order == '<' else 'be'}"
            path = das3.scratch / f"{name}.{kind}"
            path.write_bytes(with_exif(held, kind, exif(turn, order)))
            found = labels(das3, name, path)
            good = isinstance(found, np.ndarray) and found.shape == expected.shape
            # JPEG and AVIF change pixels a little.
            good = good and (found == expected).mean() > (0.97 if kind in ("jpg", "avif") else 0.9999)
            check(name, good, getattr(found, "shape", found))
    found = labels(das3, "as stored", path, "--no-autorotate")
    check("--no-autorotate: as stored", found.shape == held.size[::-1], found.shape)
    for turn, matrix in enumerate(MATRICES, 1):
        path = das3.scratch / f"turned{turn}.mov"
        held = stored(upright, turn)
        movie.write(path, [movie.jpeg(held)] * 2, [40, 40], held.size, matrix=matrix)
        found = labels(das3, f"video {turn}", path)
        good = isinstance(found, np.ndarray) and found.shape == expected.shape
        check(f"video turned {turn}", good and (found == expected).mean() > 0.97, found)


def pictures(das3, check):
    """Every kind of picture is found in a directory, and in the order of its numbers."""
    folder = das3.scratch / "kinds"
    folder.mkdir()
    image = Image.open(das3.frames / "street0.png").convert("RGB")
    kinds = {"jfif": "JPEG", "jp2": "JPEG2000", "tga": "TGA", "gif": "GIF", "avif": "AVIF", "png": "PNG",
             "bmp": "BMP", "JPG": "JPEG"}
    for number, (ending, kind) in enumerate(kinds.items()):
        image.save(folder / f"f{number + 3}.{ending}", kind)
    events = das3.events(None, command="segment", input=folder)
    found = [event["frame"] for event in events if event["event"] == "frame"]
    expected = [f"f{number + 3}.{ending}" for number, ending in enumerate(kinds)]
    check("eight kinds of pictures, 3 to 10", found == expected, found)
    for ending in kinds:
        path = next(folder.glob(f"*.{ending}"))
        events = das3.events(None, command="segment", input=path)
        good = events[0]["frame"] == path.name and "seconds" not in events[0]
        check(f"{ending} is one picture", good, events[0])
    large = das3.scratch / "large.png"
    Image.new("L", (10000, 7000), 90).save(large, compress_level=1)
    found = labels(das3, "large", large, "--size", "64x48")
    check("10000 x 7000 pixels", getattr(found, "shape", None) == (7000, 10000), found)


def uneven_times(das3, check):
    """Times and length of a clip stay what they are, in JSON and in the overlay."""
    image = Image.open(das3.frames / "street0.png").convert("RGB").resize((160, 120))
    clip, output = das3.scratch / "uneven.mov", das3.scratch / "uneven"
    shown = [40, 500, 33, 1000, 427, 1000] * 2  # 6 s in all
    movie.write(clip, [movie.jpeg(image)] * 12, shown, image.size, aspect=(4, 3),
                sound=movie.silence(230))
    events = das3.events(output, "--overlay", "--audio", command="segment", input=clip)
    found = [event["seconds"] for event in events if event["event"] == "frame"]
    expected = [sum(shown[:number]) / 1000 for number in range(12)]
    check("seconds are those of the clip", np.allclose(found, expected), found)
    tracks = movie.timing(output / "uneven_overlay.mp4")
    kinds = [track[0] for track in tracks]
    check("the overlay has pictures and sound", kinds == ["vide", "soun"], kinds)
    check("6.0 s stay 6.0 s", abs(tracks[0][1] - 6) < 2e-3, tracks[0][1])
    check("each frame is shown as long", np.allclose(tracks[0][2], np.array(shown) / 1000, atol=2e-3),
          tracks[0][2])
    check("6.0 s of sound", abs(tracks[-1][1] - 6) < 0.06, tracks[-1][1])
    data = (output / "uneven_overlay.mp4").read_bytes()
    place = data.find(b"pasp")
    aspect = struct.unpack(">2I", data[place + 4:place + 12]) if place > 0 else None
    check("pixels keep their shape", aspect == (4, 3), aspect)
    for every in (5, 30):
        das3.events(output, "--overlay", command="segment", input=clip, every=every)
        length = movie.timing(output / "uneven_overlay.mp4")[0][1]
        check(f"--every {every}: still 6.0 s", abs(length - 6) < 2e-3, length)
    even = das3.scratch / "even.mov"
    movie.write(even, [movie.jpeg(image)] * 60, [40] * 60, image.size)
    das3.events(output, "--overlay", command="segment", input=even, every=30)
    length = movie.timing(output / "even_overlay.mp4")[0][1]
    check("60 frames, --every 30: still 2.4 s", abs(length - 2.4) < 2e-3, length)
    rubbish(das3, check, 1, "has no sound", "--overlay", "--audio", command="segment", input=even,
            output=das3.scratch / "silent")
    rubbish(das3, check, 2, "'--audio' needs '--overlay'", "--audio", command="segment", input=even)


def changing_size(das3, check):
    """Labels of any size; an overlay is one video, and says so."""
    image = Image.open(das3.frames / "street0.png").convert("RGB")
    clip, output = das3.scratch / "changing.mov", das3.scratch / "changing"
    half = image.resize((160, 120))
    movie.write(clip, [movie.jpeg(image), movie.jpeg(half)], [40, 40], image.size)
    events = das3.events(output, command="segment", input=clip)
    found = [Image.open(path).size for path in sorted((output / "labels").iterdir())]
    check("a video of two sizes: labels of both", found == [image.size, half.size], found)
    rubbish(das3, check, 1, "the size of the frames changes", "--overlay", command="segment", input=clip,
            output=output)


def broken_pictures(das3, check):
    """The first one is the end, or all are left out and named."""
    folder = das3.scratch / "broken"
    folder.mkdir()
    data = (das3.frames / "street0.png").read_bytes()
    for name, content in (("1.png", data), ("2.png", data[:2000]), ("3.png", b""), ("4.png", data)):
        (folder / name).write_bytes(content)
    options = {"command": "segment", "input": folder}
    result = das3.run(None, **options)
    good = result.returncode == 1 and "2.png" in result.stderr
    check("a broken picture: its name, exit code 1", good, result.stderr)
    result = das3.run(None, "--keep-going", "--json", **options)
    last = json.loads(result.stdout.splitlines()[-1])
    check("--keep-going: exit code 4", result.returncode == 4, result.stderr)
    good = (last["frames"], last["left_out"]) == (2, 2)
    check("--keep-going: two and two", good, last)
    named = "2.png" in result.stderr and "3.png" in result.stderr and "2 images left out" in result.stderr
    check("--keep-going: each is named", named, result.stderr)
    output = das3.scratch / "partial.onnx"
    result = das3.run(output, "--keep-going", "--json", input=folder, method="bn", steps="2")
    last = json.loads(result.stdout.splitlines()[-1])
    good = result.returncode == 4 and output.exists() and (last["frames"], last["left_out"]) == (2, 2)
    check("adapt --keep-going: exit code 4, a model", good, result.stderr)
    truth = das3.scratch / "broken truth"
    truth.mkdir()
    for name in "1234":
        (truth / f"{name}.png").write_bytes((das3.truth / "street0.png").read_bytes())
    result = das3.run(None, "--keep-going", "--json", command="evaluate", input=folder, truth=truth)
    found = json.loads(result.stdout or "{}")
    good = result.returncode == 4 and (found["frames"], found["left_out"]) == (2, 2)
    check("evaluate --keep-going: exit code 4", good, result.stderr)
    for name in ("1.png", "4.png"):
        (folder / name).unlink()
    result = das3.run(None, "--keep-going", **options)
    good = result.returncode == 1 and "none of its 2 images" in result.stderr
    check("--keep-going with nothing left: exit code 1", good, result.stderr)


def damaged_videos(das3, check):
    """What is missing is counted, said, and not learned from."""
    paths = sorted(das3.frames.glob("*.png"))
    images = [movie.jpeg(Image.open(path).convert("RGB")) for path in paths]
    whole = das3.scratch / "whole.mov"
    movie.write(whole, images * 3, [40] * 24, (320, 240))
    data = whole.read_bytes()
    place = data.find(images[5], data.find(b"mdat"))
    hole, cut = das3.scratch / "hole.mov", das3.scratch / "cut.mov"
    noise = np.random.default_rng(1).bytes(len(images[5]) - 700)
    hole.write_bytes(data[:place + 700] + noise + data[place + len(images[5]):])
    cut.write_bytes(data[:len(data) * 2 // 3 - 500])
    film = das3.scratch / "film"
    das3.run(film, "--overlay", command="segment", input=whole)
    coded = bytearray((film / "whole_overlay.mp4").read_bytes())
    middle = coded.find(b"mdat") + (len(coded) - coded.find(b"mdat")) // 2
    coded[middle:middle + 4000] = bytes(4000)
    (das3.scratch / "h264.mp4").write_bytes(coded)
    for name in ("whole.mov", "hole.mov", "cut.mov", "h264.mp4"):
        path = das3.scratch / name
        code = 0 if name == "whole.mov" else 4
        result = das3.run(None, "--json", command="segment", input=path)
        last = json.loads(result.stdout.splitlines()[-1])
        good = result.returncode == code and ("damaged" in result.stderr) == (code == 4)
        check(f"segment {name}: exit code {code}", good, f"{result.returncode} {result.stderr}")
        frames = last["frames"] - last["damaged"]
        output = das3.scratch / "of damaged.onnx"
        result = das3.run(output, "--json", input=path, method="bn", steps="1")
        last = json.loads(result.stdout.splitlines()[-1])
        good = result.returncode == code and output.exists() and last["frames"] == frames
        good = good and (frames < 24) == (code == 4)
        check(f"adapt {name}: learns from {frames} whole frames", good, f"{last} {result.stderr}")
        output.unlink(missing_ok=True)


def names(das3, check):
    """Names of any bytes are read, written, and found again."""
    folder = os.fsencode(das3.scratch) + b"/\xe9t\xe9"
    os.mkdir(folder)
    frame, model = folder + b"/stra\xdfe.png", folder + b"/netz\xff.onnx"
    pathlib.Path(os.fsdecode(frame)).write_bytes((das3.frames / "street0.png").read_bytes())
    pathlib.Path(os.fsdecode(model)).write_bytes(das3.model.read_bytes())
    beside = das3.model.with_suffix(".json")
    if beside.exists():
        pathlib.Path(os.fsdecode(folder + b"/netz\xff.json")).write_bytes(beside.read_bytes())

    def run(*words):
        words = [str(das3.program).encode(), *words]
        return subprocess.run(words, capture_output=True, timeout=600)

    for source in (frame, folder):
        result = run(b"segment", b"--model", model, b"--input", source, b"--output", folder + b"/out\xfe", b"--json")
        good = result.returncode == 0 and os.path.exists(folder + b"/out\xfe/labels/stra\xdfe.png")
        check(f"segment {source[-12:]}", good, result.stderr)
        found = json.loads(result.stdout.splitlines()[0])["frame"] if good else ""
        check("JSON has the name as os.fsdecode", found == os.fsdecode(b"stra\xdfe.png"), ascii(found))
    output, point = folder + b"/besser\x80.onnx", folder + b"/stand\x81.das3"
    words = [b"adapt", b"--model", model, b"--input", folder, b"--output", output, b"--checkpoint", point,
             b"--method", b"bn", b"--steps", b"2", b"--resume"]
    for turn in ("written", "resumed"):
        result = run(*words)
        good = result.returncode == 0 and os.path.exists(output) and os.path.exists(point)
        check(f"adapt: model and checkpoint {turn}", good, result.stderr)
    result = run(*words, b"--set", b"scratch_directory=" + folder)
    check("a scratch directory must be UTF-8", b"must be UTF-8" in result.stderr, result.stderr)
    left = [name for name in os.listdir(folder) if name.startswith(b".")]
    check("nothing else is left", not left, left)
    result = run(b"info", b"--model", folder + b"/nichts\xfd.onnx")
    check("a message has the name as it is", b"nichts\xfd.onnx" in result.stderr, result.stderr)


def full_disk(das3, check):
    """No picture is there by half; what was there before stays."""
    output = das3.scratch / "small"
    (output / "overlay").mkdir(parents=True)
    (output / "overlay" / "street0.png").write_bytes(b"before")

    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
        resource.setrlimit(resource.RLIMIT_FSIZE, (40000, 40000))

    words = das3.command(output, "--overlay", command="segment")
    result = subprocess.run(words, preexec_fn=limit, capture_output=True, text=True, timeout=600)
    good = result.returncode == 1 and "File too large" in result.stderr
    check("full disk: exit code 1 and the reason", good, f"{result.returncode} {result.stderr}")
    found = sorted(path.name for path in (output / "overlay").iterdir())
    check("full disk: only what was there", found == ["street0.png"], found)
    content = (output / "overlay" / "street0.png").read_bytes()
    check("full disk: as it was", content == b"before", len(content))


def sizes(das3, check):
    """Large frames are worked on smaller, and that is said; --size says otherwise."""
    path = das3.scratch / "hd.png"
    Image.open(das3.frames / "street0.png").resize((1920, 1080)).save(path)
    options = {"command": "segment", "input": path}
    result = das3.run(None, "--json", **options)
    last = json.loads(result.stdout.splitlines()[-1])
    good = 0.85e6 < last["width"] * last["height"] <= 1 << 20
    check("1920x1080: about 1 Mpx", good, last)
    words = ("1920x1080", "--size")
    check("and a note", all(word in result.stderr for word in words), result.stderr)
    result = das3.run(None, "--json", **options, size="1920x1080")
    last = json.loads(result.stdout.splitlines()[-1])
    good = (last["width"], last["height"]) == (1920, 1080) and not result.stderr
    check("--size 1920x1080: that, without a note", good, f"{last} {result.stderr}")
    mixed = das3.scratch / "mixed sizes"
    mixed.mkdir()
    (mixed / "2.png").write_bytes(path.read_bytes())
    for name in ("1.png", "3.png"):
        (mixed / name).write_bytes((das3.frames / "street0.png").read_bytes())
    result = das3.run(None, "--json", command="segment", input=mixed)
    check("small, large, small", result.returncode == 0, result.stderr)
    found = labels(das3, "small among large", mixed)
    expected = labels(das3, "small alone", mixed / "1.png")
    check("small ones as alone", (found == expected).all())
    output = das3.scratch / "hd.onnx"
    result = das3.run(output, "--json", input=path, method="bn", steps="1")
    last = json.loads(result.stdout.splitlines()[-1])
    check("adapt: likewise", last["width"] * last["height"] <= 1 << 20, last)


def main(program, street):
    check = Checks()
    with tempfile.TemporaryDirectory() as scratch:
        das3 = Program(program, street, pathlib.Path(scratch))
        for test in (orientation, pictures, uneven_times, changing_size, broken_pictures, damaged_videos, names, full_disk,
                     sizes):
            try:
                test(das3, check)
            except (OSError, KeyError, IndexError, ValueError, SystemExit, AttributeError) as error:
                check(f"{test.__name__} to its end", False, repr(error))
    return check.end()


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve()))
