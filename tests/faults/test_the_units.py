"""The systemd units: what they say is what gunicorn and the shop do."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import requests

from shop.config import Settings
from shop.db import BUSY_SECONDS
from shop.payments.cryptocloud.calls import CALL_SECONDS
from tests.support.processes import (
    PATIENCE,
    ROOT,
    WebProcess,
    environment,
    here,
    open_socket,
    unit,
    until,
)

UNITS = ROOT / "deploy" / "systemd"
SERVICES = ("storefront.service", "storefront-worker.service")


def gunicorn_setting(name: str) -> int:
    """What gunicorn.conf.py says, without reading any settings of a shop."""
    lines = (ROOT / "gunicorn.conf.py").read_text("utf-8").splitlines()
    value = next(line for line in lines if line.startswith(f"{name} = ")).partition("= ")[2]
    return int(value.partition("#")[0])


def test_each_waits_longer_than_what_it_waits_for() -> None:
    """Provider within its checkout, checkout within the drain, drain within systemd's patience."""
    drain = gunicorn_setting("graceful_timeout")
    longest_checkout = CALL_SECONDS + 2 * BUSY_SECONDS

    assert longest_checkout < drain < int(unit("storefront.service")["TimeoutStopSec"][0])


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="no systemd here")
def test_systemd_understands_the_units(tmp_path: Path) -> None:
    installed = tmp_path / "storefront"
    installed.mkdir()
    (installed / ".venv").symlink_to(Path(sys.prefix))
    for path in UNITS.iterdir():
        text = path.read_text("utf-8").replace("/opt/storefront", str(installed))
        (tmp_path / path.name).write_text(text, "utf-8")

    verdict = subprocess.run(
        [
            "systemd-analyze",
            "verify",
            "--man=no",
            *(tmp_path / path.name for path in UNITS.iterdir()),
        ],
        capture_output=True,
        text=True,
        check=False,
    )

    assert (verdict.returncode, verdict.stderr) == (0, "")


@pytest.mark.parametrize("service", SERVICES)
def test_the_services_are_confined(service: str) -> None:
    values = unit(service)

    assert values["User"] == ["storefront"]
    assert values["ProtectSystem"] == ["strict"]
    assert values["NoNewPrivileges"] == ["yes"]
    assert values["CapabilityBoundingSet"] == [""]


@pytest.fixture
def name(tmp_path: Path) -> Path:
    """The shop's name, in a file that is read anew whenever the settings are."""
    name = tmp_path / "name"
    name.write_text("Before", "utf-8")
    return name


@pytest.fixture
def web(settings: Settings, name: Path) -> Iterator[WebProcess]:
    command = here(unit("storefront.service")["ExecStart"][0])
    with (
        open_socket() as door,
        closing(WebProcess(settings, door=door, command=command, SHOP_NAME_FILE=str(name))) as web,
    ):
        yield web


def front_page(web: WebProcess) -> str:
    return requests.get(f"{web.url}/", timeout=PATIENCE).text


def reload_by_systemd(web: WebProcess) -> bool:
    """What `systemctl reload` does: one command after the other, until one fails."""
    for command in unit("storefront.service")["ExecReload"]:
        if "$MAINPID" in command:
            web.reload()
        elif subprocess.run(here(command), cwd=ROOT, env=web.environment, check=False).returncode:
            return False
    return True


@pytest.mark.long
@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_a_reload_picks_up_settings(web: WebProcess, name: Path) -> None:
    assert "Before" in front_page(web)

    name.write_text("After", "utf-8")

    assert reload_by_systemd(web)
    assert "After" in front_page(web)


@pytest.mark.long
@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_a_reload_with_wrong_settings_is_refused_and_the_shop_goes_on(
    web: WebProcess, name: Path
) -> None:
    before = web.workers()
    name.unlink()

    assert not reload_by_systemd(web)
    assert web.workers() == before
    assert "Before" in front_page(web)


@pytest.mark.long
@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_without_the_check_wrong_settings_would_end_the_shop(web: WebProcess, name: Path) -> None:
    """The control: this is why the unit's reload begins with a check."""
    name.unlink()

    web.process.send_signal(signal.SIGHUP)

    until(lambda: web.process.poll() is not None, "the end of gunicorn")


@pytest.mark.long
@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_the_worker_stops_by_itself_when_it_is_asked_as_its_unit_asks(settings: Settings) -> None:
    values = unit("storefront-worker.service")
    worker = subprocess.Popen(
        here(values["ExecStart"][0]),
        cwd=ROOT,
        env=environment(settings),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        until(lambda: catches(worker.pid, signal.SIGTERM), "the start of its work")

        worker.send_signal(signal.Signals[values["KillSignal"][0]])

        assert worker.wait(PATIENCE) == 0
    finally:
        worker.kill()
        worker.wait(PATIENCE)


def catches(pid: int, number: int) -> bool:
    """Whether the process has a handler of its own for this signal."""
    status = Path(f"/proc/{pid}/status").read_text("ascii")
    mask = next(line for line in status.splitlines() if line.startswith("SigCgt:"))
    return bool(int(mask.split()[1], 16) & (1 << (number - 1)))


def test_the_port_of_the_unit_is_where_gunicorn_would_listen() -> None:
    """So that a proxy finds the shop in one place, with and without systemd."""
    listens = unit("storefront.socket")["ListenStream"][0]

    assert f'"BIND", "{listens}"' in (ROOT / "gunicorn.conf.py").read_text("utf-8")
