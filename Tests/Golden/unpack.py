"""Turns reference vectors (.npz) and ONNX Runtime's answers into flat files for the Swift tests.

    python Tests/Golden/unpack.py SHARED OUT

For each network with a reference: NAME.rgb (360x480x3), NAME.scores (its logits at every 4th pixel,
CxHxW) and NAME.labels (arg max). For networks that take any size, at two more sizes: NAME_WxH.input
(1x3xHxW), .scores (all logits) and .labels. losses.NAME is an array of losses.npz, images turned to
channels last, numbers as float32, and marks of negative labels as one byte a pixel. Every file
starts with one line of text: `das3-golden 1 <type> <dims>`, then the values, little endian,
row-major. adaptation/ holds what PyTorch made of one frame in training: vectors.json with losses and
gradient norms, grad_* and after3_* with full arrays. steps/ holds ten steps of each stage on four
frames: steps.json as it is, with the norms of all parameters after each stage; frameN.rgb; labels.
"""

import json
import pathlib
import sys

import numpy as np
import onnxruntime
from PIL import Image

OTHER_SIZES = [(416, 320), (288, 160)]


def write(path, array):
    kind = {"float32": "f32", "uint8": "u8"}[str(array.dtype)]
    dims = "x".join(map(str, array.shape))
    with open(path, "wb") as file:
        file.write(f"das3-golden 1 {kind} {dims}\n".encode())
        file.write(np.ascontiguousarray(array).tobytes())


def normalised(pixels, sidecar):
    entry = json.loads(sidecar.read_text())["input"]
    if entry.get("colour_order") == "bgr":
        pixels = pixels[:, :, ::-1]
    x = (pixels.astype(np.float32) * np.float32(entry["scale"]) - np.float32(entry["mean"])) / np.float32(
        entry["std"]
    )
    return np.ascontiguousarray(x.transpose(2, 0, 1))[None].astype(np.float32)


def unpack_losses(vectors, out):
    for name in vectors.files:
        array = vectors[name]
        if name == "neg_bits" or array.dtype.kind in "bi":
            array = array.astype(np.uint8)
        elif array.dtype.kind == "f":
            array = array.astype(np.float32)
        if array.ndim == 4:
            array = array.transpose(0, 2, 3, 1)
        write(out / f"losses.{name}", np.atleast_1d(array))


def unpack_adaptation(vectors, out):
    out.mkdir(exist_ok=True)
    write(out / "frame.rgb", vectors["frame"])
    numbers = {}
    for name in vectors.files:
        array = vectors[name]
        if ".onnx" in name or name in ("frame", "frame_file", "logits_every_4th"):
            continue
        if "_grad." in name or name.startswith("after3."):
            write(out / name.replace("_grad.", ".grad.", 1), np.atleast_1d(array))
        else:
            numbers[name] = array.tolist()
    (out / "vectors.json").write_text(json.dumps(numbers))


def unpack_steps(shared, out):
    out.mkdir(exist_ok=True)
    record = json.loads((shared / "vectors" / "espnet_q8_steps.json").read_text())
    for index, frame in enumerate(record["frames"]):
        write(out / f"frame{index}.rgb", np.asarray(Image.open(shared / frame).convert("RGB")))
    vectors = np.load(shared / "vectors" / "espnet_q8_steps.npz")
    for stage in "abc":
        record[stage]["param_norms"] = vectors[f"{stage}_param_norms"].tolist()
    write(out / "labels", vectors["b_labels"])
    (out / "steps.json").write_text(json.dumps(record))


def main(shared, out):
    out.mkdir(parents=True, exist_ok=True)
    unpack_adaptation(
        np.load(shared / "vectors" / "espnetv2_s0.5_frame0.npz"), out / "adaptation"
    )
    unpack_steps(shared, out / "steps")
    unpack_losses(np.load(shared / "vectors" / "losses.npz"), out)
    for model in sorted((shared / "models").glob("*.onnx")):
        vectors = np.load(shared / "vectors" / f"{model.stem}.npz")
        frame = Image.open(shared / str(vectors["frame"])).convert("RGB")
        write(out / f"{model.stem}.rgb", np.asarray(frame))
        write(out / f"{model.stem}.scores", vectors["logits_every_4th"])
        write(out / f"{model.stem}.labels", vectors["argmax"])
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 2
        session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        if isinstance(session.get_inputs()[0].shape[2], int):
            continue
        for width, height in OTHER_SIZES:
            pixels = np.asarray(frame.resize((width, height), Image.BILINEAR))
            x = normalised(pixels, model.with_suffix(".json"))
            scores = session.run(None, {session.get_inputs()[0].name: x})[0][0]
            stem = f"{model.stem}_{width}x{height}"
            write(out / f"{stem}.input", x)
            write(out / f"{stem}.scores", scores)
            write(out / f"{stem}.labels", scores.argmax(0).astype(np.uint8))


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]))
