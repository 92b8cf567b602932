"""A program of the shop, as itself, whose minutes are seconds, and whose file modes bind it even as root.

    python tests/support/hasty.py gunicorn -c gunicorn.conf.py wsgi:app
    python tests/support/hasty.py flask --app wsgi worker

With HASTY_FILE_SIZE set, no file may grow beyond so many bytes: a disk that is full at the start.
"""

from __future__ import annotations

import ctypes
import os
import resource
import runpy
import sys
from datetime import timedelta
from pathlib import Path

PR_CAPBSET_DROP = 24
CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH = 1, 2
BOUND = "HASTY_BOUND"


def be_bound() -> None:
    """Root without these two capabilities is asked for its rights like everybody; they end at an exec."""
    if os.geteuid() == 0 and BOUND not in os.environ:
        for capability in (CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH):
            assert ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) == 0
        os.environ[BOUND] = "1"
        os.execv(sys.executable, [sys.executable, *sys.argv])
    if size := os.environ.get("HASTY_FILE_SIZE"):
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(size), resource.RLIM_INFINITY))


def hurry() -> None:
    """The waits between two looks, and before somebody is told."""
    import shop.books.with_journal
    import shop.ops.health
    import shop.watch
    import shop.worker

    shop.watch.EVERY = 0.5
    shop.watch.SILENT_AFTER = timedelta(seconds=6)
    shop.worker.EVERY = 1.0
    shop.books.with_journal.SETTLED_AFTER = timedelta(seconds=1)
    shop.ops.health.WRITES_EVERY = 0.0


if __name__ == "__main__":
    be_bound()
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))
    hurry()
    sys.argv = sys.argv[1:]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
