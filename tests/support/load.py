"""Many buyers at once over HTTP: they look, check out, pay, and note every request that failed."""

from __future__ import annotations

import itertools
import threading
from types import TracebackType

import requests

from shop.sandbox.invoices import Action
from shop.sandbox.postbacks import happen
from shop.sandbox.state import Sandbox
from tests.buyer import Form
from tests.support.processes import PATIENCE, until

THINKS = 0.05  # seconds from one request to the next: a starting shop must get some processor too


class WrongAnswer(Exception):
    """A request was answered, but not with what it asked for."""


class Load:
    """Buyers that keep their connections, as browsers do; they run while the block runs.

    Without a sandbox to pay at they only look.
    """

    def __init__(self, url: str, slug: str, sandbox: Sandbox | None, clients: int) -> None:
        self.url, self.slug, self.sandbox = url, slug, sandbox
        self.done = itertools.count()  # next() on it is atomic, which += is not
        self.seen = 0
        self.longest = 0.0  # seconds that somebody waited for an answer
        self.failures: list[str] = []
        self.placed: list[str] = []  # checkout keys whose buyer was led to the pay page
        self.refused: list[str] = []  # those whose buyer got no such answer
        self.unheard: list[str] = []  # invoices whose postback got no answer
        self.ended = threading.Event()
        self.threads = [
            threading.Thread(target=self._buyer, args=(n,), daemon=True) for n in range(clients)
        ]

    def __enter__(self) -> Load:
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.ended.set()
        for thread in self.threads:
            thread.join(PATIENCE)

    def goes_on(self, requests_more: int) -> None:
        """Wait until that many further requests are answered."""
        goal = self.seen + requests_more
        until(lambda: self.seen >= goal, f"{requests_more} more requests")

    def _buyer(self, number: int) -> None:
        """Of three buyers one buys and two look, the second of them without keeping a connection."""
        first = self._buy if self.sandbox else self._look
        act = (first, self._look, self._glance)[number % 3]
        with requests.Session() as browser:
            browser.trust_env = False
            while not self.ended.is_set():
                try:
                    act(browser)
                except (requests.RequestException, WrongAnswer) as error:
                    self.failures.append(f"{act.__name__}: {error!r}"[:300])
                self.ended.wait(THINKS)

    def _asks(
        self, browser: requests.Session, method: str, path: str, **more: object
    ) -> requests.Response:
        answer = browser.request(
            method,
            f"{self.url}{path}",
            timeout=PATIENCE,
            allow_redirects=False,
            **more,  # type: ignore[arg-type]
        )
        expected = 303 if method == "POST" else 200
        if answer.status_code != expected:
            raise WrongAnswer(f"{method} {path}: {answer.status_code} {answer.text[:200]}")
        self.seen = next(self.done) + 1
        self.longest = max(self.longest, answer.elapsed.total_seconds())
        return answer

    def _look(self, browser: requests.Session) -> None:
        self._asks(browser, "GET", "/")
        self._asks(browser, "GET", f"/products/{self.slug}" if self.slug else "/cart")

    def _glance(self, browser: requests.Session) -> None:
        self._asks(browser, "GET", "/", headers={"Connection": "close"})

    def _buy(self, browser: requests.Session) -> None:
        browser.cookies.clear()
        self._asks(browser, "POST", "/cart", data={"product": self.slug, "quantity": "1"})
        form = Form(self._asks(browser, "GET", "/checkout").text, "/checkout").fields
        invoice_id = self._check_out(browser, form)
        if not self.ended.is_set():
            self._pay(invoice_id)

    def _check_out(self, browser: requests.Session, form: dict[str, str]) -> str:
        assert self.sandbox
        data = form | {"email": "buyer@example.com"}
        key = form["checkout_key"]
        try:
            target = self._asks(browser, "POST", "/checkout", data=data).headers["Location"]
            if not target.startswith(self.sandbox.settings.pay_origins()):
                raise WrongAnswer(f"POST /checkout led to {target.partition('/orders/')[:2]}")
        except (requests.RequestException, WrongAnswer):
            self.refused.append(key)
            raise
        self.placed.append(key)
        return target.rpartition("/")[2]

    def _pay(self, invoice_id: str) -> None:
        assert self.sandbox
        sent = happen(self.sandbox, invoice_id, Action.PAY, wait=True).postbacks[-1]
        if sent.answer != 200:
            self.unheard.append(invoice_id)
            if sent.answer is None:
                raise requests.ConnectionError(f"postback: {sent.problem}")
            raise WrongAnswer(f"postback: {sent.answer}")
        self.seen = next(self.done) + 1
