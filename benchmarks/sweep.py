"""Values of options in, a table and a picture out: what they do to the mIoU of an adaptation.

    sweep.py PAIR --over OPTION=VALUE,VALUE… [--over …] [more options] [-- those of das3-run adapt]

See README.md for examples.
"""

import argparse
import hashlib
import itertools
import json
import os
import re
import shlex
import statistics
import sys
from pathlib import Path
from typing import NamedTuple

from auto import mean
from blend import PAIRS, Pair, command, done, row
from charts import Found, Result, draw_band, draw_map
from runs import CHECKOUT, Run, add_options, made_by, parsed, run_all

# Options of das3-run adapt itself; every other name is a setting of its --set.
OPTIONS = ("method", "start", "stages", "steps", "every", "limit", "precision")
# What a file that describes a pair may say beside its title.
KEYS = {"model": "--model", "adapt": "--input", "val": "--val", "truth": "--truth",
        "size": "--size", "class_map": "--class-map", "teacher": "--teacher"}
NEEDED = ("model", "adapt", "val", "truth")
STREET = {"title": "Street network → streets by day", "model": "street.onnx", "adapt": "frames",
          "val": "frames", "truth": "truth"}
# Variables that choose kernels, and with them how results are rounded.
VARIABLES = ("DAS3_ISA", "DAS3_BACKEND", "ONEDNN_MAX_CPU_ISA", "OPENBLAS_CORETYPE")


class Axis(NamedTuple):
    """An option and the values that it takes."""

    option: str
    values: list[str]

    def __str__(self) -> str:
        separator = ";" if any("," in value for value in self.values) else ","
        return f"{self.option}={separator.join(self.values)}"


class Follower(NamedTuple):
    """A setting that keeps its proportion to an option."""

    setting: str
    option: str
    factor: float

    def __str__(self) -> str:
        return f"{self.setting}={self.option}*{self.factor:g}"


class Sweep(NamedTuple):
    """What is run, and what the page says of it."""

    axes: list[Axis]
    followers: list[Follower]
    more: list[str]
    name: str = ""
    title: str = ""
    text: str = ""

    @property
    def points(self) -> list[tuple[str, ...]]:
        return list(itertools.product(*(axis.values for axis in self.axes)))

    def told(self, point: tuple[str, ...]) -> list[str]:
        """What das3-run is told at one point."""
        words = []
        given = dict(zip((axis.option for axis in self.axes), point, strict=True))
        for option, value in given.items():
            is_own = option in OPTIONS
            words += [f"--{option}={value}"] if is_own else ["--set", f"{option}={value}"]
        for follower in self.followers:
            value = float(given[follower.option]) * follower.factor
            words += ["--set", f"{follower.setting}={value:g}"]
        return words

    def line(self, pair: str) -> str:
        """The command that makes this sweep alone."""
        words = ["python3", "benchmarks/sweep.py", pair]
        words += [word for axis in self.axes for word in ("--over", str(axis))]
        words += [word for follower in self.followers for word in ("--follow", str(follower))]
        return shlex.join([*words, *(["--", *self.more] if self.more else [])])


FROM_SOURCE = ["--method", "das3", "--start", "source"]
GAMMA = Axis("gamma", ["1", "3", "5"])
FIGURE3 = (
    Sweep([Axis("alpha", ["0.0005", "0.002", "0.008"]), GAMMA], [Follower("beta", "alpha", 0.1)],
          [*FROM_SOURCE, "--stages", "a", "--set", "optimizer=sgd", "--set", "drift_a=0"],
          "sgd", "α × γ, steps as in the paper", """\
α is the weight of the focal entropy in stage (a) (`alpha`), γ its exponent (`gamma`). The weight of
the diversity, β (`beta`), stays α / 10. Steps are those of plain gradient descent at the paper's
rate, and however many labels change, the stage goes on (`drift_a=0`)."""),
    Sweep([GAMMA], [], [*FROM_SOURCE, "--stages", "a"], "default", "γ, steps of the library", """\
The library's own steps have a length relative to the network's weights. A factor of all losses,
which is what α is while β follows it, does not change them: only γ is left."""),
    Sweep([Axis("negative_threshold", ["0.01", "0.02", "0.05", "0.1", "0.2"])], [],
          [*FROM_SOURCE, "--stages", "ab"], "negative", "λ_neg", """\
λ_neg is the probability below which a class is ruled out in stage (b) (`negative_threshold`); it is
not the weight of that loss, which is `negative_weight` and stays 1. The stages (a) and (b) are run
with the library's defaults."""),
)


def shared_name(pair: Pair) -> str:
    stem = Path(pair.model).name.removesuffix("_dynamic").removesuffix(f"_{pair.folder}")
    return f"{stem}-{pair.folder}"


SHARED = {shared_name(pair): pair for pair in PAIRS}


def pair_command(options, name: str) -> tuple[str, list[str]]:
    """The title of a pair, and what all its runs have in common."""
    if name in SHARED:
        return str(SHARED[name]), command(options, SHARED[name])
    if name == "street":
        given, folder = STREET, CHECKOUT / "examples" / "street"
    else:
        given, folder = described(Path(name)), Path(name).resolve().parent
    words = [options.program, "adapt", "--json", "--threads", str(options.threads)]
    for key, option in KEYS.items():
        if key in given:
            value = given[key]
            words += [option, value if key == "size" else os.path.relpath(folder / value, CHECKOUT)]
    return given.get("title", Path(name).stem), words


def described(path: Path) -> dict[str, str]:
    """A pair's file: a JSON object of strings."""
    if path.suffix != ".json":
        known = ", ".join(["street", *SHARED])
        raise ValueError(f"the pair '{path}' is unknown; expected {known}, or a .json file")
    try:
        given = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise ValueError(f"cannot read the pair '{path}': {error}") from error
    if not isinstance(given, dict) or not all(isinstance(value, str) for value in given.values()):
        raise ValueError(f"{path}: expected an object whose values are strings")
    if missing := [key for key in NEEDED if key not in given]:
        raise ValueError(f"{path}: '{missing[0]}' is missing; needed are {', '.join(NEEDED)}")
    if unknown := [key for key in given if key not in (*KEYS, "title")]:
        raise ValueError(f"{path}: '{unknown[0]}' is unknown; known are {', '.join(KEYS)}, title")
    return given


def digest(words: list[str]) -> str:
    """Of all files that the words name, and of what stands beside those files under their name."""
    found = hashlib.sha256()
    for path in (CHECKOUT / word for word in words if word):
        if path.is_dir():
            files = path.rglob("*")
        elif path.is_file():
            files = (each for each in path.parent.iterdir() if each.name.startswith(path.stem))
        else:
            continue
        for file in sorted(each for each in files if each.is_file()):
            found.update(file.name.encode())
            with file.open("rb") as opened:
                found.update(hashlib.file_digest(opened, "sha256").digest())
    return found.hexdigest()


def sweep_runs(options, sweep: Sweep, words: list[str]) -> dict[tuple[str, ...], list[Run]]:
    """The runs of each point, one a seed."""
    variables = [f"{name}={os.environ.get(name, '')}" for name in VARIABLES]
    inputs = (digest([*words[1:], *sweep.more]), *variables)
    pair, runs = Path(options.pair).name, {}
    for point in sweep.points:
        name = re.sub(r"[^\w.=+-]", "_", " ".join(point))[:80]
        every = [*words, *sweep.more, *sweep.told(point)]
        runs[point] = [Run(options, pair, name, seed, every, inputs) for seed in options.seeds]
    return runs


def result(runs: list[Run]) -> Found:
    """What a point of the picture shows."""
    values = [run.curve()[-1][1] for run in done(runs)]
    if not values and any(run.is_cached_only for run in runs):
        return "not run"
    if not values:
        return "refused" if any(run.is_refused for run in runs) else "failed"
    return Result(statistics.fmean(values), statistics.stdev(values) if len(values) > 1 else None)


def table(sweep: Sweep, runs: dict[tuple[str, ...], list[Run]]) -> list[str]:
    """A line for each point; a value that was refused has the message."""
    count = len(sweep.axes)
    lines = [row(*(f"`{axis.option}`" for axis in sweep.axes), "mIoU", "gain", "seconds"),
             "|---" * (count + 3) + "|"]
    for run in done(sum(runs.values(), []))[:1]:
        lines.append(row("source", *[""] * (count - 1), f"{run.miou('start'):.2f}", "", ""))
    notes = []
    for point, every in runs.items():
        own, lacking = done(every), [run for run in every if run.reason]
        if not own:
            state, reason = result(every), lacking[0].reason.replace("|", "\\|")
            words = reason if state == "not run" else f"{state}: {reason}"
            lines.append(row(*point, words, "", ""))
            continue
        notes += [f"\n{run}: not run, {run.reason}" for run in lacking]
        seconds = [sum(stage["seconds"] for stage in run.stages(None).values()) for run in own]
        lines.append(row(
            *point, mean([run.curve()[-1][1] for run in own]),
            mean([run.curve()[-1][1] - run.miou("start") for run in own], "{:+.2f}"),
            f"{statistics.fmean(seconds):.1f}"))
    return [*lines, *notes]


def picture(title: str, sweep: Sweep, runs: dict[tuple[str, ...], list[Run]]) -> str:
    finished = done(sum(runs.values(), []))
    source = finished[0].miou("start") if finished else 0
    found = {point: result(every) for point, every in runs.items()}
    if len(sweep.axes) == 1:
        single = {point[0]: each for point, each in found.items()}
        return draw_band(title, sweep.axes[0].option, single, source)
    options, values = zip(*sweep.axes, strict=True)
    return draw_map(title, options, values, found, source)


def section(options, title: str, sweep: Sweep, runs: dict[tuple[str, ...], list[Run]]) -> str:
    """Words, table and picture of one sweep."""
    name = "-".join(filter(None, [options.out.stem, sweep.name])) + ".svg"
    over = " × ".join(axis.option for axis in sweep.axes)
    lines = [f"## {sweep.title}\n\n{sweep.text}\n"] if sweep.title else []
    if options.cached and not done(sum(runs.values(), [])):
        lines += ["**Not run yet.**", ""]
    else:
        (options.out.parent / name).write_text(picture(title, sweep, runs))
        lines += [*table(sweep, runs), "", f"![mIoU over {over}]({name})", ""]
    return "\n".join([*lines, f"    {sweep.line(options.pair)}"]) + "\n"


def page(options, title: str, sections: list[str], runs: list[Run]) -> str:
    name = "Figure 3 of the paper" if options.figure3 else title
    seeds = ", ".join(map(str, options.seeds))
    count = len(options.seeds)
    meant = f"mean ± standard deviation over the seeds {seeds}" if count > 1 else (
        f"**one run each, with seed {seeds}**: differences of a few tenths may be chance")
    made = made_by(shlex.join(["sweep.py", *sys.argv[1:]]), options, done(runs))
    return "\n".join([f"""# {name}

{title}: mIoU in percent on labelled frames, {meant}.
Gain is what was added to the network as it came. Seconds are those of the steps and their labels,
not of measuring; other work on the machine lengthens them. What is not swept has the library's
defaults or stands behind `--`.

{made}
""", *sections])


def axis(words: str) -> Axis:
    option, _, rest = words.partition("=")
    values = [value.strip() for value in rest.split(";" if ";" in rest else ",")]
    values = list(dict.fromkeys(filter(None, values)))
    if not re.fullmatch(r"[a-z_]+", option) or not values:
        raise argparse.ArgumentTypeError(f"'{words}'; expected such as alpha=0.001,0.002")
    return Axis(option, values)


def follower(words: str) -> Follower:
    found = re.fullmatch(r"([a-z_]+)=([a-z_]+)([*/])([0-9.e-]+)", words)
    try:
        setting, option, sign, number = found.groups()
        return Follower(setting, option, float(number) if sign == "*" else 1 / float(number))
    except (AttributeError, ValueError, ZeroDivisionError):
        raise argparse.ArgumentTypeError(f"'{words}'; expected such as beta=alpha/10") from None


def check(parser: argparse.ArgumentParser, options):
    """Refuses what cannot be swept."""
    if options.figure3 and (options.over or options.follow):
        parser.error("--figure3 has its own --over and --follow")
    names = [each.option for each in options.over]
    if not options.figure3 and not 1 <= len(names) <= 2:
        parser.error(f"found {len(names)} --over; expected one or two, or --figure3")
    if len(set(names)) < len(names):
        parser.error(f"'{names[0]}' is swept twice; its values stand behind one --over")
    values = {each.option: each.values for each in options.over}
    for each in options.follow:
        if each.option not in values:
            parser.error(f"--follow {each}: '{each.option}' is not swept")
        for value in values[each.option]:
            try:
                float(value)
            except ValueError:
                parser.error(f"--follow {each}: '{value}' is not a number")


def arguments():
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0], usage=__doc__.splitlines()[2].strip(),
        epilog="What comes after -- is told to every das3-run adapt.")
    parser.add_argument("pair", metavar="PAIR",
                        help=f"street, {', '.join(SHARED)}, or a .json file")
    parser.add_argument("--over", type=axis, action="append", default=[],
                        help="an option of das3-run adapt, or of its --set, and values; once or "
                             "twice. ; instead of , where values have commas")
    parser.add_argument("--follow", type=follower, action="append", default=[],
                        help="a setting in proportion to a swept option, such as beta=alpha/10")
    parser.add_argument("--figure3", action="store_true", help="the sweeps of the paper's figure 3")
    add_options(parser, cache="sweep", out="sweep.md", folder="out")
    words = sys.argv[1:]
    end = words.index("--") if "--" in words else len(words)
    options = parsed(parser, words[:end])
    options.more = words[end + 1:]
    check(parser, options)
    try:
        return options, *pair_command(options, options.pair)
    except ValueError as error:
        parser.error(str(error))


def main() -> int:
    options, title, words = arguments()
    sweeps = FIGURE3 if options.figure3 else [Sweep(options.over, options.follow, [])]
    sweeps = [sweep._replace(more=[*sweep.more, *options.more]) for sweep in sweeps]
    runs = [sweep_runs(options, sweep, words) for sweep in sweeps]
    every = [run for found in runs for same in found.values() for run in same]
    run_all(options, every)
    sections = [section(options, title, *each) for each in zip(sweeps, runs, strict=True)]
    text = page(options, title, sections, every)
    options.out.write_text(text)
    print(text)
    # A refused value is a result, unless all of them are.
    is_failed = any(run.reason and not run.is_refused for run in every)
    return 1 if is_failed or not done(every) else 0


if __name__ == "__main__":
    sys.exit(main())
