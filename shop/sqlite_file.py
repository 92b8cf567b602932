"""Looking whether SQLite's open file is still the one at its path.

Processes that have a deleted or replaced file open go on reading and writing it, and what they write is
gone when they end. So each transaction looks, once it has its lock, and does not go on if the file is
another. What only the open file holds is saved first, because people will restart the processes next.
"""

from __future__ import annotations

import contextlib
import os
import threading
from pathlib import Path
from typing import Any
from urllib.parse import quote

import structlog
from sqlalchemy.exc import OperationalError

log = structlog.get_logger()

PARTS = ("", "-wal", "-shm")
"""The file, and in WAL mode the log and its index; while anybody has them open, none is made anew."""
NO_LOG = (
    "{path}-wal is gone, and {path}-shm is there: the newest sales may have been in it. Stop web server and "
    "worker. Put it back if you can; else remove {path}-shm, start them, and see what the journal knows "
    "(docs/operating.md, Backup)"
)


class DatabaseFileLost(OperationalError):
    """The open database is not at its path any more; the text says what to do. It does not pass by itself."""

    def __init__(self, what: str) -> None:
        super().__init__(None, None, OSError(what))
        self.what = what


class DatabaseFile:
    """The database file that this process has open, and the files beside it."""

    def __init__(self, path: Path, driver: Any) -> None:
        self.path, self.driver = path, driver
        self._paths = [f"{path}{part}" for part in PARTS]
        self._opened: list[tuple[int, int] | None] = []
        """Which files are open; empty while none is."""
        self._connections = set[int]()
        self._saving = threading.Lock()

    def address(self) -> str:
        """The file's address, by which SQLite makes no empty database if there is none: only a migration may.

        Raises DatabaseFileLost if a new connection would make another log than the one in use.
        """
        if self._opened and self._at_the_path() != self._opened:
            raise DatabaseFileLost(
                f"{self.path} was deleted or replaced while the shop had it open"
            )
        if not self._opened and self._lacks_its_log():
            raise DatabaseFileLost(NO_LOG.format(path=self.path))
        return f"file:{quote(str(self.path))}?mode=rw"

    def is_missing(self) -> bool:
        """Whether there is no file, and none is open; False if this process may not look into the folder."""
        if self._opened:
            return False
        try:
            os.stat(self.path)
        except OSError as error:
            return isinstance(error, FileNotFoundError | NotADirectoryError)
        return False

    def _lacks_its_log(self) -> bool:
        """Whether the log is missing beside its index: SQLite makes the index last, and removes it first."""
        _, log_, index = self._paths
        # Twice, because another process may just have begun.
        return not _identity(log_) and bool(_identity(index)) and not _identity(log_)

    def opened(self, connection: Any) -> None:
        """Note that a connection was opened and has read something: before that it has not opened its log."""
        self._connections.add(id(connection))
        if not self._opened:
            self._opened = self._at_the_path()

    def closed(self, connection: Any) -> None:
        """Note that a connection was closed. Once all are closed, the log may be another one."""
        self._connections.discard(id(connection))
        if not self._connections:
            self._opened = []

    def check(self, connection: Any) -> None:
        """Raise DatabaseFileLost, and save what can be, when the files at the path are not those that are open.

        Each transaction calls it once it has begun: one that has the write lock and finds all well commits before
        any process saves.
        """
        now = self._at_the_path()
        if now == self._opened:
            return
        if now[0] == self._opened[0] and _mode(connection) != "wal":
            return  # in the other modes SQLite itself looks whether its file was moved
        connection.rollback()
        lost = [part for part, is_, was in zip(PARTS, now, self._opened, strict=True) if is_ != was]
        what = self._save(connection, lost)
        log.error("database_file_lost", parts=[self.path.name + part for part in lost], what=what)
        raise DatabaseFileLost(what) from OSError(what)

    def is_in_place(self) -> bool:
        """Whether the files at the path are those that are open."""
        return self._at_the_path() == self._opened

    def rescued(self) -> Path:
        """Where the content of a file that is not at the path any more is saved."""
        inode = self._opened[0][1] if self._opened and self._opened[0] else 0
        return self.path.with_name(f"{self.path.name}.rescued-{inode}")

    def _at_the_path(self) -> list[tuple[int, int] | None]:
        return [_identity(path) for path in self._paths]

    def _save(self, connection: Any, lost: list[str]) -> str:
        """Save the content as far as possible; returns what happened, and what to do, in words."""
        name, then = self.path.name + lost[0], "restart web server and worker"
        with self._saving:
            if "" in lost:
                saved = self._copy(connection)
                then = f"stop web server and worker, move {saved} to {self.path}, and start them"
                if not saved:
                    then = f"stop nothing before you have copied it out of {_held_open(self.path)}"
            elif "-wal" in lost:
                self._fold_back(connection)
        what = "was deleted, replaced or put out of reach while the shop had it open"
        return f"{name} {what}, so it sells nothing now: {then}"

    def _fold_back(self, connection: Any) -> None:
        """Bring what the lost log holds into the file; then nobody needs log and index any more."""
        try:
            if not connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]:
                self._remove_own("-shm")
        except (self.driver.Error, OSError) as error:
            log.error("database_not_saved", error=type(error).__name__)

    def _remove_own(self, *parts: str) -> None:
        """Remove what belongs to a lost file, and would damage the one that is put in its place."""
        for part in parts:
            left = self._paths[PARTS.index(part)]
            opened = self._opened[PARTS.index(part)]
            if opened is not None and opened == _identity(left):
                os.unlink(left)

    def _copy(self, connection: Any) -> Path | None:
        """Copy what is open to a file beside it, once for all processes; None when that failed."""
        target = self.rescued()
        if _identity(target):
            return target
        unfinished = target.with_name(f"{target.name}.{os.getpid()}.part")
        try:
            # Writers that have begun end before this; those that get the lock later find the file lost.
            connection.execute("BEGIN IMMEDIATE")
            connection.rollback()  # within a write, SQLite copies nothing
            with contextlib.closing(self.driver.connect(str(unfinished))) as copy:
                connection.backup(copy)
            unfinished.replace(target)
            self._remove_own("-wal", "-shm")
        except (self.driver.Error, OSError) as error:
            log.error("database_not_saved", error=type(error).__name__)
            return None
        return target


def _mode(connection: Any) -> str:
    return str(connection.execute("PRAGMA journal_mode").fetchone()[0])


def _identity(path: str | Path) -> tuple[int, int] | None:
    """Which file is at the path; None if there is none. To open it would take SQLite's locks from this process."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _held_open(path: Path) -> str:
    """Where Linux lets a person get at a deleted file."""
    return f"/proc/{os.getpid()}/fd/ ({path.name}, and {path.name}-wal beside it)"
