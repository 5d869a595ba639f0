"""Runs das3-run adapt --report on the street frames and reads the pages that it writes.

    python Tests/EndToEnd/report.py DAS3_RUN STREET

STREET is examples/street. A page must stand alone, say what the JSON says, show pictures that can be
decoded, and take no name for markup. Prints what it checks and, last, how many checks passed.
"""

import base64
import html.parser
import io
import json
import pathlib
import re
import shutil
import sys
import tempfile

import numpy as np
from PIL import Image

from client import Checks, Program, interrupt, rubbish

SECTIONS = ["Settings", "Guard and blend", "Curves", "Classes", "Frames", "Times and memory"]
VOID = {"meta", "link", "img", "br"}
# What a page would need another file or address for, and which attribute would say so.
LINKS = {"src", "href", "srcset", "action", "data", "poster", "background", "xlink:href"}
HOSTILE = "<script>alert('&\"\\')</script>\u202e"
HOSTILE_AS_READ = "<script>alert('&\"\\')</script>\ufffd"


class Page(html.parser.HTMLParser):
    """What stands in a page, by the names of its elements."""

    def __init__(self, path):
        super().__init__()
        self.text = path.read_text(encoding="utf-8")
        self.open, self.unclosed = [], []
        self.tags, self.links, self.images, self.headings = set(), [], [], []
        self.tables, self.lead, self.title, self.attributes = {}, "", "", []
        self.caption, self.row = None, None
        self.feed(self.text)
        self.close()

    def handle_starttag(self, tag, attributes):
        named = dict(attributes)
        self.tags.add(tag)
        self.attributes += named
        self.links += [value for name, value in attributes if name in LINKS]
        if tag == "img":
            self.images.append(named)
        if tag == "h2":
            self.headings.append("")
        if tag == "caption":
            self.caption = ""
        if tag == "tbody":
            self.tables[self.caption] = []
        if tag == "tr" and "tbody" in self.open:
            self.row = []
            self.tables[self.caption].append(self.row)
        if tag in ("td", "th") and self.row is not None:
            self.row.append("")
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        self.open.pop()

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.unclosed.append(tag)
        if tag == "tbody":
            self.row = None

    def handle_data(self, data):
        where = self.open[-1] if self.open else ""
        if where == "h2":
            self.headings[-1] += data
        elif where == "caption":
            self.caption += data
        elif where == "title":
            self.title += data
        elif where == "p" and "header" in self.open:
            self.lead += data
        elif self.row and self.open[-1] in ("td", "th"):
            self.row[-1] += data

    def table(self, words):
        """The rows of the table whose caption begins so."""
        return next((rows for name, rows in self.tables.items() if name.startswith(words)), [])


def stands_alone(page, check, name):
    check(f"{name}: every element is closed", not page.unclosed and not page.open, page.unclosed)
    scripts = page.tags & {"script", "iframe", "object", "embed", "base", "form"}
    check(f"{name}: no scripts", not scripts, scripts)
    handlers = [attribute for attribute in page.attributes if attribute.startswith("on")]
    check(f"{name}: nothing that runs", not handlers, handlers)
    outside = [link[:60] for link in page.links if not link.startswith(("data:", "#"))]
    check(f"{name}: no other files or addresses", not outside, outside)
    inside = [link for link in page.links if link.startswith("#")]
    check(f"{name}: links lead somewhere",
          all(f'id="{link[1:]}"' in page.text for link in inside), inside)
    style = re.search(r"<style>(.*?)</style>", page.text, re.S)[1]
    check(f"{name}: no addresses in its style", "url(" not in style and "@import" not in style)
    check(f"{name}: light and dark", "prefers-color-scheme: dark" in style)
    check(f"{name}: language, title", '<html lang="en">' in page.text and page.title, page.title)
    good = True
    for image in page.images:
        kind, data = image["src"].split(",")
        picture = Image.open(io.BytesIO(base64.b64decode(data, validate=True)))
        picture.load()
        size = (int(image["width"]), int(image["height"]))
        good = good and kind == "data:image/png;base64" and picture.format == "PNG"
        good = good and picture.size == size and size[0] <= 480 and image["alt"]
    check(f"{name}: {len(page.images)} pictures are PNGs with texts", good and page.images)
    check(f"{name}: sections", page.headings == SECTIONS, page.headings)
    shares = page.table("Share of the pixels")
    for column, moment in ((1, "before"), (2, "after")):
        total = sum(float(row[column]) for row in shares)
        check(f"{name}: shares {moment} make 100 %", abs(total - 100) < 0.1, total)


def run(das3, folder, *arguments, code=0, **options):
    """The page and the summary of a run."""
    options = {"method": None, "report": folder, "threads": 1} | options
    result = das3.run(das3.scratch / "<i>out.onnx", "--json", *arguments, **options)
    if result.returncode != code:
        raise SystemExit(f"{options}: {result.returncode}, {result.stderr.strip()}")
    return Page(folder / "index.html"), json.loads(result.stdout.splitlines()[-1])


def guarded(das3, check):
    """The whole of auto, with truth, and with a class whose name is markup."""
    metadata = das3.scratch / "metadata.json"
    found = das3.run(None, "--json", command="info", input=None, method=None).stdout
    names = [entry["name"] for entry in json.loads(found)["classes"]]
    metadata.write_text(json.dumps({"classes": [HOSTILE, *names[1:]]}))
    night, truth = das3.scratch / "night", das3.scratch / "truth"
    night.mkdir()
    truth.mkdir()
    for number, path in enumerate(sorted(das3.frames.glob("*.png")) * 3):
        Image.fromarray(np.asarray(Image.open(path)) // 3).save(night / f"{number:02}.png")
        shutil.copy(das3.truth / path.name, truth / f"{number:02}.png")
    folder = das3.scratch / "new" / "report"
    page, summary = run(
        das3, folder, "--set", "label_weight=0", input=night, steps="a=4,b=4,c=4", metadata=metadata, val=night, truth=truth,
        labelled=night, set="alpha=0.3")
    stands_alone(page, check, "auto")
    check("the summary names the page", summary["report"] == str(folder / "index.html"), summary)
    judged, rows = summary["guard"]["candidates"], page.table("Every set of weights")
    check("a row for every judged set", len(rows) == len(judged) > 2, rows)
    check("with its M", [row[2] for row in rows] == [f"{c['M']:.3f}" for c in judged], rows)
    chosen = [row[-1] for row in rows].index("the result")
    check("and which is the result", chosen == summary["guard"]["choice"], rows)
    check("with the mIoU of the labelled frames",
          [row[9] for row in rows] == [f"{c['miou']:.1f} %" for c in judged], rows)
    check("which decides, as is said on top", "on the labelled frames its mIoU is" in page.lead,
          page.lead)
    rows = page.table("Candidates of the blend")
    check("a row for every blend", len(rows) == len(summary["blend"]["candidates"]), rows)
    means = {row[0]: row[1:3] for row in page.table("Compared with truth")}
    expected = [f"{summary[key]:.2f}" for key in ("miou_before", "miou_after")]
    check("mIoU is that of the summary", means["mIoU"] == expected, means)
    check("on top: what and why", f"{summary['miou_before']:.1f} %" in page.lead
          and ("The result is" in page.lead), page.lead)
    check("six frames, six pictures each", len(page.images) == 36, len(page.images))
    # Loss of three stages, labels, entropy, rate, gradient, truth, votes.
    check("nine charts", page.text.count('<figure class="chart">') == 9)
    changed = {row[0]: row[1:3] for row in page.table("Options that were changed")}
    check("a changed option", changed["alpha"][0] == "0.3" != changed["alpha"][1], changed)
    shown = [row[0] for row in page.table("Share of the pixels")]
    check("a class name is text", HOSTILE_AS_READ in shown, shown)
    facts = dict(page.table("What was run"))
    check("so is a path", facts["output"].endswith("/<i>out.onnx"), facts)
    size = (folder / "index.html").stat().st_size
    check("below 5 MB", size < 5_000_000, size)


def others(das3, check):
    folder = das3.scratch / "other"
    page, summary = run(das3, folder, method="blend")
    stands_alone(page, check, "blend")
    check("blend: how far", "of the way" in page.lead or "no blend" in page.lead, page.lead)
    check("blend: no truth, no IoU", not page.table("Compared with truth"))
    page, summary = run(das3, folder, method="das3", stages="a", steps="a=3", start="source")
    stands_alone(page, check, "das3")
    check("das3: no guard", "no guard has judged it" in page.lead, page.lead)
    page, summary = run(das3, folder, method="tent", steps=3, limit=1)
    stands_alone(page, check, "tent")
    black = das3.scratch / "black"
    black.mkdir()
    for number in range(6):
        Image.fromarray(np.zeros((96, 128, 3), np.uint8)).save(black / f"{number}.png")
    page, summary = run(das3, folder, input=black, code=3)
    stands_alone(page, check, "black")
    check("black: the reason", summary["guard"]["reason"] in page.lead, page.lead)
    check("black: nothing has changed", "The label of 0.0 %" in page.text)


def interrupted(das3, check):
    """The page of a run that was interrupted says so; that of the rest says where it begins."""
    folder, output = das3.scratch / "stopped", das3.scratch / "stopped.onnx"
    options = {"stages": "a", "steps": "a=9", "start": "source", "report": folder,
               "checkpoint": das3.scratch / "stopped.das3"}
    events, code, text = das3.disturb(3, interrupt, output, **options)
    page = Page(folder / "index.html")
    stands_alone(page, check, "interrupted")
    taken = events[-1]["steps"]
    check("interrupted: exit code 130", code == 130, text)
    check("interrupted: says so", f"interrupted after step {taken} of 9" in page.lead, page.lead)
    das3.events(output, "--resume", **options)
    page = Page(folder / "index.html")
    check("resumed: complete", "interrupted" not in page.lead, page.lead)
    check("resumed: says so", f"steps before {taken + 1} are not shown" in page.text)


def refusals(das3, check):
    blocked = das3.scratch / "blocked"
    (blocked / "index.html").mkdir(parents=True)
    rubbish(das3, check, 1, "cannot create the directory", report=das3.model / "report")
    rubbish(das3, check, 1, "cannot write the report", report="/proc/self")
    rubbish(das3, check, 1, "it is no file but a directory", report=blocked)
    rubbish(das3, check, 1, "it has no name", report="")
    rubbish(das3, check, 2, "'--report' and '--output' are both", report=das3.scratch,
            output=das3.scratch / "index.html")


def main(program, street):
    check = Checks()
    with tempfile.TemporaryDirectory() as scratch:
        das3 = Program(program, street, pathlib.Path(scratch))
        refusals(das3, check)
        guarded(das3, check)
        others(das3, check)
        interrupted(das3, check)
    return check.end()


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve()))
