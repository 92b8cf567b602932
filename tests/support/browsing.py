"""Finding and starting the browser of browser tests."""

from __future__ import annotations

import os
import shutil

NAMES = ("chromium", "chromium-browser", "google-chrome", "microsoft-edge", "chrome")
PATIENCE = 30_000
"""Milliseconds for what a page should soon do; a browser on a busy machine may take many seconds."""
CHROMIUM = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)


def browser_arguments() -> dict[str, object]:
    """What Playwright needs to start the system's browser, quiet about the outside world."""
    flags = [
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--no-first-run",
        "--disable-quic",
        "--disable-gpu",
    ]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        flags.append("--no-sandbox")  # Chromium's own sandbox refuses root
    return {"executable_path": CHROMIUM, "args": flags}
