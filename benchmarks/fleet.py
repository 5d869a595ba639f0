"""Measures examples/fleet: mIoU of each place and round, bytes, seconds, and 1 to 4 at a time.

    fleet.py DAS3_RUN SHARED [--output FOLDER] [--model NAME] [--steps N] [--statistics NAME...]
        [--ray PYTHON]

This Python has das3, flwr and pillow; the one of --ray has das3, ray and pillow. Three places are
made of the real frames of SHARED: CamVid, KITTI, and other frames of CamVid in the dark. What was
measured is in FOLDER/fleet.json, from which a second call goes on. Prints Markdown tables.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import shutil
import subprocess
import sys
import threading
import time
from contextlib import ExitStack
from pathlib import Path

from PIL import Image

FLEET = Path(__file__).resolve().parents[1] / "examples" / "fleet"
sys.path.insert(0, str(FLEET))
import vehicles  # noqa: E402

ROUNDS = 3
PLACES = ("camvid", "kitti", "dark")


def prepare(shared: Path, places: Path) -> None:
    """Frames to adapt to: 31 of CamVid, 31 others of it in the dark, 30 of KITTI at 832x256."""
    train = sorted((shared / "camvid/train").iterdir())
    for name, chosen in {"camvid": train[::6], "bright": train[3::6]}.items():
        (places / name).mkdir(parents=True, exist_ok=True)
        for path in chosen:
            shutil.copyfile(path, places / name / path.name)
    for source, target in {places / "bright": "dark", shared / "camvid/val": "dark_val"}.items():
        subprocess.run(
            [sys.executable, shared / "hostile.py", source, places / target, "dark"], check=True
        )
    (places / "kitti").mkdir(exist_ok=True)
    for path in sorted((shared / "kitti/adapt").iterdir())[::2]:
        image = Image.open(path).convert("RGB").resize((832, 256), Image.Resampling.BILINEAR)
        image.save(places / "kitti" / path.name)


def miou(arguments: argparse.Namespace, model: Path, place: str) -> float:
    """Of all labelled frames of a place, in percent."""
    shared, world = arguments.shared, "kitti" if place == "kitti" else "camvid"
    words = [arguments.das3_run, "evaluate", "--json", "--threads", "1", "--model", model]
    dark = arguments.output / "places/dark_val"
    words += ["--input", dark if place == "dark" else shared / world / "val"]
    words += ["--truth", shared / world / "val_labels"]
    words += ["--class-map", shared / f"labels/cityscapes_to_{world}.json"]
    if world == "kitti":
        words += ["--size", "832x256"]
    done = subprocess.run(words, check=True, capture_output=True, text=True)
    return float(json.loads(done.stdout)["miou"])


class Relay:
    """A port that passes everything on to another one, and counts the bytes."""

    def __init__(self, target: int) -> None:
        self.target, self.port, self.count = target, vehicles.free_port(), 0
        threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True).start()
        time.sleep(0.5)

    async def _serve(self) -> None:
        server = await asyncio.start_server(self._connect, "127.0.0.1", self.port)
        await server.serve_forever()

    async def _connect(self, near: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        far, forth = await asyncio.open_connection("127.0.0.1", self.target)
        await asyncio.gather(self._pass(near, forth), self._pass(far, back))

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(1 << 16):
                self.count += len(data)
                writer.write(data)
                await writer.drain()
        except ConnectionError:
            pass
        writer.close()


class Counted(vehicles.Machine):
    """Processes of Flower whose vehicles reach the server through a relay."""

    relays: dict[str, Relay]

    def start(self, name: str, *words: str) -> subprocess.Popen[bytes]:
        if words[0] == "flower-supernode":
            at = words.index("--superlink") + 1
            relay = self.relays[name] = Relay(int(words[at].rpartition(":")[2]))
            words = (*words[:at], f"127.0.0.1:{relay.port}", *words[at + 1 :])
        return super().start(name, *words)


def fly(folders: list[Path], output: Path, arguments: argparse.Namespace, **how: object) -> dict:
    """One fleet; what its server has written down, and bytes and seconds of all of it."""
    shutil.rmtree(output, ignore_errors=True)
    output.mkdir(parents=True)
    options = argparse.Namespace(
        model=arguments.network, vehicles=folders, output=output, threads=1, round_seconds=7200.0,
        texts=[f"steps_{stage}={arguments.steps}" for stage in "abc"], **how,
    )  # fmt: skip
    begin = time.monotonic()
    with ExitStack() as stack:
        machine = Counted(stack, output)
        machine.relays = {}
        vehicles.run(options, machine)
        counts = {name: relay.count for name, relay in machine.relays.items()}
    rounds = json.loads((output / "server/summary.json").read_text())
    return {"rounds": rounds, "wire_bytes": counts, "seconds": time.monotonic() - begin}


def measure_places(found: dict, arguments: argparse.Namespace) -> None:
    folders = [arguments.output / "places" / place for place in PLACES]
    sources = found.setdefault("source", {})
    for place in PLACES:
        if place not in sources:
            sources[place] = miou(arguments, arguments.network, place)
    for statistics in arguments.statistics:
        output = arguments.output / statistics
        if statistics not in found:
            run = fly(folders, output, arguments, rounds=ROUNDS, statistics=statistics)
            found[statistics] = run | {"miou": {}}
            arguments.keep()
        scores = found[statistics]["miou"]
        for network in ("own1", *(f"round{number}" for number in range(1, ROUNDS + 1))):
            for place in PLACES:
                name = f"{place}/{network}"
                if name not in scores:
                    scores[name] = miou(arguments, output / f"{name}.onnx", place)
                    arguments.keep()


def measure_scaling(found: dict, arguments: argparse.Namespace) -> None:
    """Equal recordings, and equal vehicles: 1, 2 and 4 at a time."""
    base = arguments.output / "places/camvid"
    copies = [arguments.output / "places" / f"copy{index}" for index in range(4)]
    for copy in copies:
        if not copy.exists():
            shutil.copytree(base, copy)
    ray, flower = found.setdefault("ray", {}), found.setdefault("flower", {})
    for count in (1, 2, 4):
        if arguments.ray and str(count) not in ray:
            output = arguments.output / "ray"
            shutil.rmtree(output, ignore_errors=True)
            words = [arguments.ray, FLEET / "recordings.py", arguments.network, *copies]
            words += ["--output", output, "--workers", str(count)]
            words += [f"--set=steps_{stage}={arguments.steps}" for stage in "abc"]
            begin = time.monotonic()
            subprocess.run(words, check=True)
            tasks = json.loads((output / "summary.json").read_text())
            ray[str(count)] = {"seconds": time.monotonic() - begin, "tasks": tasks}
            arguments.keep()
        if str(count) not in flower:
            output = arguments.output / "flower"
            run = fly(copies[:count], output, arguments, rounds=1, statistics="local")
            flower[str(count)] = run
            arguments.keep()


def row(*cells: object) -> None:
    print("| " + " | ".join(str(cell) for cell in cells) + " |")


def print_places(found: dict, arguments: argparse.Namespace) -> None:
    row("statistics", "place", "source", *(f"round {n}" for n in range(1, ROUNDS + 1)), "alone")
    row(*["---"] * (ROUNDS + 4))
    for statistics in arguments.statistics:
        scores = found[statistics]["miou"]
        for place in PLACES:
            after = [f"{scores[f'{place}/round{n}']:.2f}" for n in range(1, ROUNDS + 1)]
            alone = f"{scores[f'{place}/own1']:.2f}"
            row(statistics, place, f"{found['source'][place]:.2f}", *after, alone)
    print()
    row("statistics", "vehicle", "sent", "received", "on the wire", "adapting", "of a processor",
        "rest of the round")  # fmt: skip
    row(*["---"] * 8)
    for statistics in arguments.statistics:
        rounds, wire = found[statistics]["rounds"], found[statistics]["wire_bytes"]
        slowest = [max(each["seconds"] for each in entry["vehicles"]) for entry in rounds]
        rest = [entry["seconds"] - most for entry, most in zip(rounds, slowest)]
        for place in PLACES:
            said = [e for entry in rounds for e in entry["vehicles"] if e["name"] == place]
            row(statistics, place, said[0]["sent_bytes"], said[0]["received_bytes"],
                round(wire[place] / ROUNDS), f"{mean(said, 'seconds'):.0f} s",
                f"{mean(said, 'cpu_seconds'):.0f} s", f"{sum(rest) / ROUNDS:.0f} s")  # fmt: skip


def mean(said: list[dict], key: str) -> float:
    return sum(each[key] for each in said) / len(said)


def print_scaling(found: dict) -> None:
    row("at a time", "Ray, four recordings", "a task", "of a processor",
        "Flower, one round", "a vehicle", "of a processor")  # fmt: skip
    row(*["---"] * 7)
    for count in ("1", "2", "4"):
        entry = found["flower"][count]["rounds"][0]
        cells = ["-"] * 3
        if count in found["ray"]:
            tasks = found["ray"][count]["tasks"]
            times = (
                found["ray"][count]["seconds"],
                mean(tasks, "seconds"),
                mean(tasks, "cpu_seconds"),
            )
            cells = [f"{each:.0f} s" for each in times]
        said = entry["vehicles"]
        times = entry["seconds"], mean(said, "seconds"), mean(said, "cpu_seconds")
        row(count, *cells, *(f"{each:.0f} s" for each in times))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("das3_run", type=Path)
    parser.add_argument("shared", type=Path)
    parser.add_argument("--output", type=Path, default=Path("build/fleet"))
    parser.add_argument("--model", default="espnetv2_s0.5_dynamic")
    parser.add_argument("--steps", type=int, default=10, help="of each stage in each round")
    parser.add_argument("--statistics", nargs="*", default=["local", "average"])
    parser.add_argument("--ray", type=Path, help="a Python with ray")
    arguments = parser.parse_args()
    arguments.output = arguments.output.resolve()
    arguments.network = (arguments.shared / "models" / f"{arguments.model}.onnx").resolve()
    arguments.output.mkdir(parents=True, exist_ok=True)
    if not (arguments.output / "places").exists():
        prepare(arguments.shared.resolve(), arguments.output / "places")
    file = arguments.output / "fleet.json"
    found = json.loads(file.read_text()) if file.exists() else {}
    arguments.keep = lambda: file.write_text(json.dumps(found, indent=1))
    measure_places(found, arguments)
    measure_scaling(found, arguments)
    arguments.keep()
    print_places(found, arguments)
    print()
    print_scaling(found)


if __name__ == "__main__":
    main()
