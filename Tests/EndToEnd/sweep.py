"""Runs benchmarks/sweep.py on the street frames and reads its tables and pictures.

    python Tests/EndToEnd/sweep.py DAS3_RUN STREET

STREET is examples/street. Numbers must be those of das3-run itself, what it refuses must be said,
and a sweep that was stopped must go on. Prints what it checks and, last, how many checks passed.
"""

import json
import pathlib
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as tree

from client import Checks, Program

SCRIPT = pathlib.Path(__file__).resolve().parents[2] / "benchmarks" / "sweep.py"
FAST = ("--", "--method", "das3", "--start", "source", "--stages", "a", "--steps", "a=6")
LARGE = ("--set", "optimizer=sgd", "--set", "rate_a=0.01")
SVG = "{http://www.w3.org/2000/svg}"


class Sweeper:
    def __init__(self, das3):
        self.das3, self.out = das3, das3.scratch / "page" / "sweep.md"
        self.cache = das3.scratch / "cache"

    def command(self, *words):
        """Its own options come before what each run is told."""
        own = ("--program", self.das3.program, "--cache", self.cache, "--out", self.out)
        at = words.index("--") if "--" in words else len(words)
        return [str(word) for word in (
            sys.executable, SCRIPT, *words[:at], *own, "--threads", 1, *words[at:])]

    def run(self, *words):
        return subprocess.run(self.command(*words), capture_output=True, text=True, timeout=600)

    def table(self):
        """The cells of each line of the page's table but the heading."""
        lines = [line for line in self.out.read_text().splitlines() if line.startswith("| ")]
        return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[1:]]

    def kept(self):
        return {path: path.stat().st_mtime_ns for path in self.cache.glob("*.jsonl")}


def picture(path, check, name):
    """Must be whole, without anything from elsewhere; its elements by their names."""
    root = tree.parse(path).getroot()
    found = list(root.iter())
    links = [key for each in found for key in each.attrib if key.endswith(("href", "src"))]
    allowed = {SVG + kind for kind in ("svg", "rect", "text", "polyline", "polygon", "circle")}
    check(f"{name}: stands alone", not links and {each.tag for each in found} <= allowed, links)
    width, height = map(float, root.get("viewBox").split()[2:])
    sheet = found[1]
    check(f"{name}: on white", (sheet.get("fill"), sheet.get("width")) == ("white", f"{width:g}"))
    words = [each for each in found if each.tag == SVG + "text"]
    inside = all(0 <= float(word.get("x")) <= width and 0 <= float(word.get("y")) <= height
                 for word in words)
    check(f"{name}: words are inside", inside)
    return found, [word.text for word in words]


def two_options(sweeper, check):
    das3 = sweeper.das3
    words = ("street", "--over", "alpha=0.002,-1,1", "--over", "gamma=1,3", "--seeds", "0,1",
             "--follow", "beta=alpha/10", *FAST, *LARGE)
    result = sweeper.run(*words)
    check("two options: exit code 0", result.returncode == 0, result.stderr)
    page = sweeper.out.read_text()
    check("two options: the page is printed", result.stdout.strip() == page.strip())
    rows = sweeper.table()
    points = [row[:2] for row in rows[1:]]
    expected = [[a, g] for a in ("0.002", "-1", "1") for g in ("1", "3")]
    check("two options: a row for each point", points == expected, points)
    source = rows[0][2]
    for alpha, gamma in (("0.002", "3"), ("1", "1")):
        told = ["--set", f"alpha={alpha}", "--set", f"beta={float(alpha) / 10:g}"]
        told += ["--set", f"gamma={gamma}", *FAST[1:], *LARGE]
        last = [das3.events(das3.scratch / "own.onnx", *told, method=None, seed=seed, threads=1,
                            val=das3.frames, truth=das3.truth)[-1] for seed in (0, 1)]
        after = [event["miou_after"] for event in last]
        gains = [event["miou_after"] - event["miou_before"] for event in last]
        found = next(row for row in rows if row[:2] == [alpha, gamma])
        wanted = [f"{statistics.fmean(after):.2f} ± {statistics.stdev(after):.2f}",
                  f"{statistics.fmean(gains):+.2f} ± {statistics.stdev(gains):.2f}"]
        check(f"alpha {alpha}, gamma {gamma}: what das3-run gives", found[2:4] == wanted,
              f"{found}, {wanted}")
        check("  and it took time", float(found[4]) > 0, found)
        check("  and the source is the same", source == f"{last[0]['miou_before']:.2f}", source)
    check("values do something", len({row[2] for row in rows if row[0] == "1"}) == 2, rows)
    for row in rows:
        if row[0] == "-1":
            check(f"alpha -1, gamma {row[1]}: refused, and why",
                  row[2].startswith("refused: ") and "alpha is -1" in row[2], row)
    found, words_in = picture(sweeper.out.with_suffix(".svg"), check, "map")
    cells = [each for each in found if each.tag == SVG + "rect"][1:]
    check("map: a cell for each point", len(cells) == 6, len(cells))
    check("map: two are refused", words_in.count("refused") == 2, words_in)
    shown = [row[2] for row in rows[1:] if row[0] != "-1"]
    check("map: the others have their mIoU", all(value in words_in for value in shown), words_in)
    kept = sweeper.kept()
    check("four points, two seeds are kept", len(kept) == 8, len(kept))
    again = sweeper.run(words[0], "--cached", *words[1:])
    check("again: nothing is run", sweeper.kept() == kept)
    check("again: the same table, but for what was not run",
          again.returncode == 1 and "| not run yet |" in again.stdout, again.stdout)
    changed = sweeper.run(*words)
    check("once more: the same page", changed.returncode == 0 and sweeper.out.read_text() == page)
    check("with nothing run again", sweeper.kept() == kept)


def one_option(sweeper, check):
    result = sweeper.run("street", "--over", "method=bn,magic,tent", "--seeds", "0,1",
                         "--jobs", "2", "--", "--steps", "8")
    rows, methods = sweeper.table(), ["source", "bn", "magic", "tent"]
    check("methods: exit code 0", result.returncode == 0, result.stderr)
    check("methods: in their order", [row[0] for row in rows] == methods, rows)
    check("methods: one is refused", "refused: " in rows[2][1] and "magic" in rows[2][1], rows)
    found, _ = picture(sweeper.out.with_suffix(".svg"), check, "methods")
    kinds = [each.tag.removeprefix(SVG) for each in found]
    check("methods: points, and no line between them",
          kinds.count("circle") == 2 and "polygon" not in kinds, kinds)
    result = sweeper.run("street", "--over", "steps=a=2,b=2;a=4,b=2", "--seeds", "0",
                         "--", "--method", "das3", "--stages", "ab")
    rows = sweeper.table()
    values = [row[0] for row in rows[1:]]
    check("steps: exit code 0", result.returncode == 0, result.stderr)
    check("steps: values with commas", values == ["a=2,b=2", "a=4,b=2"], rows)
    check("one seed: no deviation, and it is said",
          "±" not in rows[1][1] and "one run each" in result.stdout, result.stdout)
    result = sweeper.run("street", "--over", "gamma=5,1,3", "--seeds", "0,1", *FAST)
    found, words = picture(sweeper.out.with_suffix(".svg"), check, "gamma")
    band = [each for each in found if each.tag == SVG + "polygon"]
    check("gamma: a band of three means and deviations",
          len(band) == 1 and len(band[0].get("points").split()) == 6, band)
    places = [float(each.get("cx")) for each in found if each.tag == SVG + "circle"]
    is_sorted = len(places) == 3 and places == sorted(places)
    check("gamma: in the order of the numbers", is_sorted, places)
    shutil.rmtree(sweeper.cache)


def stopped(sweeper, check):
    words = ("street", "--over", "gamma=1,2,3", "--seeds", "0,1", *FAST[:-1], "a=40")
    for number, (sign, code) in enumerate(((signal.SIGTERM, 130), (signal.SIGKILL, -9)), 1):
        process = subprocess.Popen(sweeper.command(*words), stdout=subprocess.DEVNULL,
                                   stderr=subprocess.PIPE, text=True)
        deadline = time.monotonic() + 120
        while len(sweeper.kept()) < number and time.monotonic() < deadline:
            time.sleep(0.02)
        process.send_signal(sign)
        said = process.communicate()[1]
        check(f"{sign.name}: exit code {code}", process.returncode == code, process.returncode)
        count = len(sweeper.kept())
        check(f"{sign.name}: something is left to run", number <= count < 6, count)
        if sign == signal.SIGTERM:
            check("SIGTERM: says how to go on", "the same line goes on" in said, said)
            check("SIGTERM: no half runs", not list(sweeper.cache.glob("run-*")))
    before = sweeper.kept()
    result = sweeper.run(*words)
    after = sweeper.kept()
    check("goes on: exit code 0", result.returncode == 0, result.stderr)
    check("goes on: six runs", len(after) == 6, len(after))
    check("goes on: those that were done are not run again",
          all(after[path] == when for path, when in before.items()))


def own_pair(sweeper, check):
    folder = sweeper.das3.scratch / "own <pair>"
    shutil.copytree(sweeper.das3.street, folder)
    pair = folder / "pair.json"
    given = {"title": "Mine & <here>", "model": "street.onnx", "adapt": "frames", "val": "frames",
             "truth": "truth"}
    pair.write_text(json.dumps(given))
    words = (pair, "--over", "gamma=1,3", "--seeds", "0", *FAST)
    result = sweeper.run(*words)
    check("own pair: exit code 0", result.returncode == 0, result.stderr)
    _, shown = picture(sweeper.out.with_suffix(".svg"), check, "own pair")
    check("own pair: its title is text", shown[0].startswith("Mine & <here>"), shown[0])
    cached = (*words[:1], "--cached", *words[1:])
    check("own pair: found again", sweeper.run(*cached).returncode == 0)
    frame = folder / "frames" / "street0.png"
    frame.write_bytes((folder / "frames" / "street1.png").read_bytes())
    result = sweeper.run(*cached)
    check("own pair: other frames under the same names are run anew",
          result.returncode == 1 and "**Not run yet.**" in result.stdout, result.stdout)
    for key, value, said in (
        ("model", None, "'model' is missing"), ("weights", "x", "'weights' is unknown"),
        ("size", 4, "strings"),
    ):
        changed = given | {key: value}
        pair.write_text(json.dumps({k: v for k, v in changed.items() if v is not None}))
        rubbish(sweeper, check, said, pair, "--over", "gamma=1")
    pair.write_text("{")
    rubbish(sweeper, check, "cannot read the pair", pair, "--over", "gamma=1")
    pair.write_text(json.dumps(given | {"adapt": "nowhere"}))
    result = sweeper.run(pair, "--over", "gamma=1", "--seeds", "0", *FAST)
    check("own pair: no frames: failed, and why",
          result.returncode == 1 and "failed: " in result.stdout and "nowhere" in result.stdout,
          result.stdout)


def rubbish(sweeper, check, said, *words):
    """Must end at once with exit code 2 and a last line that says so."""
    result = sweeper.run(*words)
    lines = result.stderr.strip().splitlines() or [""]
    check(f"\"… {said} …\"", result.returncode == 2 and said in lines[-1] and not result.stdout,
          f"{result.returncode}, {result.stderr}")


def refusals(sweeper, check):
    over = ("--over", "gamma=1,3")
    for said, words in (
        ("the pair 'nowhere' is unknown; expected street, ", ("nowhere", *over)),
        ("cannot read the pair", (sweeper.das3.scratch / "none.json", *over)),
        ("found 0 --over; expected one or two", ("street",)),
        ("found 3 --over", ("street", *over, "--over", "alpha=1", "--over", "beta=1")),
        ("'gamma' is swept twice", ("street", *over, *over)),
        ("'gamma'; expected such as alpha=0.001,0.002", ("street", "--over", "gamma")),
        ("'gamma=,'", ("street", "--over", "gamma=,")),
        ("'beta'; expected such as beta=alpha/10", ("street", *over, "--follow", "beta")),
        ("'beta=gamma/0'", ("street", *over, "--follow", "beta=gamma/0")),
        ("'alpha' is not swept", ("street", *over, "--follow", "beta=alpha/10")),
        ("'x' is not a number", ("street", "--over", "alpha=x", "--follow", "beta=alpha/10")),
        ("--figure3 has its own", ("street", *over, "--figure3")),
    ):
        rubbish(sweeper, check, said, *words)
    result = sweeper.run("street", "--over", "omega=1", "--seeds", "0", *FAST)
    check("all values refused: exit code 1, and why",
          result.returncode == 1 and '"omega" is not a setting' in result.stdout, result.stdout)


def figure3(sweeper, check):
    """Without a run: which sweeps there are, and that their lines make them."""
    result = sweeper.run("street", "--figure3", "--cached", "--seeds", "0")
    lines = re.findall(r"^    python3 benchmarks/(sweep.py .*)$", result.stdout, re.M)
    check("figure 3: three sweeps", len(lines) == 3, result.stdout)
    counts = [line.count("--over") for line in lines]
    check("figure 3: a map, two lines", counts == [2, 1, 1], lines)
    check("figure 3: beta follows alpha", "--follow 'beta=alpha*0.1'" in lines[0], lines)
    check("figure 3: λ_neg is the threshold", "--over negative_threshold=" in lines[2], lines)
    check("figure 3: none of them was run", result.returncode == 1
          and result.stdout.count("**Not run yet.**") == 3 and not sweeper.table(), result.stdout)


    # What the page says of the library's own steps.
    sweeper.run("street", "--over", "alpha=0.0005,0.008", "--follow", "beta=alpha/10",
                "--seeds", "0", *FAST[:-1], "a=40", "--set", "drift_a=0", "--set", "rate_a=1e-5")
    first, second = (row[1] for row in sweeper.table()[1:])
    check("alpha does not change the library's own steps", first == second != sweeper.table()[0][1],
          sweeper.table())


def main(program, street):
    check = Checks()
    with tempfile.TemporaryDirectory() as scratch:
        sweeper = Sweeper(Program(program, street, pathlib.Path(scratch)))
        two_options(sweeper, check)
        one_option(sweeper, check)
        stopped(sweeper, check)
        own_pair(sweeper, check)
        refusals(sweeper, check)
        figure3(sweeper, check)
    return check.end()


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve()))
