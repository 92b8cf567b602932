"""Measure the shop beside a bare WSGI callable and, if asked to, beside another of its commits.

All of it on one machine in one run, by turns, on SQLite and on PostgreSQL. A ratio is the median of the rounds'
own ratios, with the smallest and the greatest behind it; a ~ says that the rounds differ more than the two that
are compared. The load generator shares the machine with what it measures. benchmarks/README.md says more.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.figures import HEAD, Figure, line, row_of
from benchmarks.load import BadAnswer
from benchmarks.running import FULL, QUICK, Run
from benchmarks.sections import SECTIONS, Section
from benchmarks.shops import ENGINES, bare, commit_here, server_of, shops, worktree
from benchmarks.written import write
from demo.child import StackError
from demo.stack import Stopped, stop_on_signals
from demo.surroundings import ROOT


def main() -> int:
    """Measure what was asked for, print it as it comes, and write it down."""
    asked = arguments().parse_args()
    stop_on_signals()
    try:
        found = list(measured(asked))
    except Stopped:
        return 130
    except (StackError, BadAnswer, RuntimeError, LookupError, OSError) as error:
        print(f"\nThe measurement failed: {error}", file=sys.stderr)
        return 1
    run = document(asked, found)
    if asked.json:
        asked.json.write_text(json.dumps(run, indent=1) + "\n")
    if asked.write:
        write(run)
    missed = sum(figure.missed for figure in found)
    goals = sum(figure.goal is not None for figure in found)
    print(f"\n{goals - missed} of {goals} goals met")
    return 0


def arguments() -> argparse.ArgumentParser:
    """What may be asked for."""
    names = [section.name for section in SECTIONS]
    parser = argparse.ArgumentParser(prog="dev.py bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a shorter run, for a first look")
    parser.add_argument("--against", metavar="COMMIT", help="measure this commit beside it")
    parser.add_argument(
        "--only", choices=names, action="append", metavar="SECTION", help=str(names)
    )
    parser.add_argument("--engine", choices=ENGINES, action="append", help="one of both")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures to this file")
    parser.add_argument(
        "--write", action="store_true", help="write docs/speed.md and its plot anew"
    )
    return parser


def measured(asked: argparse.Namespace) -> Iterator[Figure]:
    """All figures, printed as they come."""
    size = QUICK if asked.quick else FULL
    wanted = [each for each in SECTIONS if not asked.only or each.name in asked.only]
    if asked.quick and not asked.only:
        left_out = [each.name for each in wanted if each.slow]
        wanted = [each for each in wanted if not each.slow]
        print(f"A quick run, without: {', '.join(left_out)}")
    print(f"{commit_here()}, Python {platform.python_version()}, {os.cpu_count()} processors")
    with contextlib.ExitStack() as stack:
        checkouts = {"here": ROOT}
        if asked.against:
            checkouts[asked.against] = stack.enter_context(worktree(asked.against))
        for engine in asked.engine or ENGINES:
            if here := [each for each in wanted if engine in each.engines]:
                with server_of(engine) as server:
                    yield from of_an_engine(Run(engine, server, size, checkouts), here)


def of_an_engine(run: Run, wanted: Sequence[Section]) -> Iterator[Figure]:
    """First the sections that share shops which run, then those that start their own."""
    print(f"\n== {run.engine} ==\n{line(HEAD)}", flush=True)
    with_shops = [section for section in wanted if section.shops]
    if with_shops:
        with bare() as yardstick, shops(run.checkouts, run.server) as running:
            together = replace(run, shops=running, bare=yardstick)
            for section in with_shops:
                yield from told(section, together)
    for section in wanted:
        if not section.shops:
            yield from told(section, run)


def told(section: Section, run: Run) -> Iterator[Figure]:
    """The figures of a section, each printed when it is known."""
    print(f"\n{section.title}", flush=True)
    for figure in section.measure(run):
        named = replace(figure, section=section.name)
        print(line(row_of(named)), flush=True)
        yield named


def document(asked: argparse.Namespace, found: Sequence[Figure]) -> dict[str, Any]:
    """The run as it is written down."""
    return {
        "commit": commit_here(),
        "against": asked.against,
        "quick": asked.quick,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "processors": os.cpu_count(),
        "load": round(os.getloadavg()[2], 1),
        "figures": [figure.as_json() for figure in found],
    }


if __name__ == "__main__":
    sys.exit(main())
