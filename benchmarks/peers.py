"""Networks and a frame in, docs/benchmarks.md out: libdas3 against other engines and PyTorch.

See README.md for what is measured.
"""

import argparse
import datetime
import json
import math
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

import das3
import numpy as np
import onnx
import onnxruntime
from checkout import CHECKOUT
from engine import BF16_ENGINES, ENGINES
from onnx import TensorProto, helper, numpy_helper
from png import read_png
from reference import input_tensor, resampled

HERE = Path(__file__).resolve().parent
SHARED = CHECKOUT.parent / "shared"
SHARED_NETWORKS = ("espnetv2_s0.5_dynamic", "espnetv2_s1.0_dynamic", "espnet_q8_dynamic")
# Near ties of random weights fall as rounding wants.
LEAST_AGREEMENT = {"f32": 0.995, "bf16": 0.9}
PAUSE_SECONDS, BLOCK_SECONDS = 0.05, 0.5
DISTRIBUTIONS = {
    "ONNX Runtime": "onnxruntime", "OpenVINO": "openvino", "MNN": "MNN", "ncnn": "ncnn"}


def plain(path: Path, tensor: np.ndarray) -> onnx.ModelProto:
    """The network with the size of its input written down."""
    model = onnx.load(path)
    known = {initializer.name for initializer in model.graph.initializer}
    (given,) = [value for value in model.graph.input if value.name not in known]
    for dim, size in zip(given.type.tensor_type.shape.dim, tensor.shape):
        dim.dim_value = size
    del model.graph.value_info[:]
    return model


def from_frame(model: onnx.ModelProto, info, height: int, width: int, scores: tuple):
    """The network from an RGB8 frame to labels, by operators; scores: the shape of its output."""
    graph = onnx.ModelProto()
    graph.CopyFrom(model)
    graph = graph.graph
    known = {initializer.name for initializer in graph.initializer}
    (given,) = [value for value in graph.input if value.name not in known]
    order = slice(None, None, -1) if info.swaps_colours else slice(None)
    # (pixel * scale - mean) / std, in the frame's order of colours.
    factor = (np.float32(info.scale) / np.float32(info.std))[order]
    offset = (-np.float32(info.mean) / np.float32(info.std))[order]
    constants = {"factor": factor.reshape(1, 1, 1, 3), "offset": offset.reshape(1, 1, 1, 3)}
    before = [
        helper.make_node("Cast", ["frame"], ["frame.float"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["frame.float", "factor"], ["frame.scaled"]),
        helper.make_node("Add", ["frame.scaled", "offset"], ["frame.normal"]),
        helper.make_node("Transpose", ["frame.normal"], ["frame.planes"], perm=[0, 3, 1, 2])]
    planes = "frame.planes"
    if info.swaps_colours:
        constants["turned"] = np.int64([2, 1, 0])
        before.append(helper.make_node("Gather", [planes, "turned"], ["frame.turned"], axis=1))
        planes = "frame.turned"
    before.append(helper.make_node("Identity", [planes], [given.name]))
    last, after = graph.output[0].name, []
    if scores[2:] != (height, width):
        constants["size"] = np.int64([*scores[:2], height, width])
        after.append(helper.make_node("Resize", [last, "", "", "size"], ["full"], mode="linear"))
        last = "full"
    after.append(helper.make_node("ArgMax", [last], ["labels"], axis=1, keepdims=0))
    rest = [value for value in graph.input if value.name in known]
    frame = helper.make_tensor_value_info("frame", TensorProto.UINT8, [1, height, width, 3])
    labels = helper.make_tensor_value_info("labels", TensorProto.INT64, [1, height, width])
    nodes = [*before, *graph.node, *after]
    arrays = [numpy_helper.from_array(np.ascontiguousarray(v), k) for k, v in constants.items()]
    whole = helper.make_graph(
        nodes, graph.name, [frame, *rest], [labels], [*graph.initializer, *arrays])
    return helper.make_model(
        whole, opset_imports=model.opset_import, ir_version=model.ir_version)


def prepare(path: Path, frame: np.ndarray, folder: Path) -> None:
    height, width, _ = frame.shape
    with das3.Model(path) as model:
        info = model.info
    tensor = input_tensor(frame, info)
    shutil.copy(path, folder / "network.onnx")
    if path.with_suffix(".json").is_file():
        shutil.copy(path.with_suffix(".json"), folder / "network.json")
    np.save(folder / "frame.npy", frame)
    np.save(folder / "tensor.npy", tensor)
    fixed = plain(path, tensor)
    onnx.save(fixed, folder / "plain.onnx")
    session = onnxruntime.InferenceSession(str(folder / "plain.onnx"))
    scores = session.run(None, {session.get_inputs()[0].name: tensor})[0]
    onnx.save(from_frame(fixed, info, height, width, scores.shape), folder / "frame.onnx")


class Engine:
    """One engine's process."""

    def __init__(self, name: str, folder: Path, threads: int, precision: str):
        self.name, self.folder, self.blocks = name, folder, []
        self.process = subprocess.Popen(
            [sys.executable, HERE / "engine.py", name, folder, str(threads), precision],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.first_ms = self.answer()["first_ms"]
        self.labels = np.load(folder / f"{name}.npy")

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.name} has failed")
        return json.loads(line)

    def run(self, count: int) -> list[float]:
        print(count, file=self.process.stdin, flush=True)
        return self.answer()

    def block(self) -> None:
        time.sleep(PAUSE_SECONDS)
        self.blocks.append(self.run(self.count + 1)[1:])

    def settle(self) -> None:
        times = self.run(4)[1:]
        self.count = max(2, min(40, int(1000 * BLOCK_SECONDS / statistics.median(times))))

    def end(self) -> None:
        self.process.stdin.close()
        self.peak_mb = self.answer()["peak_mb"]
        self.process.wait()

    @property
    def times(self) -> list[float]:
        return sorted(time for block in self.blocks for time in block)


def measure(name: str, folder: Path, threads: int, options) -> dict:
    """One row: the engines in turns, each in its own process."""
    engines, refused = [], {}
    for engine in ENGINES if options.precision == "f32" else BF16_ENGINES:
        try:
            engines.append(Engine(engine, folder, threads, options.precision))
            engines[-1].settle()
        except (RuntimeError, OSError, ValueError) as error:
            refused[engine] = str(error)
    own = engines[0]
    for engine in engines[1:]:
        same = engine.labels.shape == own.labels.shape
        agreement = float((engine.labels == own.labels).mean()) if same else 0
        if agreement < LEAST_AGREEMENT[options.precision]:
            refused[engine.name] = f"{agreement:.1%} of the labels agree"
    for _ in range(options.rounds):
        for engine in engines:
            engine.block()
    for engine in engines:
        engine.end()
    row = {"network": name, "threads": threads, "refused": refused, "engines": {}}
    for engine in engines:
        if engine.name in refused:
            continue
        times = engine.times
        row["engines"][engine.name] = {
            "median": statistics.median(times), "p95": times[math.ceil(0.95 * len(times)) - 1],
            "first": engine.first_ms, "peak_mb": engine.peak_mb}
    peers = [engine for engine in engines[1:] if engine.name not in refused]
    best = min(peers, key=lambda engine: statistics.median(engine.times))
    ratios = [statistics.median(b) / statistics.median(a) for a, b in zip(own.blocks, best.blocks)]
    row["best"] = best.name
    row["ratio"] = statistics.median(ratios)
    row["range"] = (min(ratios), max(ratios))
    return row


def profile(path: Path, options, threads: int, mode: str) -> dict:
    command = [CHECKOUT / "build" / "das3-run", "bench", "--json", "--profile", "--mode", mode,
               "--model", path, "--size", options.size, "--threads", str(threads),
               "--precision", options.precision]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def machine_name() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":")[1].strip()
    return platform.machine()


NONE = "-"


def segment_table(rows: list[dict]) -> list[str]:
    names = [name for name in ENGINES if name != "das3"]
    titles = ["network", "threads", "das3 ms", "p95", *names, "best peer / das3", "of rounds",
              "of the peak", "peak MB (das3, best)", "first labels ms (das3, best)"]
    lines = ["| " + " | ".join(titles) + " |", "|" + "---|" * len(titles)]
    for row in rows:
        own, best = row["engines"]["das3"], row["engines"][row["best"]]
        cells = [row["network"], row["threads"], f"{own['median']:.1f}", f"{own['p95']:.1f}"]
        cells += [f"{row['engines'][name]['median']:.1f}" if name in row["engines"] else NONE
                  for name in names]
        cells += [f"**{row['ratio']:.2f}**", "{:.2f} to {:.2f}".format(*row["range"]),
                  f"{row['of_peak']:.0%}", f"{own['peak_mb']:.0f}, {best['peak_mb']:.0f}",
                  f"{own['first']:.0f}, {best['first']:.0f}"]
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return lines


def step_table(rows: list[dict]) -> list[str]:
    titles = ["network", "threads", "das3 ms", "PyTorch ms", "its layout", "PyTorch / das3",
              "of processes", "of the peak", "memory MB (das3, PyTorch)", "of PyTorch's"]
    lines = ["| " + " | ".join(titles) + " |", "|" + "---|" * len(titles)]
    for row in rows:
        low, high = row["time_range"]
        cells = [row["model"], row["threads"], f"{row['das3_ms']:.1f}", f"{row['torch_ms']:.1f}",
                 row["torch_layout"].replace("_", " "), f"**{1 / row['time_ratio']:.2f}**",
                 f"{1 / high:.2f} to {1 / low:.2f}", f"{row['of_peak']:.0%}",
                 f"{row['das3_mb']:.0f}, {row['torch_net_mb']:.0f}", f"{row['memory_ratio']:.0%}"]
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return lines


def quotient(times: dict[int, float]) -> str:
    """The time of one thread over that of most threads."""
    return f"{times[1] / times[max(times)]:.2f}" if len(times) > 1 else NONE


def scaling_table(found: dict) -> list[str]:
    lines = ["| network | segment | step |", "|---|---|---|"]
    for name in dict.fromkeys(row["network"] for row in found["segment"]):
        frame = {row["threads"]: row["engines"]["das3"]["median"]
                 for row in found["segment"] if row["network"] == name}
        step = {row["threads"]: row["das3_ms"] for row in found["step"] if row["model"] == name}
        lines.append(f"| {name} | {quotient(frame)} | {quotient(step)} |")
    return lines


LEAST_SHARE = 0.1


def time_table(rows: list[tuple[str, dict]]) -> list[str]:
    """What takes a tenth of the time or more, and what bounds it: products or memory."""
    lines = ["| network | operation, kernel | of the time | of the peak | GB/s of what memory gives |",
             "|---|---|---|---|---|"]
    for name, seen in rows:
        for entry in seen["operations"]:
            if entry["share"] < LEAST_SHARE:
                continue
            of_peak = entry["gflops"] / seen["peak_gflops"]
            lines.append(
                f"| {name} | {entry['operation']} {entry['kernel']} | {entry['share']:.0%} | "
                f"{of_peak:.0%} | {entry['gbytes_per_s']:.0f} of {seen['peak_gbytes_per_s']:.0f} |")
    return lines


def page(options, found: dict) -> str:
    library = (CHECKOUT / "build" / "libdas3.so").stat().st_size / 1e6
    versions = ", ".join(f"{name} {version(package)}" for name, package in DISTRIBUTIONS.items())
    refused = [f"{row['network']}, {row['threads']} threads: {name} is not compared, {why}.\n"
               for row in found["segment"] for name, why in row["refused"].items()]
    return "\n".join([
        "# Benchmarks", "",
        f"Made by `python3 benchmarks/peers.py`, {datetime.date.today()}: {machine_name()},",
        f"{found['isa']}, {len(os.sched_getaffinity(0))} processors, frames of {options.size},",
        f"{options.precision}, libdas3 {das3.version()} ({library:.1f} MB), {versions},",
        f"PyTorch {version('torch')}. [benchmarks/README.md](../benchmarks/README.md) says what is",
        "measured, and what the columns are. A claim of speed holds for this instruction set.",
        "", "## A frame", "", *segment_table(found["segment"]), "", *refused,
        "## A step of adaptation", "", *step_table(found["step"]), "",
        "## One thread over all of them", "", *scaling_table(found), "",
        "## Where the time goes", "", "By `das3-run bench --profile`, one thread: operations that "
        "take a tenth or more.", "", "A frame:", "",
        *time_table([(row["network"], row["profile"]) for row in found["segment"]
                     if row["threads"] == 1]), "", "A step of adaptation:", "",
        *time_table([(row["model"], row["profile"]) for row in found["step"]
                     if row["threads"] == 1]), ""])


def steps(options, paths: list[Path]) -> list[dict]:
    command = [sys.executable, HERE / "adapt.py", "--json", "--size", options.size, "--rounds",
               str(options.step_rounds), "--seconds", "3", "--precision", options.precision,
               *paths]
    for threads in options.threads:
        command += ["--threads", str(threads)]
    done = subprocess.run(command, capture_output=True, text=True)
    return [row for row in json.loads(done.stdout)["rows"] if "time_ratio" in row]


def arguments():
    cores = len(os.sched_getaffinity(0))
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="*", type=Path,
                        help="ONNX files (default: three shared ones and those of networks.py)")
    parser.add_argument("--size", default="480x352", help="WIDTHxHEIGHT (default: %(default)s)")
    parser.add_argument("--threads", type=int, action="append",
                        help=f"repeatable (default: 1 and {cores})")
    parser.add_argument("--rounds", type=int, default=5, help="blocks of each engine (default: 5)")
    parser.add_argument("--step-rounds", type=int, default=2,
                        help="processes of each side for steps; 0 = no steps (default: 2)")
    parser.add_argument("--precision", choices=("f32", "bf16"), default="f32",
                        help="bf16: of libdas3, OpenVINO and PyTorch's autocast alone")
    parser.add_argument("--networks", type=Path, default=CHECKOUT / ".build" / "networks",
                        help="where networks.py writes (default: .build/networks)")
    parser.add_argument("--out", type=Path, default=CHECKOUT / "docs" / "benchmarks.md")
    options = parser.parse_args()
    options.threads = options.threads or sorted({1, cores})
    options.out = options.out.resolve()
    return options


def main() -> int:
    options = arguments()
    width, height = map(int, options.size.split("x"))
    frame = resampled(read_png(min((SHARED / "camvid" / "val").glob("*.png"))), height, width)
    paths = options.models
    if not paths:
        options.networks.mkdir(parents=True, exist_ok=True)
        subprocess.run(
            [sys.executable, HERE / "networks.py", options.networks, options.size], check=True)
        paths = [SHARED / "models" / f"{name}.onnx" for name in SHARED_NETWORKS]
        paths += sorted(options.networks.glob("*.onnx"))
    found = {"segment": [], "step": []}
    for path in paths:
        with tempfile.TemporaryDirectory() as folder:
            prepare(path, frame, Path(folder))
            for threads in options.threads:
                row = measure(path.stem, Path(folder), threads, options)
                seen = profile(path, options, threads, "segment")
                found["isa"] = seen["profile"]["instruction_set"]
                row["profile"] = seen["profile"]
                row["of_peak"] = seen["gflops"] / seen["profile"]["peak_gflops"]
                found["segment"].append(row)
                print(f"{path.stem}, {threads} threads: {row['ratio']:.2f} of {row['best']}",
                      {k: round(v["median"], 1) for k, v in row["engines"].items()},
                      row["refused"] or "", file=sys.stderr)
    if options.step_rounds:
        found["step"] = steps(options, paths)
        by_name = {path.stem: path for path in paths}
        for row in found["step"]:
            seen = profile(by_name[row["model"]], options, row["threads"], "adapt")
            row["profile"] = seen["profile"]
            row["of_peak"] = seen["gflops"] / seen["profile"]["peak_gflops"]
    options.out.write_text(page(options, found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
