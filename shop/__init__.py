"""A self-hosted storefront for digital goods, paid in cryptocurrency through Trybit, formerly CryptoCloud."""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flask import Flask

    from .config import Settings

__version__ = "0.1.0"

if "rich" not in sys.modules:
    # Where structlog finds it, it loads it for tracebacks in colour: five megabytes in each process.
    sys.modules["rich"] = None  # type: ignore[assignment]
    with suppress(ModuleNotFoundError):  # the provider's client does without it
        import structlog  # noqa: F401
    del sys.modules["rich"]


def create_app(settings: Settings | None = None) -> Flask:
    """The shop, ready to serve; ConfigurationError when the settings do not allow it."""
    # Only now, so that the provider's client can be imported where there is no Flask.
    from .app import create_app as make

    return make(settings)
