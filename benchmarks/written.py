"""docs/speed.md and its plot, written anew from a run: `dev.py bench --write`.

`python -m benchmarks.written FILE ...` does so from what `--json` has written.
"""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks import plot
from benchmarks.figures import NOISE, short
from benchmarks.sections import SECTIONS
from demo.surroundings import ROOT

PAGE = ROOT / "docs" / "speed.md"
BEGIN, END = "<!-- figures -->", "<!-- end of the figures -->"
HEAD = "| {title} | | CPU ms | beside | CPU ms | ratio [rounds] | goal |\n|---|--:|--:|--:|--:|--:|---|\n"


def write(run: Mapping[str, Any]) -> None:
    """Put the figures into the page, and the plot beside it where its sizes were measured."""
    page = PAGE.read_text("utf-8")
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text(f"{before}{BEGIN}\n\n{figures(run)}\n{END}{after}", "utf-8")
    if series := plot.series_of(run):
        plot.FILE.write_text(plot.plot(series), "utf-8")


def figures(run: Mapping[str, Any]) -> str:
    """What was measured on what, and a table for each section and engine."""
    against = f", against `{run['against']}`" if run["against"] else ""
    quick = " A quick run: fewer and shorter rounds." if run["quick"] else ""
    machine = f"{run['processors']} processors, Python {run['python']}, {run['system']}, load {run['load']}"
    parts = [f"Commit `{run['commit']}`{against}, on {run['date'][:10]}: {machine}.{quick}\n"]
    for section in SECTIONS:
        for engine, name in (("sqlite", "SQLite"), ("postgresql", "PostgreSQL")):
            found = [
                each
                for each in run["figures"]
                if (each["section"], each["engine"]) == (section.name, engine)
            ]
            if found:
                parts.append(table(f"{section.title}, {name}", found))
    return "\n".join(parts)


def table(title: str, found: Sequence[Mapping[str, Any]]) -> str:
    """The figures of one section on one engine."""
    return HEAD.format(title=title) + "".join(f"| {' | '.join(cells(each))} |\n" for each in found)


def cells(figure: Mapping[str, Any]) -> list[str]:
    """One figure, as on the terminal."""
    ratio = goal = ""
    if spread := figure.get("spread"):
        mark = f" {NOISE}" if figure["noisy"] else ""
        ratio = f"{figure['ratio']:.2f} [{spread[0]:.2f} to {spread[-1]:.2f}]{mark}"
    if figure["goal"]:
        sign = {">=": "≥", "<=": "≤"}[figure["goal"][:2]]
        unit = "" if figure["goal_of"] == "ratio" else f" {figure['unit']}"
        goal = f"{'met' if figure['met'] else '**missed**'}: {sign}{figure['goal'][2:]}{unit}"
    return [
        figure["name"],
        f"{short(figure['value'])} {figure['unit']}",
        _median(figure["cpu"]),
        f"{_median(figure['others'])} {figure['beside']}" if figure["others"] else "",
        _median(figure["other_cpu"]),
        ratio,
        goal,
    ]


def _median(values: Sequence[float]) -> str:
    return short(statistics.median(values)) if values else ""


if __name__ == "__main__":
    runs = [json.loads(Path(name).read_text("utf-8")) for name in sys.argv[1:]]
    write(runs[0] | {"figures": [figure for run in runs for figure in run["figures"]]})
