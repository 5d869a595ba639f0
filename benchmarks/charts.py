"""Results of a sweep in, a picture out, as SVG text: a map for two options, a line for one."""

import math
from typing import NamedTuple

from curves import HEIGHT, TICKS, WIDTH, line, sheet, spacing, text

LEFT, RIGHT, TOP, BOTTOM = 56, 90, 34, 50
CELL_WIDTH, CELL_HEIGHT = 116, 52
ABOVE, BELOW, INK, RED, GREY = "#1f4e9c", "#c05a00", "#333", "#c0392b", "#eeeeee"


class Result(NamedTuple):
    """mIoU in percent over the seeds."""

    mean: float
    deviation: float | None  # of one seed there is none

    def __str__(self) -> str:
        return f"{self.mean:.2f}" + ("" if self.deviation is None else f" ± {self.deviation:.2f}")

    @property
    def ends(self) -> tuple[float, float]:
        deviation = self.deviation or 0
        return self.mean - deviation, self.mean + deviation


# Of a value that has none: why.
Found = Result | str


def shade(share: float) -> str:
    """White at 0, ABOVE at 1, BELOW at -1."""
    end = ABOVE if share > 0 else BELOW
    parts = [int(end[at:at + 2], 16) for at in (1, 3, 5)]
    return "#" + "".join(f"{round(255 + (part - 255) * abs(share)):02x}" for part in parts)


def draw_map(title: str, options: tuple[str, str], values: tuple[list[str], list[str]],
             found: dict[tuple[str, str], Found], source: float) -> str:
    """The first option downwards, the second to the right; colours say how far from the source."""
    left = 24 + 8 * max(len(word) for word in (options[0], *values[0]))
    top = 64
    width = max(left + CELL_WIDTH * len(values[1]) + 24, 520)
    bottom = top + CELL_HEIGHT * len(values[0])
    gains = [each.mean - source for each in found.values() if isinstance(each, Result)]
    most = max(map(abs, gains), default=0) or 1
    parts = [*sheet(width, bottom + 40), text(12, 20, f"{title}: mIoU, %", "start"),
             text(left - 12, top - 8, options[0], "end"),
             text(left + CELL_WIDTH * len(values[1]) / 2, top - 26, options[1])]
    for column, value in enumerate(values[1]):
        parts.append(text(left + CELL_WIDTH * (column + 0.5), top - 8, value))
    for place, value in enumerate(values[0]):
        y = top + CELL_HEIGHT * place
        parts.append(text(left - 12, y + CELL_HEIGHT / 2 + 4, value, "end"))
        for column, other in enumerate(values[1]):
            parts += cell(left + CELL_WIDTH * column, y, found[value, other], source, most)
    legend = f"Blue is above the source's {source:.2f}, orange below; the darkest: {most:.2f} away."
    parts.append(text(12, bottom + 26, legend, "start"))
    return "\n".join([*parts, "</svg>"]) + "\n"


def cell(x: float, y: float, found: Found, source: float, most: float) -> list[str]:
    share = (found.mean - source) / most if isinstance(found, Result) else 0
    fill = shade(share) if isinstance(found, Result) else GREY
    ink = "white" if abs(share) > 0.6 else INK if isinstance(found, Result) else RED
    middle = x + CELL_WIDTH / 2
    parts = [f'<rect x="{x:.0f}" y="{y:.0f}" width="{CELL_WIDTH}" height="{CELL_HEIGHT}" '
             f'fill="{fill}" stroke="white"/>']
    if isinstance(found, str):
        return [*parts, text(middle, y + CELL_HEIGHT / 2 + 4, found, colour=ink)]
    gain = f"{found.mean - source:+.2f}"
    return [*parts, text(middle, y + CELL_HEIGHT / 2 - 3, str(found), colour=ink),
            text(middle, y + CELL_HEIGHT / 2 + 14, gain, colour=ink)]


def places(values: list[str]) -> tuple[list[float], bool]:
    """Where the values stand, 0…1, and whether they are numbers: then as far apart as these, by
    their logarithms where they span more than a decade."""
    try:
        numbers = [float(value) for value in values]
    except ValueError:
        numbers = []
    if not numbers or not all(map(math.isfinite, numbers)):
        return [(index + 0.5) / len(values) for index in range(len(values))], False
    if min(numbers) > 0 and max(numbers) >= 10 * min(numbers):
        numbers = [math.log10(number) for number in numbers]
    low, extent = min(numbers), max(numbers) - min(numbers)
    return [(number - low) / extent if extent else 0.5 for number in numbers], True


def draw_band(title: str, option: str, found: dict[str, Found], source: float) -> str:
    """A point for each value; between numbers a line, and what lies within the deviation."""
    results = [each for each in found.values() if isinstance(each, Result)]
    ends = [source, *(end for each in results for end in each.ends)]
    gap = spacing(max(ends) - min(ends), 8, (0.1, 0.2, 0.5, *TICKS))
    low, high = math.floor(min(ends) / gap), math.ceil(max(ends) / gap)
    high = max(high, low + 1)

    def across(share: float) -> float:
        return LEFT + 20 + share * (WIDTH - LEFT - RIGHT - 40)

    def up(miou: float) -> float:
        return HEIGHT - BOTTOM - (miou / gap - low) / (high - low) * (HEIGHT - TOP - BOTTOM)

    parts = [*sheet(WIDTH, HEIGHT), text(LEFT, 20, f"{title}: mIoU, %", "start"),
             text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 10, option)]
    for tick in range(low, high + 1):
        parts.append(line([(LEFT, up(tick * gap)), (WIDTH - RIGHT, up(tick * gap))], "#ddd", 1))
        parts.append(text(LEFT - 6, up(tick * gap) + 4, f"{tick * gap:.{int(gap < 1)}f}", "end"))
    parts.append(line([(LEFT, up(source)), (WIDTH - RIGHT, up(source))], BELOW, 1.3))
    parts.append(text(WIDTH - RIGHT + 8, up(source) + 4, "source", "start", BELOW))
    shares, is_numeric = places(list(found))
    points = sorted((across(share), value, each)
                    for share, (value, each) in zip(shares, found.items(), strict=True))
    measured = [(x, each) for x, _, each in points if isinstance(each, Result)]
    if is_numeric:
        band = [(x, up(each.ends[1])) for x, each in measured]
        band += [(x, up(each.ends[0])) for x, each in reversed(measured)]
        corners = " ".join(f"{x:.0f},{y:.1f}" for x, y in band)
        parts.append(f'<polygon points="{corners}" fill="{ABOVE}" fill-opacity="0.2"/>')
        parts.append(line([(x, up(each.mean)) for x, each in measured], ABOVE, 1.6))
    for x, value, each in points:
        parts.append(text(x, HEIGHT - BOTTOM + 18, value))
        if isinstance(each, str):
            parts.append(text(x, HEIGHT - BOTTOM - 8, each, colour=RED))
            continue
        if not is_numeric:
            parts.append(line([(x, up(end)) for end in each.ends], ABOVE, 1.3))
        parts.append(f'<circle cx="{x:.0f}" cy="{up(each.mean):.1f}" r="3.5" fill="{ABOVE}"/>')
    return "\n".join([*parts, "</svg>"]) + "\n"
