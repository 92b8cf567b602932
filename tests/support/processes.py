"""Real processes for the fault tests: the shop under gunicorn, started and killed for real."""

from __future__ import annotations

import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from shop.config import Settings

ROOT = Path(__file__).resolve().parent.parent.parent
PATIENCE = 90  # longer than a draining gunicorn may take, on a machine with better things to do


def environment(settings: Settings, **more: str) -> dict[str, str]:
    """The settings as another process reads them."""
    own = {
        "SHOP_DEVELOPMENT": "1",
        "SHOP_DATA_DIR": str(settings.shop_data_dir),
        "SHOP_PUBLIC_URL": settings.shop_public_url,
        "DATABASE_URL": settings.database,
        "CRYPTOCLOUD_API_URL": settings.cryptocloud_api_url,
        "CRYPTOCLOUD_PAY_HOSTS": ",".join(settings.cryptocloud_pay_hosts),
        "SMTP_URL": settings.smtp_url.get_secret_value(),
        "SHOP_UNPAID_ORDERS": str(settings.shop_unpaid_orders),
        "SHOP_UNPAID_SHARE": str(settings.shop_unpaid_share),
    }
    return {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)} | own | more


def until(condition: Callable[[], Any], what: str) -> Any:
    """Wait for another process to get somewhere."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.02)
    raise AssertionError(f"{what} did not happen within {PATIENCE} s")


HAND_OVER = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ.update(LISTEN_FDS="1", LISTEN_PID=str(os.getpid()))
os.execv(sys.argv[2], sys.argv[2:])
"""
"""What systemd does between fork and exec: the open socket becomes descriptor 3, and that is said."""

GUNICORN = (sys.executable, "-m", "gunicorn", "-c", "gunicorn.conf.py", "wsgi:app")


def unit(name: str) -> dict[str, list[str]]:
    """A systemd unit of deploy/: all values of each key, whatever its section."""
    values: dict[str, list[str]] = {}
    for line in (ROOT / "deploy" / "systemd" / name).read_text("utf-8").splitlines():
        key, equals, value = line.partition("=")
        if equals and not line.startswith("#"):
            values.setdefault(key, []).append(value)
    return values


def here(command: str) -> list[str]:
    """A unit's command, with the programs of this very environment."""
    program, *arguments = command.split()
    return [str(Path(sys.executable).with_name(Path(program).name)), *arguments]


class Notifications(socket.socket):
    """What systemd hears on by `Type=notify`; the name goes into NOTIFY_SOCKET."""

    def __init__(self) -> None:
        super().__init__(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.name = f"@storefront-{secrets.token_hex(8)}"
        self.bind(self.name.replace("@", "\0"))
        self.settimeout(PATIENCE)


def free_port() -> int:
    """A port that nobody listens on."""
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def open_socket() -> socket.socket:
    """What storefront.socket is: a port that is open whether the shop runs or not."""
    return socket.create_server(("127.0.0.1", 0), backlog=2048)


class WebProcess:
    """The shop under gunicorn, as in production, in a process group of its own.

    With a `door` the listening socket is the caller's and outlives gunicorn, as under systemd;
    without one it is gunicorn's own, and goes with it. `more` are further settings.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        workers: int = 1,
        door: socket.socket | None = None,
        port: int = 0,
        command: Sequence[str] = GUNICORN,
        **more: str,
    ) -> None:
        self.door = door
        port = door.getsockname()[1] if door else port or free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.command = command
        bind = {} if door else {"BIND": f"127.0.0.1:{port}"}
        self.environment = environment(settings, **bind, WEB_WORKERS=str(workers), **more)
        self.start()

    def start(self) -> None:
        """Start it, and return once it answers."""
        command = list(self.command)
        kept = [self.door.fileno()] if self.door else []
        if kept:
            command = [sys.executable, "-c", HAND_OVER, str(kept[0]), *command]
        self.process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=self.environment,
            pass_fds=kept,
            start_new_session=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        until(self.answers, "the start of the shop")

    def answers(self) -> bool:
        assert self.process.poll() is None, f"gunicorn ended with {self.process.returncode}"
        try:
            return bool(urllib.request.urlopen(f"{self.url}/readyz", timeout=10).status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def workers(self) -> set[int]:
        """The process ids of gunicorn's workers."""
        pid = self.process.pid
        return {
            int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        }

    def reload(self) -> None:
        """SIGHUP, as `systemctl reload` sends it; returns when only new workers are left."""
        old = self.workers()
        self.process.send_signal(signal.SIGHUP)
        until(lambda: self.workers() and not old & self.workers(), "the end of the old workers")

    def stop(self) -> None:
        """SIGTERM, as `systemctl stop` sends it; returns when it is over."""
        self.process.terminate()
        self.process.wait(PATIENCE)

    def restart(self) -> None:
        """As `systemctl restart` does it."""
        self.stop()
        self.start()

    def kill(self) -> None:
        """As the power cord does it: master and workers at once, without a word."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(PATIENCE)

    def close(self) -> None:
        """Leave nothing running."""
        if self.process.poll() is None:
            self.kill()
