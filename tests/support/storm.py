"""Buyers who do not give up, in a shop whose processes die all the time."""

from __future__ import annotations

import random
import re
import threading
import time
from types import TracebackType
from urllib.parse import urlsplit

import requests

from shop.sandbox.invoices import Action, Mode, WrongMoment
from shop.sandbox.postbacks import happen
from shop.sandbox.state import Sandbox
from tests.buyer import Form
from tests.support.crashing import Nursery, Task
from tests.support.processes import PATIENCE
from tests.support.stage import PAYABLE

BREATH = 0.02
PAYMENTS = (
    [(Action.PAY, Mode.NORMAL)] * 8
    + [(Action.PAY, Mode.LOSE)] * 2
    + [(Action.PAY, Mode.TWICE)] * 2
    + [(Action.OVER, Mode.NORMAL), (Action.SHORT, Mode.NORMAL), (Action.NOTHING, Mode.FORGE)]
    + [(Action.EXPIRE, Mode.NORMAL)] * 3
)
"""What a buyer who is asked to pay does, and what becomes of the provider's postback."""


class Storm:
    """Buyers and a worker, each in a thread, while the block runs."""

    def __init__(
        self,
        url: str,
        slugs: list[str],
        sandbox: Sandbox,
        nursery: Nursery,
        *,
        clients: int,
        points: str,
    ) -> None:
        self.url, self.slugs, self.sandbox, self.nursery = url, slugs, sandbox, nursery
        self.points = points
        self.ended = threading.Event()
        self.placed: list[str] = []  # checkout keys whose buyer got an answer
        self.complaints: list[str] = []
        self.troubles: list[str] = []  # what no death explains
        self.killed = 0  # processes of the worker
        self.threads = [
            threading.Thread(target=self._buyer, args=(number,), daemon=True)
            for number in range(clients)
        ]
        self.threads.append(threading.Thread(target=self._worker, daemon=True))

    def __enter__(self) -> Storm:
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

    def _worker(self) -> None:
        """Sweep without a pause; now and then by a clock that is ahead, so that leases end early."""
        dice = random.Random(0)
        while not self.ended.is_set():
            job, ahead = dice.choice(("sweep", "mails")), dice.choice((0, 0, 60, 180))
            end = self.nursery.run(
                Task(command=("jobs", "run", job), point=self.points, ahead=ahead)
            )
            self.killed += end.killed
            if not end.killed and end.code:
                self.troubles.append(f"{job} ended with {end.code}")

    def _buyer(self, number: int) -> None:
        dice = random.Random(number)
        while not self.ended.is_set():
            with requests.Session() as browser:
                browser.trust_env = False
                try:
                    Purchase(self, browser, dice).goes_through()
                except (AssertionError, AttributeError, KeyError) as error:
                    self.troubles.append(f"{type(error).__name__}: {error}"[:400])


class Purchase:
    """One buyer's way; every request is repeated until it is answered."""

    def __init__(self, storm: Storm, browser: requests.Session, dice: random.Random) -> None:
        self.storm, self.browser, self.dice = storm, browser, dice
        self.shown: list[str] = []

    def goes_through(self) -> None:
        """Order, then do what the order page asks for, well or badly, until it asks no more."""
        page = self._orders()
        for _ in range(8):
            state = re.search(r'data-state="(\w+)"', page.text)
            assert state, f"{page.request.url} is no order page"
            if self.storm.ended.is_set() or not (page := self._acts(state[1], page)):
                break
        if self.dice.random() < 0.6 and len(self.shown) > 1:
            self._happens(self.shown[0], Action.LATE, Mode.NORMAL)

    def _orders(self) -> requests.Response:
        self._asks(
            "POST", "/cart", {"product": self.dice.choice(self.storm.slugs), "quantity": "1"}
        )
        form = Form(self._asks("GET", "/checkout").text, "/checkout").fields
        self._asks("POST", "/checkout", form | {"email": "buyer@example.com"})
        self.storm.placed.append(form["checkout_key"])
        link = re.search(r'href="(/orders/[^"]+)"', self._asks("GET", "/cart").text)
        assert link, "the cart names no unfinished order"
        self.path = link[1]
        return self._asks("GET", self.path)

    def _acts(self, state: str, page: requests.Response) -> requests.Response | None:
        if state in ("failed", "busy", "expired"):
            return self._presses("pay", page)
        if state in ("opening", "paid"):
            return self._asks("GET", self.path)
        if state not in ("waiting", "partial"):
            return None
        action, mode = self.dice.choice(PAYMENTS)
        self._happens(self.shown[-1], Action.REST if state == "partial" else action, mode)
        return self._presses("check", page)

    def _presses(self, button: str, page: requests.Response) -> requests.Response:
        action = f"{self.path}/{button}"
        self._asks("POST", action, Form(page.text, action).fields)
        return self._asks("GET", self.path)

    def _happens(self, invoice: str, action: Action, mode: Mode) -> None:
        try:
            happen(self.storm.sandbox, invoice, action, mode, wait=True)
        except WrongMoment:
            return  # it has run out, or been paid, meanwhile

    def _asks(
        self, method: str, path: str, data: dict[str, str] | None = None
    ) -> requests.Response:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            try:
                answer = self.browser.request(
                    method,
                    f"{self.storm.url}{urlsplit(path).path}",
                    data=data,
                    timeout=PATIENCE,
                    allow_redirects=False,
                )
            except requests.RequestException:
                self.storm.ended.wait(BREATH)
                continue
            if answer.status_code >= 500:
                self.storm.troubles.append(f"{method} {path[:20]}: {answer.status_code}")
                continue
            self._looks(answer)
            return answer
        raise AssertionError(f"{method} {path[:20]} got no answer")

    def _looks(self, answer: requests.Response) -> None:
        """Note the pay links that are shown; of those of one order, one can be paid at most."""
        sandbox = self.storm.sandbox
        found = f"{answer.headers.get('Location', '')} {answer.text}"
        homes = "|".join(sandbox.settings.pay_origins())
        for number in re.findall(rf"(?:{homes})/([A-Z0-9]{{8}})\b", found):
            if number not in self.shown:
                self.shown.append(number)
        live = [number for number in self.shown if sandbox.get(number).status in PAYABLE]
        if len(live) > 1:
            self.storm.complaints.append(f"doubled: two pay links are live at once: {live}")
