"""What happens at the provider: the sandbox's control panel, over HTTP as any program would use it."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import requests

PATIENCE = 60
"""Seconds. A verb may have to wait for the shop, which asks the provider; on a busy machine for long."""


class Till:
    """Where buyers pay; its postbacks are sent, and answered, before a verb returns."""

    def __init__(self, address: str, pay_origins: tuple[str, ...] = ()) -> None:
        self.address, self.pay_origins = address, pay_origins

    def does(
        self, action: str, pay_url: str, postback: str = "normal", coin: str | None = None
    ) -> dict[str, Any]:
        """Let something happen to the invoice of a pay page; the invoice as it is afterwards."""
        number = urlsplit(pay_url).path.rpartition("/")[2]
        wishes: dict[str, object] = {"postback": postback, "wait": True, "coin": coin}
        return self._post(f"invoices/{number}/{action}", wishes)

    def is_switched(self, api: str, **switches: object) -> None:
        """Turn the switch that says how the API answers."""
        self._post("switch", {"api": api} | switches)

    def invoices(self) -> list[dict[str, Any]]:
        """Every invoice there is, the newest first."""
        found: list[dict[str, Any]] = requests.get(
            f"{self.address}/_sandbox/invoices", timeout=PATIENCE
        ).json()
        return found

    def _post(self, path: str, wishes: dict[str, object]) -> dict[str, Any]:
        answer = requests.post(f"{self.address}/_sandbox/{path}", json=wishes, timeout=PATIENCE)
        assert answer.ok, answer.text
        found: dict[str, Any] = answer.json()
        return found
