"""Curves of mIoU over steps in, a picture of them out, as SVG text."""

from xml.sax.saxutils import escape

WIDTH, HEIGHT = 760, 420
LEFT, RIGHT, TOP, BOTTOM = 48, 120, 34, 40
COLOURS = (
    "#1f4e9c", "#6fa8dc", "#3d9970", "#111111", "#c0392b", "#e67e22", "#b8860b", "#8e44ad",
    "#7f8c8d")
TICKS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)

Curve = list[tuple[int, float]]


def spacing(extent: float, most: int, ticks: tuple[float, ...] = TICKS) -> float:
    """Between ticks, of which there are `most` at most."""
    return next((tick for tick in ticks if extent / tick <= most), ticks[-1])


def text(x: float, y: float, words: str, anchor: str = "middle", colour: str = "#333") -> str:
    place = f'x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}"'
    return f'<text {place} fill="{colour}">{escape(words)}</text>'


def line(points: list[tuple[float, float]], colour: str, width: float) -> str:
    places = " ".join(f"{x:.0f},{y:.1f}" for x, y in points)
    return f'<polyline points="{places}" fill="none" stroke="{colour}" stroke-width="{width}"/>'


def sheet(width: int, height: int) -> list[str]:
    """The beginning of a picture: white, whatever the page is."""
    return [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        'font-family="sans-serif" font-size="12">',
        f'<rect width="{width}" height="{height}" fill="white"/>',
    ]


def draw_curves(title: str, curves: dict[str, list[Curve]]) -> str:
    """One colour for each name, one line for each of its curves."""
    points = [point for several in curves.values() for curve in several for point in curve]
    steps = max((step for step, _ in points), default=1) or 1
    lowest, highest = min((y for _, y in points), default=0), max((y for _, y in points), default=1)
    gap = spacing(highest - lowest, 8)
    bottom, top = lowest // gap * gap, -(-highest // gap) * gap
    top = max(top, bottom + gap)

    def place(step: float, miou: float) -> tuple[float, float]:
        return (LEFT + step / steps * (WIDTH - LEFT - RIGHT),
                HEIGHT - BOTTOM - (miou - bottom) / (top - bottom) * (HEIGHT - TOP - BOTTOM))

    parts = [
        *sheet(WIDTH, HEIGHT),
        text(LEFT, 20, f"{title}: mIoU, %", "start"), text(LEFT, HEIGHT - 8, "steps", "start"),
    ]
    for tick in range(int(bottom), int(top) + 1, gap):
        parts.append(line([place(0, tick), place(steps, tick)], "#ddd", 1))
        parts.append(text(LEFT - 6, place(0, tick)[1] + 4, str(tick), "end"))
    for tick in range(0, steps + 1, spacing(steps, 10)):
        parts.append(text(place(tick, 0)[0], HEIGHT - BOTTOM + 18, str(tick)))
    drawn = [(name, colour) for name, colour in zip(curves, COLOURS, strict=True) if curves[name]]
    for index, (name, colour) in enumerate(drawn):
        for curve in curves[name]:
            parts.append(line([place(*point) for point in curve], colour, 1.3))
        parts.append(text(WIDTH - RIGHT + 12, TOP + 12 + 18 * index, name, "start", colour))
    return "\n".join([*parts, "</svg>"]) + "\n"
