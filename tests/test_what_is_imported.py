"""Each process imports what it uses, because the rest would cost time at every start and memory ever after."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

from shop.config import ROOT, Settings
from tests.support.processes import environment

WEB = "import wsgi"
HELP = "from wsgi import app; app.cli(['--help'], standalone_mode=False)"
ORDERS = "from wsgi import app; app.cli(['orders', '--help'], standalone_mode=False)"

MASTER = """
import runpy, threading
runpy.run_path("gunicorn.conf.py")["on_starting"](None)
import gc
from sqlalchemy import Engine
assert threading.active_count() == 1
gc.unfreeze()
from shop.db import Base
assert all(each.configured for each in Base.registry.mappers)
assert not [each for each in gc.get_objects() if isinstance(each, Engine)]
"""
WORKER = """
import runpy
from types import SimpleNamespace
from wsgi import app
import shop.watch
shop.watch.start = lambda app: None
runpy.run_path("gunicorn.conf.py")["post_worker_init"](SimpleNamespace(wsgi=app))
"""

WORK_OF_OTHERS = [
    "shop.books",
    "shop.doctor",
    "shop.jobs",
    "shop.moments",
    "shop.privacy",
    "shop.surroundings",
    "shop.worker",
]
"""Packages of the worker and of commands: a web process runs none of what is in them."""
LIBRARIES = [
    "PIL",
    "alembic",
    "boto3",
    "bs4",
    "email_validator",
    "huey",
    "markdown_it",
    "markdownify",
    "requests",
    "yaml",
]
"""What is used later, in some processes, or never: each takes longer to import than what it is used for."""
COMMANDS = {
    f"shop.cli.{path.stem}"
    for path in (ROOT / "shop/cli").glob("*.py")
    if path.read_text("utf-8").startswith('"""`flask ')
} - {"shop.cli.doctor", "shop.cli.worker"}
"""The files that have commands. Those two are small, and import what they run when they run it."""


@pytest.fixture
def engine() -> str:
    return "sqlite"


@pytest.fixture
def modules_of(settings: Settings) -> Callable[[str], set[str]]:
    """The modules that a process has imported at the end of a program."""

    def modules_of(program: str) -> set[str]:
        done = subprocess.run(
            [sys.executable, "-c", f"{program}\nimport sys; print('imported', *sys.modules)"],
            cwd=ROOT,
            env=environment(settings),
            capture_output=True,
            text=True,
            check=True,
        )
        return {*done.stdout.rpartition("\nimported ")[2].removeprefix("imported ").split()}

    return modules_of


def of(packages: list[str], modules: set[str]) -> Iterator[str]:
    return (
        module
        for module in sorted(modules)
        if any(module == each or module.startswith(f"{each}.") for each in packages)
    )


@pytest.mark.parametrize("program", [WEB, HELP])
def test_neither_the_web_process_nor_help_imports_what_it_does_not_use(
    program: str, modules_of: Callable[[str], set[str]]
) -> None:
    modules = modules_of(program)

    assert "shop.checkout.views" in modules
    assert list(of(WORK_OF_OTHERS + LIBRARIES, modules)) == []
    assert sorted(COMMANDS & modules) == []


def test_the_master_imports_for_its_workers_and_opens_nothing(
    modules_of: Callable[[str], set[str]],
) -> None:
    """A thread, or a connection to the database, would be of no use to a forked process, and do harm."""
    master, worker = modules_of(MASTER), modules_of(WORKER)

    own = {"shop.components", "wsgi"}  # the first in development only
    assert {module for module in worker - master if "." not in module or "shop" in module} <= own
    assert list(of(WORK_OF_OTHERS, master)) == []


def test_a_group_imports_its_own_commands_alone(
    modules_of: Callable[[str], set[str]],
) -> None:
    assert COMMANDS & modules_of(ORDERS) == {"shop.cli.orders", "shop.cli.reissue"}


def test_what_a_start_makes_is_not_looked_through_for_garbage(
    modules_of: Callable[[str], set[str]],
) -> None:
    modules_of("import gc, wsgi; assert gc.isenabled() and gc.get_freeze_count() > 100_000")
