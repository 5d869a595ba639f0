"""A network, frames that are too dark for it, and their truth -> a network that sees in the dark.

    adapt.py [--model FILE] [--frames FOLDER] [--truth FOLDER] [--darker N] [--output FOLDER]

The truth only measures; the adapter never sees it. In --output: adapted.onnx, pictures.png (frame,
labels before, labels after, truth) and passes.png (mIoU after each pass over the frames).
"""

import argparse
from pathlib import Path

import das3
import numpy as np
from matplotlib.figure import Figure
from PIL import Image

STREET = Path(__file__).resolve().parents[1] / "street"
SHOWN = 3  # frames in pictures.png


def read(folder):
    """The pictures of a folder in the order of their names: uint8 (H, W, 3), or (H, W)."""
    return [np.asarray(Image.open(path)) for path in sorted(folder.glob("*.png"))]


def look(model, frames, truths):
    """The labels that a model gives the frames, and their mIoU in per cent."""
    with das3.Segmenter(model) as segmenter, das3.Evaluator(model.info.class_count) as evaluator:
        labels = [segmenter.run(frame).labels for frame in frames]
        for found, truth in zip(labels, truths):
            evaluator.add(found, truth)
        return labels, 100 * evaluator.get_result().miou


def adapt(model, frames, truths):
    """The adapted model; the mIoU of the frames after each pass over them, by part.

    Another light is first a matter of BatchNormalization's statistics; DAS3 then trains weights.
    """
    one_pass = len(frames)
    parts = {
        "statistics": {"method": das3.Method.BN, "steps_a": 3 * one_pass},
        "DAS3 (a)": {"stages": "a", "steps_a": 2 * one_pass},
        "DAS3 (b)": {"stages": "b", "steps_b": 3 * one_pass},
    }
    curves = {}
    for name, options in parts.items():
        curves[name] = [look(model, frames, truths)[1]]
        with das3.Adapter(model, **{"method": das3.Method.DAS3} | options) as adapter:
            adapter.set_source(frames)
            is_done = False
            while not is_done:
                is_done = adapter.run(lambda report: report.step % one_pass == 0)  # else a pause
                model = adapter.snapshot()
                curves[name].append(look(model, frames, truths)[1])
    return model, curves


def draw_pictures(path, model, frames, *labels):
    """One row for each frame: the frame, then its labels in the colours of their classes."""
    colours = np.zeros((256, 3), np.uint8)
    colours[: len(model.classes)] = [entry.colour for entry in model.classes]
    rows = [
        np.hstack([frame, *(colours[each] for each in row)])
        for frame, *row in list(zip(frames, *labels))[:SHOWN]
    ]
    Image.fromarray(np.vstack(rows)).save(path)


def draw_passes(path, curves):
    figure = Figure(figsize=(7, 3.5), layout="constrained")
    axes = figure.subplots()
    begin = 0
    for name, curve in curves.items():
        axes.plot(range(begin, begin + len(curve)), curve, marker="o", label=name)
        begin += len(curve) - 1
    axes.set(xlabel="passes over the frames", ylabel="mIoU, %", ylim=(0, 100))
    axes.legend(loc="lower right")
    figure.savefig(path, dpi=120)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, default=STREET / "street.onnx")
    parser.add_argument("--frames", type=Path, default=STREET / "frames")
    parser.add_argument("--truth", type=Path, default=STREET / "truth")
    parser.add_argument("--darker", type=int, default=3, help="divides the frames' brightness")
    parser.add_argument("--output", type=Path, default=Path("out"))
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    frames, truths = read(options.frames), read(options.truth)
    dark = [frame // options.darker for frame in frames]

    with das3.Model(options.model) as model:
        _, bright = look(model, frames, truths)
        before, miou_before = look(model, dark, truths)
        better, curves = adapt(model, dark, truths)
        with better:
            after, miou_after = look(better, dark, truths)
            better.save(options.output / "adapted.onnx")
        draw_pictures(options.output / "pictures.png", model, dark, before, after, truths)
        draw_passes(options.output / "passes.png", curves)
    print(
        f"mIoU of {len(frames)} frames: as they are {bright:.1f} %, "
        f"{options.darker} times darker {miou_before:.1f} %, adapted {miou_after:.1f} %"
    )
    return 0 if miou_after > miou_before else 1


if __name__ == "__main__":
    raise SystemExit(main())
