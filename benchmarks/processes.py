"""Memory and processor time of gunicorn's workers, from Linux's own books."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Memory:
    """Megabytes (2**20): all pages a process has, its share where they are shared, and those that are its alone."""

    resident: float
    proportional: float
    private: float


def memory_of_workers(master: int) -> list[Memory]:
    """The memory of each child of this process; none where there is no /proc."""
    return [_memory(worker) for worker in _children(master)]


def processor_seconds(master: int) -> float:
    """What the children of this process have used of the processors so far."""
    return sum(_seconds(worker) for worker in _children(master))


def _children(master: int) -> list[int]:
    listed = Path(f"/proc/{master}/task/{master}/children")
    return [int(number) for number in listed.read_text().split()] if listed.exists() else []


def _memory(process: int) -> Memory:
    figures = {}
    for line in Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()[1:]:
        name, _, value = line.partition(":")
        figures[name] = int(value.split()[0]) / 1024
    private = figures["Private_Clean"] + figures["Private_Dirty"]
    return Memory(figures["Rss"], figures["Pss"], private)


def _seconds(process: int) -> float:
    # The name, in brackets, may hold anything; user and system time come 11 fields after it.
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
