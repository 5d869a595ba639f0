"""Draws the pictures of how-it-works.md: data.svg, plan.svg and stages.svg.

python3 docs/pictures/draw.py
"""

from __future__ import annotations

import pathlib
from xml.sax.saxutils import escape

HERE = pathlib.Path(__file__).parent
INK, GREY, BLUE, GREEN, AMBER, RED = (
    "#1f2933",
    "#8792a0",
    "#dbe9f9",
    "#dff2e1",
    "#fdebc8",
    "#f9dcd9",
)

# What Planner.plan made of examples/street/street.onnx for frames of 320x240 on 2026-11-28: the
# buffers of the arena as (first float, number of floats, first step, last step).
ARENA = 1_689_600
BUFFERS = [
    (0, 230400, 0, 0), (768000, 307200, 0, 2), (1075200, 307200, 1, 2), (0, 768000, 2, 30),
    (960000, 76800, 3, 4), (768000, 192000, 4, 6), (960000, 192000, 5, 6), (1152000, 192000, 6, 23),
    (768000, 48000, 7, 8), (864000, 48000, 8, 9), (768000, 96000, 9, 11), (864000, 96000, 10, 11),
    (960000, 96000, 11, 13), (768000, 96000, 12, 13), (864000, 96000, 13, 15),
    (768000, 96000, 14, 15), (960000, 96000, 15, 17), (768000, 96000, 16, 17),
    (864000, 96000, 17, 21), (768000, 80, 18, 19), (768080, 80, 19, 20), (864000, 96000, 20, 21),
    (960000, 48000, 21, 25), (768000, 192000, 23, 26), (1152000, 48000, 25, 26),
    (960000, 192000, 26, 28), (768000, 192000, 27, 28), (1152000, 192000, 28, 29),
    (768000, 460800, 30, 32), (0, 460800, 31, 32), (1228800, 460800, 32, 33), (0, 691200, 33, 33),
]  # fmt: skip
STEPS = 34
# Parts of the network: first and last step, and the size of what they compute.
PARTS = [
    (0, 2, "1/2", BLUE), (3, 6, "1/4", GREEN), (7, 22, "1/8", AMBER), (23, 28, "1/4", GREEN),
    (29, 32, "1/2", BLUE), (33, 33, "1/1", RED),
]  # fmt: skip


class Picture:
    """Shapes and words, collected as SVG."""

    def __init__(self, name: str, width: int, height: int, title: str) -> None:
        self.path = HERE / name
        self.parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
            'font-family="Helvetica, Arial, sans-serif" font-size="14">',
            f"<title>{escape(title)}</title>",
            '<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" '
            f'markerHeight="7" orient="auto"><path d="M0 0 8 4 0 8z" fill="{INK}"/></marker>'
            "</defs>",
            f'<rect width="{width}" height="{height}" fill="#fff"/>',
        ]

    def box(
        self,
        x: float,
        y: float,
        width: float,
        height: float,
        fill: str,
        lines: tuple[str, ...] = (),
        stroke: str = INK,
    ) -> None:
        self.parts.append(
            f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="5" fill="{fill}" '
            f'stroke="{stroke}"/>'
        )
        top = y + height / 2 - 9 * (len(lines) - 1) + 5
        for number, line in enumerate(lines):
            self.text(x + width / 2, top + 18 * number, line, anchor="middle", bold=number == 0)

    def text(
        self,
        x: float,
        y: float,
        words: str,
        anchor: str = "start",
        bold: bool = False,
        size: int = 14,
        fill: str = INK,
    ) -> None:
        weight = ' font-weight="bold"' if bold else ""
        self.parts.append(
            f'<text x="{x}" y="{y}" text-anchor="{anchor}" font-size="{size}" '
            f'fill="{fill}"{weight}>{escape(words)}</text>'
        )

    def arrow(self, *points: tuple[float, float], dashed: bool = False) -> None:
        places = " ".join(f"{x},{y}" for x, y in points)
        dash = ' stroke-dasharray="5 4"' if dashed else ""
        self.parts.append(
            f'<polyline points="{places}" fill="none" stroke="{INK}" stroke-width="1.5"{dash} '
            'marker-end="url(#head)"/>'
        )

    def line(self, x1: float, y1: float, x2: float, y2: float, stroke: str = GREY) -> None:
        self.parts.append(f'<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}" stroke="{stroke}"/>')

    def save(self) -> None:
        self.path.write_text("\n".join([*self.parts, "</svg>"]) + "\n", encoding="utf-8")


def data() -> None:
    picture = Picture(
        "data.svg", 760, 330, "From an ONNX file to labels, and back to better weights"
    )
    stations = [
        ("network.onnx", "bytes", "COnnx", BLUE),
        ("graph", "operators, shapes", "Das3Graph", GREEN),
        ("plan", "steps, memory", "Das3Graph", GREEN),
        ("tensors", "kernels, arena", "Das3Runtime", AMBER),
        ("labels", "of the frame", "Das3", RED),
    ]
    for number, (name, what, module, fill) in enumerate(stations):
        x = 12 + 150 * number
        picture.box(x, 60, 126, 60, fill, (name, what))
        picture.text(x + 63, 138, module, anchor="middle", size=12, fill=GREY)
        if number:
            picture.arrow((x - 24, 90), (x - 2, 90))
    picture.box(462, 8, 126, 30, "#fff", ("frame",))
    picture.arrow((525, 38), (525, 58))
    picture.box(462, 170, 126, 60, AMBER, ("losses", "without labels"))
    picture.arrow((490, 122), (490, 168))
    picture.text(482, 158, "scores", anchor="end", size=12, fill=GREY)
    picture.box(312, 170, 126, 60, AMBER, ("gradients", "the plan, backward"))
    picture.arrow((462, 200), (440, 200))
    picture.box(162, 170, 126, 60, AMBER, ("weights", "optimiser"))
    picture.arrow((312, 200), (290, 200))
    picture.box(162, 262, 126, 56, GREEN, ("guard", "frames kept apart"))
    picture.arrow((225, 230), (225, 260))
    picture.arrow((288, 290), (680, 290), (680, 158), (600, 158), (600, 104), (590, 104))
    picture.text(430, 282, "the best set labels from then on", anchor="middle", size=12, fill=GREY)
    picture.arrow((162, 290), (75, 290), (75, 150))
    picture.text(82, 282, "save", size=12, fill=GREY)
    picture.text(375, 250, "Das3Adapt", anchor="middle", size=12, fill=GREY)
    picture.save()


def plan() -> None:
    left, top, width, height = 60, 40, 680, 340
    picture = Picture(
        "plan.svg", 760, 450, "Where buffers lie in the memory of a frame, step by step"
    )
    across, down = width / STEPS, height / ARENA
    for number in range(7):  # a MB has 250,000 floats
        y = top + height - number * 250_000 * down
        picture.line(left, y, left + width, y, "#e3e7ec")
        picture.text(left - 8, y + 4, f"{number} MB", anchor="end", size=12, fill=GREY)
    for offset, count, first, last in sorted(BUFFERS, key=lambda buffer: -buffer[1]):
        fill = next(fill for start, end, _, fill in PARTS if start <= first <= end)
        picture.box(
            round(left + first * across, 1),
            round(top + height - (offset + count) * down, 1),
            round((last - first + 1) * across, 1),
            round(max(count * down, 1), 1),
            fill,
            stroke=GREY,
        )
    picture.text(
        left + 14 * across, top + height - 384000 * down, "what the last layers join again", size=13
    )
    picture.text(
        left + 14 * across, top + height - 384000 * down + 17, "(1/2 of the frame's size)", size=13
    )
    for first, last, name, fill in PARTS:
        x, wide = left + first * across, (last - first + 1) * across
        picture.box(round(x + 1, 1), top + height + 8, round(wide - 2, 1), 22, fill, stroke=GREY)
        picture.text(x + wide / 2, top + height + 24, name, anchor="middle", size=12)
    picture.text(
        left + width / 2,
        top + height + 54,
        "34 steps, and the size of what they compute",
        anchor="middle",
    )
    picture.text(
        left, 24, "One frame of 320x240 by the street network: 25.0 MB in 6.8 MB", bold=True
    )
    picture.save()


def stages() -> None:
    picture = Picture("stages.svg", 760, 400, "Blend, stages and guard")
    picture.box(12, 20, 120, 44, "#fff", ("frames", "no labels"))
    picture.arrow((132, 42), (170, 42))
    picture.text(176, 38, "most: to learn from")
    picture.text(176, 56, "every k-th, at most 40: probes, to judge by", fill=GREY)
    names = [
        ("source", ("as it came",), "#fff"),
        ("blend", ("statistics only",), BLUE),
        ("(a)", ("certain,", "diverse"), GREEN),
        ("(b)", ("own labels,", "yes and no"), AMBER),
        ("(c)", ("easy frames,", "mixed frames"), RED),
    ]
    for number, (name, lines, fill) in enumerate(names):
        x = 12 + 150 * number
        picture.box(x, 96, 126, 76, fill, (name, *lines))
        if number:
            picture.arrow((x - 24, 134), (x - 2, 134))
        picture.arrow((x + 63, 172), (x + 63, 218), dashed=True)
    picture.box(12, 220, 726, 84, "#f3f5f8", stroke=GREY)
    picture.text(26, 244, "The guard asks the probes, each as it is and mirrored:", bold=True)
    picture.text(26, 266, "veto: not finite, collapsed, classes lost, proportions quite different")
    picture.text(26, 288, "vote: M = IM x F larger over all probes, and on at least half of them")
    picture.arrow((375, 304), (375, 338))
    picture.box(225, 340, 300, 48, GREEN, ("the best set of weights", "or the source, bit for bit"))
    picture.text(540, 360, "refused, or last and no better:", size=12, fill=GREY)
    picture.text(540, 376, "¾, ½, ¼ of its way are tried", size=12, fill=GREY)
    picture.save()


if __name__ == "__main__":
    data()
    plan()
    stages()
