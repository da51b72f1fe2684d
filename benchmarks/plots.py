"""Bar charts of recorded results, as SVG for the documentation.

Owns: what is drawn and how. A bar ends at the median; the thin line over it goes from the lowest to the highest run.
The scale is logarithmic, as contestants differ by factors of thousands: equal distances are equal ratios.
Invariant: the same results give the same text, so that what is checked in can be compared with what is recorded.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import escape

from benchmarks.catalogue import CONTESTANTS
from benchmarks.report import figure

WIDTH, LABELS, VALUES = 860, 250, 110
ROW, HEADING, TOP, BOTTOM = 22, 40, 64, 40

# The chart brings its own background: a page may be dark while the reader's system is not, and the other way round.
STYLE = """
.page { fill: #ffffff; } .line { stroke: #d8dee4; } .range { stroke: #1f2328; stroke-width: 1.5; }
text { fill: #1f2328; font: 13px system-ui, sans-serif; } .title { font-size: 17px; font-weight: 600; }
.heading { font-weight: 600; } .small { font-size: 11px; fill: #59636e; } .right { text-anchor: end; }
.middle { text-anchor: middle; }
.ours { fill: #1f6feb; } .peer { fill: #9aa4af; } .floor { fill: #dde3e9; stroke: #9aa4af; }
@media (prefers-color-scheme: dark) {
.page { fill: #0d1117; } .line { stroke: #30363d; } .range { stroke: #e6edf3; }
text { fill: #e6edf3; } .small { fill: #9198a1; }
.ours { fill: #4493f8; } .peer { fill: #6e7681; } .floor { fill: #262c36; stroke: #6e7681; }
}
""".strip()


@dataclass(frozen=True)
class Plot:
    """One chart: workloads whose figures are rates."""

    file: str
    title: str
    workloads: tuple[str, ...]


PLOTS = (
    Plot(
        "performance-local.svg",
        "Inside one process",
        ("local ping-pong", "local flood", "local ask", "local spawn and first reply"),
    ),
    Plot(
        "performance-processes.svg",
        "Between processes of one machine",
        ("ping-pong between processes", "flood between processes", "ask between processes"),
    ),
)


@dataclass(frozen=True)
class Bar:
    """One contestant in one workload."""

    label: str
    kind: str
    median: float
    lowest: float
    highest: float


def bars(rows: Mapping[str, Any]) -> list[Bar]:
    """The contestants of a workload that have a figure: Garrick, its peers from the fastest down, the floors."""
    found = []
    for key, row in rows.items():
        runs = [value for value in row["runs"] if value is not None]
        if runs and key in CONTESTANTS:
            contestant = CONTESTANTS[key]
            kind = "ours" if contestant.ours else "floor" if contestant.floor else "peer"
            found.append(Bar(contestant.title.replace("`", ""), kind, row["median"], min(runs), max(runs)))
    return sorted(found, key=lambda bar: (["ours", "peer", "floor"].index(bar.kind), -bar.median))


def draw(plot: Plot, results: Mapping[str, Any]) -> str:
    """The chart of a run.

    Args:
        plot: Which workloads; those without a figure are left out.
        results: The run as `report.as_json` gives it.

    Raises:
        ValueError: none of the workloads has a figure.
    """
    groups = [(key, bars(results["workloads"].get(key, {"contestants": {}})["contestants"])) for key in plot.workloads]
    groups = [(key, found) for key, found in groups if found]
    if not groups:
        raise ValueError(f"nothing to draw for {plot.file}")
    every = [bar for _, found in groups for bar in found]
    first = math.floor(math.log10(min(bar.lowest for bar in every)))
    last = max(math.ceil(math.log10(max(bar.highest for bar in every))), first + 1)
    height = TOP + len(groups) * HEADING + len(every) * ROW + BOTTOM

    def x(value: float) -> float:
        share = (math.log10(value) - first) / (last - first)
        return round(LABELS + share * (WIDTH - LABELS - VALUES), 1)

    lines = [*_head(plot, results, height), *_axis(range(first, last + 1), x, height)]
    y = TOP
    for key, found in groups:
        y += HEADING
        counted = results["workloads"][key]["counts"].partition(":")[0]
        lines.append(f'<text class="heading" x="16" y="{y - 12}">{escape(key)}, {escape(counted)} per second</text>')
        for bar in found:
            lines += _bar(bar, x, y)
            y += ROW
    return "\n".join([*lines, "</svg>"]) + "\n"


def _head(plot: Plot, results: Mapping[str, Any], height: int) -> list[str]:
    machine = results["machine"]
    below = (
        f"{machine['processor']}, {machine['cores']} cores, {machine['python']}, {results['date']}: median of "
        f"{results['rounds']} runs, line from the lowest to the highest; logarithmic scale, longer is faster"
    )
    return [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" role="img">',
        f"<title>{escape(plot.title)}</title>",
        f"<style>\n{STYLE}\n</style>",
        f'<rect class="page" width="{WIDTH}" height="{height}" rx="6"/>',
        f'<text class="title" x="16" y="30">{escape(plot.title)}</text>',
        f'<text class="small" x="16" y="50">{escape(below)}</text>',
    ]


def _axis(powers: Sequence[int], x: Any, height: int) -> list[str]:
    lines = []
    for power in powers:
        at, value = x(10**power), 10**power
        name = f"{value // 10**6} M" if power >= 6 else f"{value // 10**3} k" if power >= 3 else f"{value:g}"
        lines += [
            f'<line class="line" x1="{at}" x2="{at}" y1="{TOP + 8}" y2="{height - BOTTOM}"/>',
            f'<text class="small middle" x="{at}" y="{height - BOTTOM + 18}">{name}/s</text>',
        ]
    return lines


def _bar(bar: Bar, x: Any, y: int) -> list[str]:
    low, median, high, middle = x(bar.lowest), x(bar.median), x(bar.highest), y + ROW // 2 - 2
    return [
        f'<text class="right" x="{LABELS - 8}" y="{middle + 5}">{escape(bar.label)}</text>',
        f'<rect class="{bar.kind}" x="{LABELS}" y="{y}" width="{round(median - LABELS, 1)}" height="{ROW - 5}"/>',
        f'<path class="range" d="M{low} {middle}H{high}M{low} {middle - 4}v8M{high} {middle - 4}v8"/>',
        f'<text x="{WIDTH - VALUES + 14}" y="{middle + 5}">{figure("/s", bar.median)}</text>',
    ]
