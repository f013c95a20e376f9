"""Points with error bars as a picture: SVG by hand, no library."""

import math
from dataclasses import dataclass, field
from html import escape

WIDTH, HEIGHT = 760, 440
LEFT, RIGHT, TOP, BOTTOM = 74, 190, 48, 58
COLOURS = ("#1f6feb", "#d1480f", "#1a7f37", "#8250df", "#9a6700", "#57606a")


@dataclass(frozen=True, kw_only=True)
class Line:
    """points: (x, y, low, high). Joined where `joined`; `dashed` lines are predictions."""

    name: str
    points: list[tuple[float, float, float, float]]
    joined: bool = True
    dashed: bool = False


@dataclass(frozen=True, kw_only=True)
class Chart:
    """levels: (name, y), horizontal lines.  ticks: labels of x by value."""

    title: str
    x: str
    y: str
    lines: list[Line]
    levels: list[tuple[str, float]] = field(default_factory=list)
    ticks: dict[float, str] = field(default_factory=dict)
    log_x: bool = False
    log_y: bool = False


def svg(chart: Chart) -> str:
    """The picture as text; readable on a light and on a dark page, as it brings its own ground."""
    xs = [point[0] for line in chart.lines for point in line.points]
    ys = [value for line in chart.lines for point in line.points for value in point[1:]] + [y for _, y in chart.levels]
    ys = [value for value in ys if math.isfinite(value) and (value > 0 or not chart.log_y)]
    across, up = _scale(xs, chart.log_x, LEFT, WIDTH - RIGHT), _scale(ys, chart.log_y, HEIGHT - BOTTOM, TOP)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="13">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
        f'<text x="{LEFT}" y="24" font-size="15" font-weight="bold" fill="#1f2328">{escape(chart.title)}</text>',
        _text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 14, chart.x, anchor="middle"),
        f'<text transform="translate(18 {(TOP + HEIGHT - BOTTOM) / 2}) rotate(-90)" text-anchor="middle" '
        f'fill="#1f2328">{escape(chart.y)}</text>',
    ]
    for value in _steps(ys, chart.log_y):
        y = up(value)
        parts.append(f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" stroke="#d8dee4"/>')
        parts.append(_text(LEFT - 8, y + 4, f"{value:.4g}", anchor="end"))
    for value, label in chart.ticks.items():
        parts.append(_text(across(value), HEIGHT - BOTTOM + 20, label, anchor="middle"))
    labels = []
    for i, (name, y) in enumerate(chart.levels):
        colour = COLOURS[(len(chart.lines) + i) % len(COLOURS)]
        parts.append(f'<path d="M{LEFT} {up(y):.1f}H{WIDTH - RIGHT}" stroke="{colour}" stroke-dasharray="2 4"/>')
        labels.append((up(y), name, colour))
    for i, line in enumerate(chart.lines):
        colour = COLOURS[i % len(COLOURS)]
        parts += _line(line, across, up, colour)
        last = max(line.points)
        labels.append((up(last[1]), line.name, colour))
    parts += _labels(labels)
    return "\n".join([*parts, "</svg>", ""])


def _line(line: Line, across, up, colour: str) -> list[str]:
    points = sorted(line.points)
    parts = []
    if line.joined:
        path = "L".join(f"{across(x):.1f} {up(y):.1f}" for x, y, _, _ in points)
        dash = ' stroke-dasharray="6 4"' if line.dashed else ""
        parts.append(f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="2"{dash}/>')
    for x, y, low, high in points:
        at = across(x)
        if math.isfinite(low) and math.isfinite(high) and high > low:
            bar = f"M{at:.1f} {up(low):.1f}V{up(high):.1f}M{at - 4:.1f} {up(low):.1f}h8M{at - 4:.1f} {up(high):.1f}h8"
            parts.append(f'<path d="{bar}" stroke="{colour}" stroke-width="1.5"/>')
        if not line.dashed:
            parts.append(f'<circle cx="{at:.1f}" cy="{up(y):.1f}" r="3.5" fill="{colour}"/>')
    return parts


def _labels(labels: list[tuple[float, str, str]]) -> list[str]:
    """Names at the right edge, pushed apart where they would lie on one another."""
    parts, free = [], TOP
    for y, name, colour in sorted(labels):
        free = max(free, y)
        parts.append(_text(WIDTH - RIGHT + 10, free + 4, name, colour=colour))
        free += 17
    return parts


def _scale(values: list[float], log: bool, begin: float, end: float):
    """A function from values to pixels."""
    bend = math.log10 if log else float
    low, high = bend(min(values)), bend(max(values))
    margin = 0.06 * (high - low) or 0.5
    low, high = low - margin, high + margin
    return lambda value: begin + (bend(max(value, 1e-12) if log else value) - low) / (high - low) * (end - begin)


def _steps(values: list[float], log: bool) -> list[float]:
    """Round numbers between the least and the greatest value."""
    low, high = min(values), max(values)
    if log:
        powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
        return [m * 10.0**p for p in powers for m in (1, 2, 5) if low <= m * 10.0**p <= high]
    rough = (high - low) / 5 or 1.0
    size = 10 ** math.floor(math.log10(rough))
    step = next(m * size for m in (1, 2, 5, 10) if m * size >= rough)
    return [i * step for i in range(math.ceil(low / step), math.floor(high / step) + 1)]


def _text(x: float, y: float, text: str, *, anchor: str = "start", colour: str = "#1f2328") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}">{escape(text)}</text>'
