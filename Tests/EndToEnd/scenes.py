"""Adapts to streets by day and by night with scenes, and holds what is saved against ONNX Runtime.

    python Tests/EndToEnd/scenes.py PROGRAM STREET

The file must be the plain network for ONNX Runtime. With the statistics of a scene, read here from the
metadata and put into the file by the onnx package, ONNX Runtime must say what das3 says of a frame
of that scene. A file whose metadata was damaged must still label as the plain network, with a warning.
Prints what it checks and, last, how many checks passed.
"""

import base64
import json
import pathlib
import sys
import tempfile

import das3
import numpy as np
import onnx
import onnxruntime
from onnx import numpy_helper
from PIL import Image

from client import Checks, Program

TOLERANCE = 2e-3  # of a probability: Winograd's convolutions round otherwise


def write_frames(source, folder):
    """Each frame in five places, and each of these at night, too."""
    folder.mkdir()
    for path in sorted(source.glob("*.png")):
        frame = np.asarray(Image.open(path).convert("RGB"))
        for shift in range(5):
            view = np.roll(frame, 16 * shift, axis=1)
            Image.fromarray(view).save(folder / f"{path.stem}_{shift}_day.png")
            Image.fromarray(view // 6).save(folder / f"{path.stem}_{shift}_night.png")
    return [np.asarray(Image.open(path)) for path in sorted(folder.glob("*_0_*.png"))]


def probabilities(model, frame):
    """What ONNX Runtime says of a frame, classes x height x width."""
    session = onnxruntime.InferenceSession(model.SerializeToString())
    image = ((frame / np.float32(255) - 0.5) / 0.25).astype(np.float32).transpose(2, 0, 1)[None]
    scores = session.run(None, {session.get_inputs()[0].name: image})[0][0]
    powers = np.exp(scores - scores.max(0))
    return powers / powers.sum(0)


def with_statistics(model, parameters, values):
    """The model with running means and variances in the place of its own."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    tensors = {tensor.name: tensor for tensor in copy.graph.initializer}
    for parameter in parameters:
        if parameter.is_statistic:
            own, values = values[: parameter.size], values[parameter.size :]
            tensor = tensors[parameter.name]
            tensor.CopyFrom(numpy_helper.from_array(own.reshape(parameter.shape), tensor.name))
    assert not len(values)
    return copy


def labelled(model, frame, **options):
    height, width = frame.shape[:2]
    with das3.Segmenter(model, threads=1, height=height, width=width, **options) as segmenter:
        result = segmenter.run(frame, probabilities=True).probabilities
        return result, segmenter.info


def resumed(street, frames, scratch, every=None):
    """A guarded run with scenes, in as many adapters as it takes: the bytes of its model."""
    small = dict(threads=1, height=56, width=72, steps_a=4, steps_b=6, steps_c=6)
    with das3.Model(street / "street.onnx") as model:
        adapter = das3.Adapter(model, method="auto", scenes=4, **small)
        adapter.set_source(frames)
        report, used = adapter.step(), False
        while not report.done:
            if every and report.total_step % every == 0:
                adapter.save(scratch / "run.das3")
                adapter = das3.Adapter(model, method="auto", scenes=4, **small)
                adapter.set_source(frames)
                adapter.resume(scratch / "run.das3")
            report = adapter.step()
            used = used or report.scenes_used
        return adapter.snapshot().to_bytes(), used, report


def main(path, street):
    check = Checks()
    with tempfile.TemporaryDirectory() as scratch:
        scratch = pathlib.Path(scratch)
        program = Program(path, street, scratch)
        frames = write_frames(street / "frames", scratch / "frames")
        output = scratch / "scenes.onnx"
        run = dict(input=scratch / "frames", method="blend", threads=1)
        events = program.events(output, "--set", "scenes=4", **run)
        blend = next(event for event in events if event["event"] == "blend")
        check(f"two scenes of {blend['scenes']['frames']} frames", len(blend["scenes"]["frames"]) == 2)
        check(f"used, {blend['scenes']['share']} of the way", blend["scenes"]["used"])
        info = json.loads(
            program.run(None, "--json", command="info", model=output, input=None).stdout)
        check("info shows them", info["scenes"] == blend["scenes"]["frames"], info.get("scenes"))

        saved = onnx.load(output)
        onnx.checker.check_model(saved)
        entries = {entry.key: entry.value for entry in saved.metadata_props}
        with das3.Model(output) as model:
            seen = set()
            for frame in frames[:4]:
                plain, _ = labelled(model, frame, ignore_scenes=True)
                error = np.abs(plain - probabilities(saved, frame)).max()
                check(f"the plain network, {error:.1e} from ONNX Runtime", error < TOLERANCE)
                split, about = labelled(model, frame)
                seen.add(about.scene)
                text = base64.b64decode(entries[f"das3.scenes.{about.scene}"])
                scene = with_statistics(saved, model.parameters, np.frombuffer(text, "<f4"))
                error = np.abs(split - probabilities(scene, frame)).max()
                check(f"scene {about.scene}, {error:.1e} from ONNX Runtime", error < TOLERANCE)
                check("which is another answer", np.abs(split - plain).max() > 10 * TOLERANCE)
            check("both scenes were seen", seen == {0, 1}, seen)

        views = [np.asarray(Image.open(path)) for path in sorted((scratch / "frames").glob("*.png"))]
        whole, used, report = resumed(street, views, scratch)
        check("a guarded run uses them to its end", used and report.guard_count >= 2)
        check("which is saved with it", b"das3.scenes.1" in whole)
        parts, _, _ = resumed(street, views, scratch, every=17)
        check("resumed in the blend, in stages and while judging: the same file", parts == whole)

        for entry in saved.metadata_props:
            if entry.key == "das3.scenes.1":
                entry.value = entry.value[:-8]
        onnx.save(saved, scratch / "damaged.onnx")
        labels = {}
        for name, words in (("damaged", []), ("scenes", ["--scenes", "off"]), ("split", [])):
            network = scratch / ("scenes.onnx" if name == "split" else f"{name}.onnx")
            result = program.run(
                scratch / name, *words, command="segment", model=network, threads=1)
            check(f"{name}: labelled", result.returncode == 0, result.stderr)
            labels[name] = [p.read_bytes() for p in sorted((scratch / name).rglob("*.png"))]
            warned = "statistics of scenes are not used" in result.stderr
            check(f"{name}: a warning where one is due", warned == (name == "damaged"), result.stderr)
        check("a damaged file labels as the plain network", labels["damaged"] == labels["scenes"])
        check("and not as with scenes", labels["damaged"] != labels["split"])
        small = program.run(
            scratch / "small", "--memory-limit", "3M", command="segment", model=output)
        check("no room", small.returncode != 0 and "memory limit" in small.stderr, small.stderr)
    return check.end()


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2])))
