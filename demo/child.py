"""One child process: in a process group and with a log file of its own."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from demo.surroundings import ROOT

_PR_SET_PDEATHSIG = 1
# Looked up here, because little is safe between fork and exec.
_prctl = ctypes.CDLL(None).prctl if sys.platform == "linux" else None


class StackError(Exception):
    """Something did not start, or ended; the text says what, with its last words."""


class Child:
    """A process that was started and is to be stopped with everything it started itself."""

    def __init__(
        self,
        name: str,
        command: tuple[str, ...],
        environment: dict[str, str],
        logs: Path,
        inherits: tuple[int, ...] = (),
        checkout: Path = ROOT,
    ) -> None:
        logs.mkdir(parents=True, exist_ok=True)
        self.name = name
        self.command = command
        self.environment = environment
        self.inherits = inherits
        self.checkout = checkout
        self.log = logs / f"{name}.log"
        self.log.write_bytes(b"")
        self.shown = 0
        self.start()

    def start(self) -> None:
        """Start the process; its log goes on where it was."""
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                self.command,
                cwd=self.checkout,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                pass_fds=self.inherits,
                # Ctrl-C reaches this process only, and it stops the children in order.
                start_new_session=True,
                preexec_fn=_end_with_parent,
            )

    def ask_to_end(self) -> None:
        """Let the process finish what it is doing."""
        if self.process.poll() is None:
            self.process.terminate()

    def end(self, patience: float) -> None:
        """Wait a while, then kill what is left of the process group."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(patience)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def new_lines(self) -> Iterator[str]:
        """The whole lines written since the last call."""
        with self.log.open("rb") as file:
            file.seek(self.shown)
            text = file.read()
        whole = text[: text.rfind(b"\n") + 1]
        self.shown += len(whole)
        yield from whole.decode("utf-8", "replace").splitlines()

    def tail(self, count: int = 25) -> str:
        """The last lines of the log, for an error message."""
        lines = self.log.read_text("utf-8", "replace").splitlines()[-count:]
        return "\n".join(
            [f"Last lines of the {self.name}'s log:", *(f"  {line}" for line in lines)]
        )


def _end_with_parent() -> None:
    """On Linux, ask the kernel to end this child should its parent be killed outright."""
    if _prctl is not None:
        _prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
