"""Many at the same moment: threads let go together, and one buyer's form sent from many browsers."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from flask import Flask
from werkzeug.test import TestResponse

from tests.buyer import Buyer, Form

PATIENCE = 10


def at_once(count: int, work: Callable[[int], Any]) -> list[Any]:
    """Run `work` in so many threads, all let go at the same moment."""
    gate = threading.Barrier(count)

    def run(number: int) -> Any:
        gate.wait(120)
        return work(number)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))


@dataclass(frozen=True)
class FilledForm:
    """A checkout form, filled in and not sent yet; any thread may send it, as often as it likes."""

    app: Flask
    fields: dict[str, str]
    cookie: str

    def send(self, key: object = "") -> TestResponse:
        """Send it from a browser of its own; `key` makes it the form of another buyer.

        Another buyer has another address: those of the same one wait for each other.
        """
        browser = self.app.test_client()
        browser.set_cookie("session", self.cookie)
        own = {
            "checkout_key": f"{self.fields['checkout_key']}{key}",
            "email": f"{key}{self.fields['email']}",
        }
        return browser.post("/checkout", data=self.fields | own)

    def insist(self, key: object = "") -> TestResponse:
        """Send it, and a few times more while the shop says that it is busy: on a slow machine it may."""
        for _ in range(PATIENCE):
            if (answer := self.send(key)).status_code != 503:
                break
        return answer


def fill_in(app: Flask, *slugs: str, quantity: int = 1) -> FilledForm:
    """Put the products into a cart, in this order, and fill in the checkout form."""
    buyer = Buyer(app)
    for slug in slugs:
        buyer.puts_into_cart(slug, quantity)
    buyer.opens("/checkout")
    fields = Form(buyer.page.text, "/checkout").fields | {"email": buyer.email}
    cookie = buyer.browser.get_cookie("session")
    assert cookie is not None
    return FilledForm(app, fields, cookie.value)


def outcome(answer: TestResponse) -> str:
    """What became of a sent form: "sold", "sold out", "order page", or the status that nobody should see."""
    to = answer.headers.get("Location", "")
    if answer.status_code == 303 and to.startswith("http"):
        return "sold"
    if answer.status_code == 303 and to.startswith("/orders/"):
        return "order page"
    if answer.status_code == 409 or (answer.status_code == 303 and to == "/cart"):
        return "sold out"
    return f"{answer.status_code} {to}"
