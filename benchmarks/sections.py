"""The sections of the benchmark, in their order, and what each needs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from benchmarks.buying import checkout, settling
from benchmarks.cold import cold
from benchmarks.commands import importing, starts
from benchmarks.figures import Figure
from benchmarks.growth import growth, sweeps
from benchmarks.launch import launch
from benchmarks.memory import memory
from benchmarks.postbacks import postbacks
from benchmarks.running import Run
from benchmarks.shops import ENGINES
from benchmarks.waiting import waiting
from benchmarks.warm import warm


@dataclass(frozen=True)
class Section:
    """A part of the benchmark."""

    name: str
    title: str
    measure: Callable[[Run], Iterator[Figure]]
    shops: bool = False
    """Whether it measures shops that run; these are started once for all such sections."""
    slow: bool = False
    """Whether a quick run goes without it."""
    engines: tuple[str, ...] = ENGINES


SECTIONS = (
    Section("warm", "Kept pages, 16 connections", warm, shops=True),
    Section("checkout", "Checkouts", checkout, shops=True),
    Section("postbacks", "Postbacks that come again, 16 connections", postbacks, shops=True),
    Section("waiting", "A provider that is slow", waiting, shops=True),
    Section("settling", "Lost postbacks", settling, shops=True, slow=True, engines=("sqlite",)),
    Section("cold", "Pages that are made anew", cold),
    Section("start", "Commands that start", starts, engines=("sqlite",)),
    Section("memory", "Memory", memory, slow=True, engines=("sqlite",)),
    Section("growth", "Large catalogues", growth, slow=True),
    Section("sweep", "Many orders", sweeps, slow=True),
    Section("launch", "A launch", launch, slow=True),
    Section("import", "A large catalogue comes in", importing, slow=True),
)
