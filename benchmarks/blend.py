"""Networks and places in, docs/blend.md out: what a blend of statistics does, alone and before DAS3.

See README.md for the tables.
"""

import argparse
import json
import os
import shlex
import statistics
import subprocess
import sys
from typing import NamedTuple

from runs import CHECKOUT, Run, add_options, made_by, parsed, run_all

WEATHER = ("fog", "dark", "noise", "blur")
NOTHING = ("black", "grey", "one")  # streams from which nothing can be learned
ODD = ("sky", "covered", "split")  # streams that are not what a camera ought to see


class Pair(NamedTuple):
    """A network and the place it comes to; files are those below shared/."""

    name: str
    place: str
    model: str

    def __str__(self) -> str:
        return f"{self.name} → {self.place}"

    @property
    def size(self) -> str:
        return {"CamVid": "480x360", "KITTI": "832x256"}[self.place]

    @property
    def folder(self) -> str:
        return self.place.lower()

    @property
    def frames(self) -> str:
        return {"CamVid": "train", "KITTI": "adapt"}[self.place]


PLACES = ("KITTI", "CamVid")
PAIRS = [
    *(Pair(name, place, f"models/{file}_dynamic") for name, file in (
        ("ESPNetv2 s1.0", "espnetv2_s1.0"), ("ESPNetv2 s0.5", "espnetv2_s0.5"),
        ("ESPNet q8", "espnet_q8")) for place in PLACES),
    *(Pair(name, place, f"pairs/{file}_{place.lower()}") for name, file in (
        ("DiCENet s1.0", "dicenet_s1.0"), ("ESPNet q3", "espnet_q3")) for place in PLACES),
]
# Those whose times are measured, and which meet streams from which nothing can be learned.
CHOSEN = [pair for pair in PAIRS if str(pair) in ("ESPNetv2 s1.0 → KITTI", "ESPNet q8 → CamVid")]


def hostile(options, pair: Pair, part: str, kind: str) -> str:
    """A folder with frames of `part` in bad weather, made where it is not there."""
    source = f"{options.shared}/{pair.folder}/{part}"
    folder = options.cache / "frames" / f"{pair.folder}-{part}-{kind}"
    if not folder.exists():
        made = folder.with_suffix(".part")
        subprocess.run([sys.executable, f"{options.shared}/hostile.py", source, made, kind],
                       check=True, cwd=CHECKOUT)
        made.rename(folder)
    return os.path.relpath(folder, CHECKOUT)


def command(options, pair: Pair, kind: str = "clear") -> list[str]:
    """Adapts to frames of a kind; measures on such frames, or on clear ones where they are odd."""
    data = f"{options.shared}/{pair.folder}"
    learned, measured = f"{data}/{pair.frames}", f"{data}/val"
    if kind != "clear":
        learned = hostile(options, pair, pair.frames, kind)
    if kind in WEATHER:
        measured = hostile(options, pair, "val", kind)
    words = [options.program, "adapt", "--json", "--model", f"{options.shared}/{pair.model}.onnx"]
    words += ["--input", learned, "--size", pair.size, "--threads", str(options.threads)]
    return [*words, "--val", measured, "--truth", f"{data}/val_labels", "--class-map",
            f"{options.shared}/labels/cityscapes_to_{pair.folder}.json"]


def blend_of(run: Run) -> dict:
    """What the run says of its blend."""
    return next(event for event in run.events if event["event"] == "blend")


def after(run: Run, stage: str) -> float:
    """mIoU at the end of a stage, in percent."""
    return run.miou("start") if stage == "source" else run.miou(stage)


def mean(runs: list[Run], stage: str) -> str:
    values = [after(run, stage) for run in runs]
    spread = f" ± {statistics.stdev(values):.2f}" if len(values) > 1 else ""
    return f"{statistics.fmean(values):.2f}{spread}"


def row(*cells) -> str:
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


def done(runs: list[Run]) -> list[Run]:
    """Those that have come to their end."""
    return [run for run in runs if not run.reason]


def summary(gains: list[float]) -> str:
    return f"Mean gain of the blend {statistics.fmean(gains):+.2f}, worst {min(gains):+.2f}."


def clear_table(alone: dict[Pair, Run], runs: dict[Pair, list[Run]]) -> list[str]:
    """Source, blend, and the stages of DAS3 from there."""
    lines = [row("network → place", "source", "share", "blend", "gain", "(a)", "(b)", "(c)",
                 "gain"), "|---" * 9 + "|"]
    gains = []
    for pair, run in alone.items():
        gains.append(run.curve()[-1][1] - run.miou("start"))
        own = done(runs[pair])
        stages = [mean(own, stage) for stage in "abc"] if own else ["–"] * 3
        last = statistics.fmean(after(each, "c") - after(each, "source") for each in own) if own else 0
        lines.append(row(pair, mean([run], "source"), blend_of(run)["share"],
                         f"{run.curve()[-1][1]:.2f}", f"{gains[-1]:+.2f}", *stages,
                         f"{last:+.2f}" if own else "–"))
    return [*lines, "", summary(gains)]


def signal_table(alone: dict[Pair, Run]) -> list[str]:
    """What the choice saw."""
    lines = [row("network → place", "share", "M", "IM", "F", "V", "taken"), "|---" * 7 + "|"]
    for pair, run in alone.items():
        blend = blend_of(run)
        for found in blend["candidates"]:
            lines.append(row(
                pair if found["share"] == 0 else "", found["share"], f"{found['M']:.3f}",
                f"{found['IM']:.3f}", f"{found['F']:.3f}", f"{found['V']:.4f}",
                "×" if found["share"] == blend["share"] else ""))
    return lines


def weather_table(runs: dict[tuple[Pair, str], Run]) -> list[str]:
    """Gain of the blend, and the share that was taken, of each pair in each weather."""
    lines = [row("network → place", *(f"{kind}: source, gain (share)" for kind in WEATHER)),
             "|---" * 5 + "|"]
    gains = []
    for pair in PAIRS:
        cells = []
        for kind in WEATHER:
            run = runs[pair, kind]
            if run.reason:
                cells.append("–")
                continue
            gains.append(run.curve()[-1][1] - run.miou("start"))
            share = blend_of(run)["share"]
            cells.append(f"{run.miou('start'):.2f}, {gains[-1]:+.2f} ({share})")
        lines.append(row(pair, *cells))
    return [*lines, "", summary(gains)]


def stream_table(runs: dict[tuple[Pair, str], Run]) -> list[str]:
    """What becomes of the clear frames when a network adapts to a stream of another kind."""
    lines = [row("network → place", "stream", "share", "gain", "why the source stays"),
             "|---" * 5 + "|"]
    for (pair, kind), run in runs.items():
        if run.reason:
            continue
        blend = blend_of(run)
        gain = run.curve()[-1][1] - run.miou("start")
        reason = (blend["reason"] or "").partition(",")[0].partition(";")[0]
        lines.append(row(pair, kind, blend["share"], f"{gain:+.2f}", reason))
    return lines


def time_table(options, alone: dict[Pair, Run]) -> list[str]:
    """Seconds of the blend against those of labelling the same frames once."""
    lines = [row("network → place", "frames", "blend, s", "segment, s", "ratio"), "|---" * 5 + "|"]
    for pair, run in alone.items():
        frames = run.events[-1]["frames"]
        words = [options.program, "bench", "--model", f"{options.shared}/{pair.model}.onnx",
                 "--size", pair.size, "--threads", "1", "--iterations", "40", "--json"]
        printed = subprocess.run(words, cwd=CHECKOUT, capture_output=True, text=True, check=True)
        segment = json.loads(printed.stdout)["median_ms"] * frames / 1000
        words = command(options, pair)
        words = [*words[:words.index("--threads")], "--threads", "1", "--method", "blend",
                 "--output", str(options.cache / "timed.onnx")]
        printed = subprocess.run(words, cwd=CHECKOUT, capture_output=True, text=True, check=True)
        seconds = json.loads(printed.stdout.splitlines()[-1])["blend"]["seconds"]
        lines.append(row(pair, frames, f"{seconds:.1f}", f"{segment:.1f}",
                         f"{seconds / segment:.2f}"))
    return lines


def page(options, alone, clear, weather, streams, runs: list[Run]) -> str:
    parts = [f"""# A blend of statistics

Mean and variance of every BatchNormalization are moved a part of the way from the source's to
those of the frames: `das3-run adapt --method blend`, and what every method that trains begins
with unless it is told `--start source`. How far is chosen without labels; `Sources/Das3Adapt/Blend`
says how, [blend-tried.md](blend-tried.md) what else was tried. mIoU in percent on labelled frames
that were not adapted to; a dash stands for what was not run.

{made_by(shlex.join(["blend.py", *sys.argv[1:]]), options, done(runs))}

## Alone, and as the start of DAS3

One set of defaults. The stages have the mean ± standard deviation over the seeds; the blend draws
nothing.
""", *clear_table(alone, clear), "\n## What the choice saw\n", *signal_table(alone)]
    if weather:
        parts += ["""
## In bad weather

Adapted to, and measured on, frames that were made foggy, dark, noisy or blurred.
""", *weather_table(weather)]
    if streams:
        parts += ["""
## Streams that are not what a camera ought to see

Adapted to them, measured on clear frames of the place. *black*, *grey* with a sensor's noise, *one*
frame again and again; *sky* alone, every other frame *covered*, the first half upside down (*split*).
""", *stream_table(streams)]
    parts += ["""
## Time

The blend of all frames against one pass of `segment` over them; one thread, without decoding.
""", *time_table(options, {pair: alone[pair] for pair in CHOSEN})]
    return "\n".join(parts) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="the first tables and the times alone")
    add_options(parser, cache="blend", out="blend.md")
    options = parsed(parser)

    def blended(pair: Pair, kind: str) -> Run:
        words = [*command(options, pair, kind), "--method", "blend"]
        return Run(options, f"{pair} {kind}", "blend", 0, words)

    alone = {pair: blended(pair, "clear") for pair in PAIRS}
    clear = {pair: [Run(options, str(pair), "das3", seed,
                        [*command(options, pair), "--method", "das3"])
                    for seed in options.seeds] for pair in PAIRS}
    weather, streams = {}, {}
    if not options.quick:
        weather = {(pair, kind): blended(pair, kind) for pair in PAIRS for kind in WEATHER}
        streams = {(pair, kind): blended(pair, kind) for pair in PAIRS
                   for kind in (*ODD, *(NOTHING if pair in CHOSEN else ()))}
    runs = [*alone.values(), *sum(clear.values(), []), *weather.values(), *streams.values()]
    run_all(options, runs)
    if len(done(list(alone.values()))) < len(PAIRS):
        return 1
    options.out.write_text(page(options, alone, clear, weather, streams, runs))
    return 0 if len(done(runs)) == len(runs) else 1


if __name__ == "__main__":
    sys.exit(main())
