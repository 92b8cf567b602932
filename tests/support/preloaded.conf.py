"""gunicorn's own settings for the crash tests: workers fork from a warm master, and deaths are counted."""

import os
from pathlib import Path
from typing import Any

exec(Path("gunicorn.conf.py").read_text())  # all else is as in production

# A killed worker is replaced in some 50 ms. No connection is shared: the master never opens one.
preload_app = True


def child_exit(server: Any, worker: Any) -> None:
    """Note that a worker has died; here they die of nothing but SIGKILL."""
    with Path(os.environ["DEATHS"]).open("a") as deaths:
        deaths.write("x")
