#!/usr/bin/env bash
# pysqlite3 0.6.1 (PyPI), with SQLite 3.53.4; SQLite 3.40.1 does the same.
#
# Input:    a database in WAL mode that another process has open. One connection reads it while its files
#           cannot be written for a moment, and stays open. Then they can be written again.
# Expected: a connection that is opened from then on writes; only the one from before may not.
# Seen:     it cannot: "attempt to write a readonly database", for as long as the first is open, whatever
#           the files allow by then. Connections of a process share the index of the log as it was opened
#           first. Once the first is closed, others write.
#
# Exits with 0 while that is so, and with another code once it is not.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
chmod 755 "$place" # for the user below
python3 -m venv "$place"
"$place/bin/pip" install --quiet pysqlite3==0.6.1
mkdir -m 777 "$place/shop"

seen=$("$place/bin/python" - "$place/shop/shop.db" <<'PYTHON'
import os
import pwd
import signal
import sys

from pysqlite3 import dbapi2 as sqlite3

path = sys.argv[1]
files = [path, f"{path}-wal", f"{path}-shm"]


def other_process(ready: int) -> None:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("CREATE TABLE orders (number TEXT)")
    os.write(ready, b".")
    signal.pause()


def write(when: str) -> None:
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        connection.execute("INSERT INTO orders VALUES ('A')")
        print(when, "written")
    except sqlite3.OperationalError as error:
        print(when, error)
    connection.close()


if os.geteuid() == 0:  # who may write everything
    os.setegid(pwd.getpwnam("nobody").pw_gid)
    os.seteuid(pwd.getpwnam("nobody").pw_uid)
is_ready, ready = os.pipe()
other = os.fork()
if not other:
    other_process(ready)
os.read(is_ready, 1)
for file in files:
    os.chmod(file, 0o444)
reader = sqlite3.connect(path, isolation_level=None)
reader.execute("SELECT count(*) FROM orders").fetchone()
for file in files:
    os.chmod(file, 0o644)
write("reader open:")
reader.close()
write("reader closed:")
os.kill(other, signal.SIGKILL)
PYTHON
)
printf '%s\n' "$seen"
[ "$seen" = "reader open: attempt to write a readonly database
reader closed: written" ]
