"""The figures as bars, in SVG: a panel for each figure, a bar for each contestant, its median beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

from bench import building, serving
from bench.figures import Figures, Measured

NAMES = ("mldeploy", "the tutorials", "MLflow", "BentoML")
COLORS = {"mldeploy": "#0b7466"}
OTHERS = "#8a9a97"
WIDTH, LABEL, BAR, LINE, GAP = 720, 120, 480, 22, 16


@dataclass(frozen=True)
class Panel:
    """One figure. title: with what is better. unit: after each value. divisor: of the measured values."""

    what: str
    title: str
    unit: str
    divisor: float = 1


PLOTS: Mapping[str, tuple[str, tuple[Panel, ...]]] = {
    "bench-serving": (
        "serving",
        (
            Panel(serving.ONE_ROW, "Requests per second, 1 row (more is better)", ""),
            Panel(serving.MANY_ROWS, "Requests per second, 1,000 rows (more is better)", ""),
            Panel(serving.START, "Cold start (less is better)", " s"),
            Panel(serving.PSS, "Idle memory (less is better)", " MiB"),
        ),
    ),
    "bench-images": (
        "peers",
        (
            Panel(building.SIZE, "Size of the image (less is better)", " MB", 1_000_000),
            Panel(building.COLD, "Cold build (less is better)", " s"),
            Panel(building.CODE, "Build after a code edit (less is better)", " s"),
        ),
    ),
}
"""By the name of the file: the part of the benchmarks, and its panels."""


def plots(parts: Mapping[str, Measured | None]) -> Mapping[str, str]:
    """The SVG files by their names. A part that was not measured has none."""
    measured = {name: (parts.get(part), panels) for name, (part, panels) in PLOTS.items()}
    return {f"{name}.svg": render(each.figures, panels) for name, (each, panels) in measured.items() if each}


def render(figures: Figures, panels: Sequence[Panel]) -> str:
    """One SVG with its panels below one another, readable on white and on black."""
    y, parts = 0, []
    for panel in panels:
        medians = {name: each.median / panel.divisor for name in NAMES if (each := figures.spread(panel.what, name))}
        parts.append(f'<text x="0" y="{y + 15}" class="title">{escape(panel.title)}</text>')
        y += LINE
        for name, median in medians.items():
            parts.append(_bar(name, median, max(medians.values()), panel.unit, y))
            y += LINE
        y += GAP
    style = "text{font:13px sans-serif;fill:#1b2b28}.title{font-weight:bold}"
    body = "\n".join(parts)
    box = f'viewBox="-12 -8 {WIDTH + 24} {y + 8}" width="{WIDTH + 24}" height="{y + 8}"'
    ground = f'<rect x="-12" y="-8" width="{WIDTH + 24}" height="{y + 8}" fill="#ffffff"/>'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {box} role="img"><style>{style}</style>{ground}\n{body}\n</svg>\n'


def _bar(name: str, value: float, largest: float, unit: str, y: int) -> str:
    length = max(1, round(BAR * value / largest))
    shown = f"{value:,.0f}" if value >= 10 else f"{value:.2f}"
    return (
        f'<text x="{LABEL - 8}" y="{y + 15}" text-anchor="end">{escape(name)}</text>'
        f'<rect x="{LABEL}" y="{y + 3}" width="{length}" height="{LINE - 6}" fill="{COLORS.get(name, OTHERS)}"/>'
        f'<text x="{LABEL + length + 8}" y="{y + 15}">{shown}{unit}</text>'
    )
