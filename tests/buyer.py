"""A buyer with a browser that runs no scripts: the verbs of a purchase, over the public pages only."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urlsplit

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse


class Form(HTMLParser):
    """The fields of the form that is posted to `action`, as a browser would send them."""

    def __init__(self, html: str, action: str) -> None:
        super().__init__()
        self.action, self.inside, self.fields = action, False, dict[str, str]()
        self.feed(html)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attributes}
        if tag == "form":
            self.inside = urlsplit(found.get("action", "")).path == self.action
        elif tag == "input" and self.inside and "name" in found:
            if found.get("type") == "radio" and "checked" not in found:
                return
            self.fields[found["name"]] = found.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self.inside = False


class Buyer:
    """Somebody with a browser and an email address."""

    def __init__(self, app: Flask, email: str = "buyer@example.com") -> None:
        self.browser: FlaskClient = app.test_client()
        self.email = email
        self.page: TestResponse

    def opens(self, address: str) -> TestResponse:
        """Go to an address of the shop; its full address works too."""
        parts = urlsplit(address)
        self.page = self.browser.get(f"{parts.path}?{parts.query}".rstrip("?"), buffered=True)
        return self.page

    def sends(self, action: str, **changes: Any) -> TestResponse:
        """Fill in and send the form of this page that goes to `action`; None leaves a field out."""
        fields = Form(self.page.text, action).fields | changes
        fields = {name: value for name, value in fields.items() if value is not None}
        self.page = self.browser.post(action, data=fields)
        return self.page

    def puts_into_cart(self, slug: str, quantity: int = 1, currency: str = "USD") -> None:
        """Press "Add to cart" on a product's page."""
        self.opens(f"/products/{slug}?currency={currency}")
        self.sends("/cart", quantity=str(quantity))
        assert self.page.status_code == 303, self.page.text

    def checks_out(self, **changes: Any) -> TestResponse:
        """Fill in the checkout form and press "Continue to payment"."""
        self.opens("/checkout")
        return self.sends("/checkout", **{"email": self.email} | changes)

    def buys(self, slug: str, quantity: int = 1) -> str:
        """From the product page to the pay page, whose address is returned."""
        self.puts_into_cart(slug, quantity)
        self.checks_out()
        assert self.page.status_code == 303, self.page.text
        return self.page.headers["Location"]

    def looks_at_order(self) -> str:
        """Open the order this browser placed last, by the link in the cart; the page's text."""
        self.opens("/cart")
        link = re.search(r'href="(/orders/[^"]+)"', self.page.text)
        assert link, "the cart names no unfinished order"
        return self.opens(link[1]).text

    def comes_back(self, address: str) -> str:
        """Return from the pay page, by the way it shows, and follow to where the shop leads; that page's text."""
        self.opens(address)
        if self.page.status_code == 303:
            self.opens(self.page.headers["Location"])
        return self.page.text

    def presses(self, button: str) -> TestResponse:
        """Press the button of this order page that asks ("check"), pays ("pay") or mails ("mail") once more."""
        action = re.search(rf'action="(/orders/[^"/]+/{button})"', self.page.text)
        assert action, f"the order page has no such button: {button}"
        return self.sends(action[1])

    def reads_answer(self) -> str:
        """Follow the redirect that the last button led to; that page's text."""
        assert self.page.status_code == 303, self.page.text
        return self.opens(self.page.headers["Location"]).text
