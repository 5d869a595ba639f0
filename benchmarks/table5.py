"""Networks and frames in, docs/stages.md out: what each part of the method does to mIoU.

See README.md for the rows.
"""

import argparse
import shlex
import statistics
import sys
from typing import NamedTuple

from curves import draw_curves
from runs import Run, add_options, made_by, parsed, run_all

EVALUATE_EVERY = 80


class Pair(NamedTuple):
    """A network and the place it comes to; paths are those below shared/."""

    title: str
    model: str
    data: str
    frames: str
    size: str
    teacher: str | None = None

    def command(self, options) -> list[str]:
        """What all its runs have in common."""
        models, data = f"{options.shared}/models", f"{options.shared}/{self.data}"
        labels = f"{options.shared}/labels/cityscapes_to_{self.data}.json"
        words = [options.program, "adapt", "--json", "--model", f"{models}/{self.model}.onnx"]
        words += ["--input", f"{data}/{self.frames}", "--size", self.size]
        words += ["--val", f"{data}/val", "--truth", f"{data}/val_labels", "--class-map", labels]
        words += ["--teacher", f"{models}/{self.teacher}.onnx"] if self.teacher else []
        words += ["--evaluate-every", str(EVALUATE_EVERY), "--threads", str(options.threads)]
        return words + options.more


class Row(NamedTuple):
    """A line of the table: where in which run its mIoU stands."""

    name: str
    title: str
    run: str
    stage: str | None  # whose end it is; "start" = before the first, None = a method without

    @property
    def label(self) -> str:
        return f"({self.name})" if len(self.name) == 1 else self.name


ESPNETV2, ESPNET = "espnetv2_s1.0_dynamic", "espnet_q8_dynamic"
PAIRS = {
    "kitti": Pair("ESPNetv2 → KITTI", ESPNETV2, "kitti", "adapt", "832x256"),
    "camvid": Pair("ESPNet → CamVid", ESPNET, "camvid", "train", "480x360"),
    "blackbox": Pair("Black box: ESPNet taught by ESPNetv2 → CamVid", ESPNET, "camvid", "train",
                     "480x360", teacher=ESPNETV2),
}
BASELINES = {
    "bn": "BatchNorm statistics alone", "tent": "entropy, BatchNorm alone",
    "entropy": "entropy", "maxsquare": "maximum squares", "selftrain": "positive labels alone",
    "urma": "classifiers under dropout", "ld": "ranked negative labels", "hcl": "an older copy",
    "dine": "soft labels with memory", "atp": "align, teach, propagate",
}
# The paper's: frames as they are, and half of the classes of one over another, in 150 steps.
DAS3 = ["--method", "das3", "--start", "source"]
PAPER = [*DAS3, "--set", "mixing=classes", "--steps", "c=150"]
PLAIN = [*PAPER, "--set", "augment=0"]
RUNS = {  # what das3-run adapt is told beside the pair and the seed
    "whole": PLAIN,
    "focal": [*PLAIN, "--stages", "a", "--set", "beta=0"],
    "positive": [*PLAIN, "--stages", "ab", "--set", "negative_weight=0"],
    "augmented": PAPER,
    "places": [*DAS3, "--steps", "c=150"],
    "long": DAS3,
    "enlarged": [*DAS3, "--set", "enlarge=1"],
    "zoomed": [*DAS3, "--set", "zoom=1"],
    "rare": [*DAS3, "--set", "rare_patches=2"],
    "bn": ["--method", "bn"],
} | {method: ["--method", method, "--start", "source"] for method in BASELINES if method != "bn"}
ROWS = (
    Row("source", "the network as it came", "whole", "start"),
    Row("a", "focal entropy", "focal", "a"),
    Row("b", "+ diversity: all of stage a", "whole", "a"),
    Row("c", "+ positive labels", "positive", "b"),
    Row("d", "+ negative labels: all of stage b", "whole", "b"),
    Row("e", "+ easy frames and ClassMix: all of stage c", "whole", "c"),
    Row("f", "+ augmentation in stage c", "augmented", "c"),
    Row("g", "quarters of four frames in stage c, not classes of two", "places", "c"),
    Row("h", "+ 450 steps in stage c: the defaults", "long", "c"),
    Row("i", "the defaults, and enlarged parts of frames in (b) and (c)", "enlarged", "c"),
    Row("j", "the defaults, and labels from enlarged parts, too", "zoomed", "c"),
    Row("k", "the defaults, and cells with rare classes over mixed frames", "rare", "c"),
    *(Row(method, title, method, None) for method, title in BASELINES.items()),
)
TAUGHT_ROWS = ("source", "c", "d", "e", "f", "g", "h", "selftrain", "dine")


def cells(row: Row, runs: list[Run]) -> list[str]:
    """mIoU, gain, steps, seconds, bookkeeping: means over the seeds."""
    values = [run.miou(row.stage) for run in runs]
    if not values:
        return ["–"] * 5
    spread = f" ± {statistics.stdev(values):.2f}" if len(values) > 1 else ""
    miou = f"{statistics.fmean(values):.2f}{spread}"
    if row.stage == "start":
        return [miou, "", "", "", ""]
    gain = statistics.fmean(run.miou(row.stage) - run.miou("start") for run in runs)
    stages = [run.stages(row.stage) for run in runs]

    def means(key: str) -> dict:
        return {name: statistics.fmean(seed[name][key] for seed in stages) for name in stages[0]}

    def sum_of(key: str) -> str:
        return " + ".join(f"{value:.0f}" for value in means(key).values())

    share = 100 * (1 - means("network_seconds")[row.stage] / means("seconds")[row.stage])
    # What a teacher takes is neither the network's nor ours.
    bookkeeping = "–" if PAIRS[runs[0].pair].teacher else f"{share:.1f} %"
    return [miou, f"{gain:+.2f}", sum_of("steps"), sum_of("seconds"), bookkeeping]


def section(options, pair: str, rows: list[Row], runs: list[Run]) -> str:
    """The table, the picture and the commands of a pair."""
    done = {name: [run for run in runs if run.name == name and not run.reason] for name in RUNS}
    lines = [f"## {PAIRS[pair].title}", ""]
    lines += ["| row | | options | mIoU | gain | steps | seconds | bookkeeping |"]
    lines += ["|---" * 8 + "|"]
    for row in rows:
        values = cells(row, done[row.run])
        given = f"`{shlex.join(RUNS[row.run])}`" if RUNS[row.run] else ""
        lines.append("| " + " | ".join([row.label, row.title, given, *values]) + " |")
    command = shlex.join(PAIRS[pair].command(options))
    lines += ["", f"![mIoU over steps](curves-{pair}.svg)", ""]
    lines += [f"    {command} --output adapted.onnx --seed $seed $options"]
    lines += [f"\n{run}: not run, {run.reason}" for run in runs if run.reason]
    curves = {}
    for name in RUNS:
        labels = [row.label for row in ROWS if row.run == name and row.stage != "start"]
        curves[" ".join(labels)] = [run.curve() for run in done[name]]
    picture = draw_curves(PAIRS[pair].title, curves)
    (options.out.parent / f"curves-{pair}.svg").write_text(picture)
    return "\n".join(lines) + "\n"


def heading(options, runs: list[Run]) -> str:
    seeds = ", ".join(map(str, options.seeds))
    return f"""# The parts of the method

mIoU in percent on labelled frames that were not adapted to: mean ± standard deviation over the
seeds {seeds}. Settings are the library's defaults, the same for all networks and places, but
for what a row says; every row begins at the network as it came, as in the paper
([blend.md](blend.md) has what a blend of statistics adds). Steps and seconds are those of the
stages, one after the other; a stage may
end before its last step. Seconds are those of the steps and their labels, not of measuring.
Bookkeeping is the part of the last stage's seconds that was not spent in passes of the network:
frames, labels, losses, new weights.

{made_by(shlex.join(["table5.py", *sys.argv[1:]]), options, runs)}
[benchmarks/README.md](../benchmarks/README.md) says what the rows are.
"""


def arguments():
    def names(known):
        def chosen(text: str) -> list[str]:
            words = text.split(",")
            if unknown := [word for word in words if word not in known]:
                raise argparse.ArgumentTypeError(
                    f"'{unknown[0]}' is unknown; expected some of {','.join(known)}")
            return [name for name in known if name in words]
        return chosen

    rows = [row.name for row in ROWS]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=names(PAIRS), default=[*PAIRS],
                        help=f"some of {','.join(PAIRS)} (default: all)")
    parser.add_argument("--rows", type=names(rows), default=rows,
                        help=f"some of {','.join(rows)} (default: all)")
    add_options(parser, cache="table5", out="stages.md")
    parser.add_argument("more", nargs="*", help="after --: for every das3-run adapt")
    return parsed(parser)


def main() -> int:
    options = arguments()
    tables = {}
    for pair in options.pairs:
        rows = [row for row in ROWS if row.name in options.rows
                and (not PAIRS[pair].teacher or row.name in TAUGHT_ROWS)]
        command = PAIRS[pair].command(options)
        runs = [Run(options, pair, name, seed, [*command, *RUNS[name]]) for seed in options.seeds
                for name in dict.fromkeys(row.run for row in rows)]
        tables[pair] = (rows, runs)
    runs = [run for _, runs in tables.values() for run in runs]
    run_all(options, runs)
    text = [heading(options, runs)]
    text += [section(options, pair, *table) for pair, table in tables.items()]
    options.out.write_text("\n".join(text))
    return 1 if any(run.reason for run in runs) else 0


if __name__ == "__main__":
    sys.exit(main())
