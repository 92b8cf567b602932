"""The plot of what a page costs against the size of the catalogue: an SVG file, made from a run's JSON.

`python -m benchmarks.plot FILE` writes docs/speed.svg. It has no script; its colours follow the reader's choice of dark
or light, and each line is named where it ends, so that colour alone says nothing.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from demo.surroundings import ROOT

FILE = ROOT / "docs" / "speed.svg"
WIDTH, HEIGHT = 720, 400
LEFT, RIGHT, TOP, BOTTOM = 60, 170, 40, 50
LINES = {
    "index": "index",
    "last page": "last page",
    "search, common word": "search, common",
    "search, rare word": "search, rare",
    "product": "product",
}
"""Pages as the figures call them, and as the plot does."""

LABEL_HEIGHT = 16
STYLE = """
  text { font: 13px system-ui, sans-serif; fill: #333 }
  .axis { stroke: #999 } .grid { stroke: #ddd }
  polyline { fill: none; stroke-width: 2 }
  .l0 { stroke: #1f5fbf } .l1 { stroke: #b3450b } .l2 { stroke: #1b7a3d } .l3 { stroke: #8a3ab9 } .l4 { stroke: #666 }
  @media (prefers-color-scheme: dark) {
    .back { fill: #161616 } text { fill: #ddd } .axis { stroke: #888 } .grid { stroke: #333 }
    .l0 { stroke: #7db1ff } .l1 { stroke: #ff9d66 } .l2 { stroke: #6fd394 } .l3 { stroke: #d3a0f5 } .l4 { stroke: #aaa }
  }
"""

Series = Mapping[str, Mapping[int, float]]
"""For each line of the plot: milliseconds by number of products."""


def series_of(run: Mapping[str, Any], engine: str = "sqlite") -> Series:
    """The lines of one engine, from the run's figures of pages that are made anew."""
    found = {}
    for name, label in LINES.items():
        for figure in run["figures"]:
            told = figure["name"].startswith(f"{name}, made anew")
            if figure["section"] == "growth" and figure["engine"] == engine and told:
                found[label] = {int(size): ms for size, ms in figure["extra"].items()}
    return found


def plot(series: Series) -> str:
    """The picture; sizes stand on a logarithmic scale."""
    sizes = sorted({size for points in series.values() for size in points})
    most = math.ceil(max(ms for points in series.values() for ms in points.values()) * 1.1)
    step = max(1, math.ceil(most / 6))
    parts = [_axis_x(size, sizes) for size in sizes]
    parts += [_axis_y(ms, most) for ms in range(0, most + 1, step)]
    heights = _labels({name: _y(points[max(points)], most) for name, points in series.items()})
    for number, (name, points) in enumerate(series.items()):
        line = " ".join(
            f"{_x(size, sizes):.1f},{_y(points[size], most):.1f}" for size in sorted(points)
        )
        parts.append(f'<polyline class="l{number}" points="{line}"/>')
        label = f"{name} {points[max(points)]:.1f}"
        parts.append(f'<text x="{WIDTH - RIGHT + 10}" y="{heights[name]:.1f}">{label}</text>')
    return _picture("\n".join(parts))


def _picture(inside: str) -> str:
    title = "Processor time of a page against the number of products"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{title}">\n'
        f"<title>{title}</title>\n<style>{STYLE}</style>\n"
        f'<rect class="back" width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>\n'
        f'<text x="{LEFT}" y="22">Milliseconds of processor time, made anew</text>\n{inside}\n'
        f'<text x="{(LEFT + WIDTH - RIGHT) // 2}" y="{HEIGHT - 8}" text-anchor="middle">products</text>\n</svg>\n'
    )


def _x(size: int, sizes: list[int]) -> float:
    whole = math.log(sizes[-1] / sizes[0]) or 1.0
    return LEFT + (WIDTH - LEFT - RIGHT) * math.log(size / sizes[0]) / whole


def _y(ms: float, most: float) -> float:
    return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * ms / most


def _axis_x(size: int, sizes: list[int]) -> str:
    x, foot = _x(size, sizes), HEIGHT - BOTTOM
    return (
        f'<line class="axis" x1="{x:.1f}" x2="{x:.1f}" y1="{foot}" y2="{foot + 5}"/>'
        f'<text x="{x:.1f}" y="{foot + 20}" text-anchor="middle">{size:,}</text>'
    )


def _axis_y(ms: float, most: float) -> str:
    y = _y(ms, most)
    return (
        f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{ms:g}</text>'
    )


def _labels(wanted: Mapping[str, float]) -> dict[str, float]:
    """Where each name stands: beside the end of its line, and never over another name."""
    found: dict[str, float] = {}
    lowest = 0.0
    for name in sorted(wanted, key=lambda each: wanted[each]):
        lowest = max(wanted[name] + 4, lowest + LABEL_HEIGHT)
        found[name] = lowest
    return found


if __name__ == "__main__":
    FILE.write_text(plot(series_of(json.loads(Path(sys.argv[1]).read_text()))))
