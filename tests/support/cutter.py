"""A wire between the shop and PostgreSQL that breaks around a COMMIT: before it gets there, or after.

After is the worst moment there is: the server has committed, and the shop will never hear of it.
"""

from __future__ import annotations

import itertools
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal

SOCKET = ".s.PGSQL.5432"
Cut = Literal["before", "after"]


class Cutter:
    """Passes on everything; of so many commits each, one is lost, and one reply to a commit."""

    def __init__(self, server: Path, folder: Path) -> None:
        self.server, self.folder = server, folder
        self.every: dict[Cut, int] = {}
        self.cuts: dict[Cut, int] = {"before": 0, "after": 0}
        self._commits = itertools.count(1)
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(folder / SOCKET))
        self._listener.listen(64)

    def accept(self) -> None:
        """Let clients in until the wire is closed."""
        while True:
            try:
                client = self._listener.accept()[0]
            except OSError:
                return
            _start(lambda client=client: self._connect(client))

    def close(self) -> None:
        """Let nobody in any more."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _connect(self, client: socket.socket) -> None:
        server = socket.socket(socket.AF_UNIX)
        try:
            server.connect(str(self.server / SOCKET))
        except OSError:
            _hang_up(client, server)
            return
        swallow = threading.Event()
        _start(lambda: self._answers(server, client, swallow))
        with suppress(OSError):
            while data := client.recv(65536):
                cut = self._cut() if b"COMMIT" in data else None
                if cut == "before":
                    break
                if cut == "after":
                    swallow.set()
                server.sendall(data)
        _hang_up(client, server)

    def _answers(
        self, server: socket.socket, client: socket.socket, swallow: threading.Event
    ) -> None:
        with suppress(OSError):
            while data := server.recv(65536):
                if swallow.is_set():  # the server answers to a COMMIT when it has been done
                    break
                client.sendall(data)
        _hang_up(client, server)

    def _cut(self) -> Cut | None:
        number = next(self._commits)
        for when, every in self.every.items():
            if every and number % every == 0:
                self.cuts[when] += 1
                return when
        return None


@contextmanager
def cutter(server: Path, folder: Path) -> Iterator[Cutter]:
    """A wire to the server whose socket lies in `server`; its own lies in `folder`."""
    wire = Cutter(server, folder)
    _start(wire.accept)
    try:
        yield wire
    finally:
        wire.close()


def _start(work: Callable[[], None]) -> None:
    threading.Thread(target=work, daemon=True).start()


def _hang_up(*ends: socket.socket) -> None:
    for end in ends:
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
        end.close()
