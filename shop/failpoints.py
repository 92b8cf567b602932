"""Places where a test lets the process die, as a power cut would: at once and without a word.

`SHOP_FAILPOINTS="before_bind delivering=0.05"` arms two: the first kills always, the second with a
probability. Nothing is armed in production: the settings refuse it there.
"""

from __future__ import annotations

import os
import random
import signal

_armed: dict[str, float] = {}


def arm(specification: str) -> None:
    """Arm these failpoints, and no others."""
    _armed.clear()
    for word in specification.replace(",", " ").split():
        name, _, probability = word.partition("=")
        _armed[name] = float(probability or 1)


def failpoint(name: str) -> None:
    """Die here, if this point is armed."""
    if _armed and random.random() < _armed.get(name, 0):  # noqa: S311  # chance, not a secret
        os.kill(os.getpid(), signal.SIGKILL)
