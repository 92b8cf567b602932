"""For negative controls: a function with a protection taken out, and a death that the test survives."""

from __future__ import annotations

import inspect
import os
from types import SimpleNamespace
from typing import Any

import pytest

from shop import failpoints


class Killed(BaseException):
    """A death in this process.

    No handler in the shop takes a BaseException for done, and what `transaction` does on the way
    out is the rollback that the database does after a kill: the same is left in the database.
    """


def mutant(function: Any, old: str, new: str) -> Any:
    """The function with a piece of its source replaced."""
    source = inspect.getsource(function)
    assert old in source, f"{function.__name__} has changed: {old!r} is not in it"
    made: dict[str, Any] = {}
    exec(source.replace(old, new), function.__globals__, made)
    return made[function.__name__]


def dies_here(monkeypatch: pytest.MonkeyPatch, point: str) -> None:
    """Arm a failpoint in this process; it goes off once."""

    def kill(*_: object) -> None:
        failpoints.arm("")
        raise Killed

    monkeypatch.setattr(failpoints, "os", SimpleNamespace(kill=kill, getpid=os.getpid))
    failpoints.arm(point)
