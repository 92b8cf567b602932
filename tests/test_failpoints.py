"""A test can let a process die at a named place; nothing is armed unless somebody asks for it."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.machine import POINTS

ROOT = Path(__file__).resolve().parent.parent


def outcome(armed: str, reached: str) -> int:
    """How a process ends in which these points are armed and this one is reached."""
    program = (
        "import sys; from shop import failpoints as f; f.arm(sys.argv[1]); f.failpoint(sys.argv[2])"
    )
    command = [sys.executable, "-c", program, armed, reached]
    return subprocess.run(command, cwd=ROOT, check=False, timeout=30).returncode


@pytest.mark.parametrize(
    ("armed", "ending"),
    [
        ("before_bind", -signal.SIGKILL),
        ("inside_settle, before_bind=1", -signal.SIGKILL),
        ("before_bind=0", 0),
        ("inside_bind", 0),
        ("", 0),
    ],
)
def test_only_an_armed_point_kills(armed: str, ending: int) -> None:
    assert outcome(armed, "before_bind") == ending


def test_every_point_that_the_tests_arm_is_there() -> None:
    source = "\n".join(path.read_text() for path in (ROOT / "shop").rglob("*.py"))
    single = set(re.findall(r'failpoint\("(\w+)"\)', source))
    writes = set(re.findall(r'transaction\("(\w+)"[,)]', source))
    there = single | {f"{when}_{name}" for name in writes for when in ("before", "inside", "after")}
    there |= {f"after_{kind}_noted" for kind in re.findall(r'journal\.note\("(\w+)"', source)}

    assert set(POINTS) <= there
