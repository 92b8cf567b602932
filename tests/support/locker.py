"""Another process that holds the database, small enough to start at once."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.engine import make_url

SQLITE = """
import sys
try:
    from pysqlite3 import dbapi2 as driver
except ImportError:
    import sqlite3 as driver
connection = driver.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
"""
POSTGRESQL = """
import sys, psycopg
connection = psycopg.connect(sys.argv[1])
connection.execute("LOCK TABLE orders, payments, postbacks IN ACCESS EXCLUSIVE MODE")
"""
UNTIL_NOBODY_LISTENS = """
print("locked", flush=True)
sys.stdin.read()
connection.close()
"""


@contextmanager
def locked(url: str) -> Iterator[None]:
    """Keep every writer of this database out, from a process of its own."""
    parts = make_url(url)
    script, address = POSTGRESQL, parts.set(drivername="postgresql").render_as_string(False)
    if parts.get_backend_name() == "sqlite":
        script, address = SQLITE, str(parts.database)
    process = subprocess.Popen(
        [sys.executable, "-c", script + UNTIL_NOBODY_LISTENS, address],
        env={"PATH": os.environ["PATH"]},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdin
    assert process.stdout
    try:
        assert process.stdout.readline() == b"locked\n"
        yield
    finally:
        process.stdin.close()
        process.wait(60)
        process.stdout.close()
