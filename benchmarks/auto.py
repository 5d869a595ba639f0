"""Networks and places in, docs/results.md out: what `auto` makes of them, and what its guard chose.

See README.md for the tables.
"""

import argparse
import shlex
import statistics
import sys

from blend import CHOSEN, NOTHING, ODD, PAIRS, WEATHER, Pair, command, done, row
from runs import Run, add_options, made_by, parsed, run_all

STAGES = ("blend", "a", "b", "c")


def candidates(run: Run) -> dict[str, float]:
    """mIoU of the source and of what each stage led to, in percent."""
    found = {"source": run.miou("start")}
    measured = {event["stage"] for event in run.evaluations}
    return found | {stage: run.miou(stage) for stage in STAGES if stage in measured}


def gain(run: Run) -> float:
    return run.curve()[-1][1] - run.miou("start")


def regret(run: Run) -> float:
    """Points below the best of what was to be chosen from; labels choose that."""
    return max(candidates(run).values()) - run.curve()[-1][1]


def chosen(run: Run) -> str:
    """What the guard ended with."""
    events = [event for event in run.events if event["event"] == "guard"]
    if not events or not events[-1]["candidates"]:
        return "source"
    return events[-1]["candidates"][events[-1]["choice"]]["name"]


def reason(run: Run) -> str:
    """Why the source stayed, up to the first comma."""
    events = [event for event in run.events if event["event"] == "guard"]
    text = (events[-1]["reason"] if events else "") or ""
    return text.partition(",")[0].partition(";")[0]


def mean(values: list[float], form: str = "{:.2f}") -> str:
    spread = f" ± {statistics.stdev(values):.2f}" if len(values) > 1 else ""
    return form.format(statistics.fmean(values)) + spread


def pair_table(runs: dict[Pair, list[Run]]) -> list[str]:
    """Source, stages, choice, and the choice that labels would have made."""
    lines = [row("network → place", "seeds", "source", "blend", "(a)", "(b)", "(c)", "chosen",
                 "`auto`", "gain", "regret"), "|---" * 11 + "|"]
    gains, all_gains, regrets = [], [], []
    for pair, every in runs.items():
        own = done(every)
        if not own:
            lines.append(row(pair, 0, *["–"] * 9))
            continue
        stages = [mean(found) if (found := [candidates(run)[stage] for run in own
                                            if stage in candidates(run)]) else "–"
                  for stage in STAGES]
        gains.append(statistics.fmean(gain(run) for run in own))
        all_gains += [gain(run) for run in own]
        regrets += [regret(run) for run in own]
        lines.append(row(
            pair, len(own), f"{own[0].miou('start'):.2f}", *stages,
            ", ".join(chosen(run) for run in own), mean([run.curve()[-1][1] for run in own]),
            f"{gains[-1]:+.2f}", f"{statistics.fmean(regret(run) for run in own):.2f}"))
    return [*lines, "", summary(gains, all_gains, regrets)]


def summary(gains: list[float], all_gains: list[float], regrets: list[float]) -> str:
    if not gains:
        return "Nothing was run."
    return (f"Mean gain {statistics.fmean(gains):+.2f}, least of a mean {min(gains):+.2f}, of a single "
            f"run {min(all_gains):+.2f}; mean regret {statistics.fmean(regrets):.2f}, "
            f"largest {max(regrets):.2f}.")


def kind_table(runs: dict[tuple[Pair, str], list[Run]]) -> list[str]:
    """Runs on frames of another kind; the gain of every seed."""
    lines = [row("network → place", "frames", "source", "chosen", "gain of each seed", "gain",
                 "regret", "why the source stayed"), "|---" * 8 + "|"]
    gains, all_gains, regrets = [], [], []
    for (pair, kind), every in runs.items():
        own = done(every)
        if not own:
            continue
        of_seeds = [gain(run) for run in own]
        gains.append(statistics.fmean(of_seeds))
        all_gains += of_seeds
        regrets += [regret(run) for run in own]
        lines.append(row(
            pair, kind, f"{own[0].miou('start'):.2f}", ", ".join(chosen(run) for run in own),
            ", ".join(f"{found:+.2f}" for found in of_seeds), f"{gains[-1]:+.2f}",
            f"{statistics.fmean(regret(run) for run in own):.2f}",
            ", ".join(dict.fromkeys(filter(None, map(reason, own))))))
    return [*lines, "", summary(gains, all_gains, regrets)]


def page(options, clear, weather, streams, runs: list[Run]) -> str:
    return "\n".join([f"""# Results

What `das3-run adapt` does to a network without being told anything: the method `auto`, one set of
defaults for every network and place. mIoU in percent on labelled frames that were not adapted to.
*Chosen* is the set of weights that the guard ended with, without labels; *regret* is how far it is
below the best of source, blend and stages, which labels would have chosen. [blend.md](blend.md) has
the blend alone, [stages.md](stages.md) what each part of the method does,
[stream.md](stream.md) what `das3_online` makes of a stream.

{made_by(shlex.join(["auto.py", *sys.argv[1:]]), options, done(runs))}

## Ten networks and places

Mean ± standard deviation over the seeds.
""", *pair_table(clear), """
## In bad weather

Adapted to, and measured on, frames that were made foggy, dark, noisy or blurred.
""", *kind_table(weather), """
## Streams that are not what a camera ought to see

Adapted to them, measured on clear frames of the place. *black*, *grey* with a sensor's noise, *one*
frame again and again; *sky* alone, every other frame *covered*, the first half upside down (*split*).
""", *kind_table(streams)]) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_options(parser, cache="auto", out="results.md")
    options = parsed(parser)

    def adapted(pair: Pair, kind: str, seed: int) -> Run:
        return Run(options, f"{pair} {kind}", "auto", seed, command(options, pair, kind))

    # What decides most comes first: a run that is broken off has it.
    by_seed = {seed: {pair: adapted(pair, "clear", seed) for pair in PAIRS}
               for seed in options.seeds}
    clear = {pair: [found[pair] for found in by_seed.values()] for pair in PAIRS}
    streams = {(pair, kind): [adapted(pair, kind, 0)]
               for pair in CHOSEN for kind in (*NOTHING, *ODD)}
    weather = {(pair, kind): [adapted(pair, kind, seed) for seed in options.seeds]
               for pair in PAIRS for kind in WEATHER}
    runs = [run for found in (
        list(by_seed[options.seeds[0]].values()), sum(streams.values(), []),
        [every[0] for every in weather.values()], sum(clear.values(), []),
        [every[at] for at in range(1, len(options.seeds)) for every in weather.values()],
    ) for run in found]
    runs = list(dict.fromkeys(runs))
    run_all(options, runs)
    options.out.write_text(page(options, clear, weather, streams, runs))
    return 0 if len(done(runs)) == len(runs) else 1


if __name__ == "__main__":
    sys.exit(main())
