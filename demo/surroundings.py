"""The settings and ports of a demo shop; nothing of the operator's own shop gets in."""

from __future__ import annotations

import contextlib
import os
import socket
from pathlib import Path

from dotenv import dotenv_values

ROOT = Path(__file__).resolve().parent.parent

_OURS = ("SHOP_", "CRYPTOCLOUD_", "SANDBOX_", "FLASK_", "GUNICORN_")
_OURS_TOO = ("BIND", "DATABASE_URL", "QUEUE_URL", "RATELIMIT_URL", "SECRET_KEY", "SMTP_URL")


def trybit_url(sandbox_url: str) -> str:
    """The sandbox by its other name, where the pay links of the brand Trybit lead."""
    return f"http://localhost:{sandbox_url.rpartition(':')[2]}"


def pay_urls(sandbox_url: str) -> dict[str, str]:
    """Where the pay links of each brand lead."""
    return {"cryptocloud": sandbox_url, "trybit": trybit_url(sandbox_url)}


def environment(data: Path, shop_url: str, sandbox_url: str) -> dict[str, str]:
    """All settings of shop, worker and sandbox, over what else surrounds this process."""
    inherited = {name: value for name, value in os.environ.items() if not _is_setting(name)}
    # A value in the environment, even an empty one, goes before the same name in `.env`.
    emptied = {name: "" for name in dotenv_values(ROOT / ".env") if _is_setting(name)}
    own = {
        "PYTHONUNBUFFERED": "1",
        "FLASK_SKIP_DOTENV": "1",
        "BIND": shop_url.removeprefix("http://"),
        "SHOP_DEVELOPMENT": "1",
        "SHOP_DATA_DIR": str(data),
        "SHOP_PUBLIC_URL": shop_url,
        "SHOP_NAME": "Lantern & Quill",
        "SHOP_SUPPORT_EMAIL": "help@lantern-quill.example",
        "CRYPTOCLOUD_API_URL": sandbox_url,
        "CRYPTOCLOUD_PAY_HOSTS": ",".join(pay_urls(sandbox_url).values()),
        "CRYPTOCLOUD_API_KEY": "sandbox-api-key-0000000000000000000000",
        "CRYPTOCLOUD_SHOP_ID": "SANDBOXSHOP00001",
        "CRYPTOCLOUD_SECRET_KEY": "sandbox-postback-secret-00000000000000",
        "SANDBOX_PUBLIC_URL": sandbox_url,
        "SANDBOX_TRYBIT_URL": trybit_url(sandbox_url),
        "SANDBOX_NOTIFICATION_URL": f"{shop_url}/payments/cryptocloud/postback",
        "SANDBOX_SUCCESS_URL": f"{shop_url}/payment/success",
        "SANDBOX_FAIL_URL": f"{shop_url}/payment/fail",
    }
    return inherited | emptied | own


def _is_setting(name: str) -> bool:
    return name.startswith(_OURS) or name.removesuffix("_FILE") in _OURS_TOO


def free_ports(*wanted: int) -> tuple[int, ...]:
    """The wanted ports or, where one is taken, the next free one above it; 0 asks for any."""
    with contextlib.ExitStack() as stack:
        # All stay bound until the last is found, so that no two are the same.
        return tuple(stack.enter_context(bound_socket(port)).getsockname()[1] for port in wanted)


def bound_socket(wanted: int) -> socket.socket:
    """A socket on the wanted port, or on the next free one above it; 0 asks for any."""
    above = range(wanted + 1, min(wanted + 20, 65536)) if wanted else ()
    for port in (wanted, *above, 0):
        candidate = socket.socket()
        candidate.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            candidate.bind(("127.0.0.1", port))
        except (OSError, OverflowError):  # taken, or no port at all
            candidate.close()
        else:
            return candidate
    raise OSError("no free port on 127.0.0.1")
