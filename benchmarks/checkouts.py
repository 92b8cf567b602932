"""Checkouts for measuring: forms made ready beforehand, so that only the POST itself is timed."""

from __future__ import annotations

import http.client
import json
import statistics
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlencode, urlsplit
from urllib.request import Request, urlopen

from demo.browser import Browser, Form
from demo.stack import Stack
from shop import create_app
from shop.config import load
from shop.ops import journal


@dataclass
class Ready:
    """Forms of one buyer with a full cart, each of which will make an order of its own."""

    cookie: str
    forms: list[Form]
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self) -> Form:
        """A form that was not sent yet."""
        with self._lock:
            return self.forms.pop()


def prepare(stack: Stack, product: str, count: int) -> Ready:
    """Fill a cart once, and open the checkout page `count` times."""
    browser = Browser()
    browser.submit(browser.get(f"{stack.shop_url}/products/{product}").form("/cart"))
    forms = [_form(browser, stack) for _ in range(count)]
    cookie = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
    return Ready(cookie, forms)


def _form(browser: Browser, stack: Stack) -> Form:
    form = browser.get(f"{stack.shop_url}/checkout").form("/checkout")
    form.values["email"] = "bench@example.com"
    return form


def submit(ready: Ready) -> tuple[float, str]:
    """Send one form; how long it took, and where the buyer was sent (empty when nowhere)."""
    form = ready.take()
    parts = urlsplit(form.action)
    connection = http.client.HTTPConnection(parts.netloc, timeout=60)
    headers = {
        "Cookie": ready.cookie,
        "Origin": f"{parts.scheme}://{parts.netloc}",
        "Content-Type": "application/x-www-form-urlencoded",
    }
    started = time.perf_counter()
    connection.request("POST", parts.path, urlencode(form.values), headers)
    answer = connection.getresponse()
    answer.read()
    elapsed = time.perf_counter() - started
    connection.close()
    return elapsed, answer.headers.get("Location", "") if answer.status == 303 else ""


def create_directly(stack: Stack) -> float:
    """How long the provider itself takes to open an invoice."""
    settings = stack.environment
    body = {"shop_id": settings["CRYPTOCLOUD_SHOP_ID"], "amount": "10.00", "currency": "USD"}
    request = Request(
        f"{stack.sandbox_url}/v1/invoice/create",
        json.dumps(body | {"order_id": "bench", "email": "bench@example.com"}).encode(),
        {
            "Authorization": f"Token {settings['CRYPTOCLOUD_API_KEY']}",
            "Content-Type": "application/json",
        },
    )
    started = time.perf_counter()
    with urlopen(request, timeout=60) as answer:
        answer.read()
    return time.perf_counter() - started


def added_milliseconds(stack: Stack, product: str, count: int) -> list[float]:
    """What the shop adds to the provider's time, one checkout after the other.

    From each checkout the median of the provider's own part is taken away, which is measured by turns with them.
    """
    ready = prepare(stack, product, count)
    whole, part = [], []
    for _ in range(count):
        part.append(create_directly(stack))
        elapsed, location = submit(ready)
        if not location.startswith(tuple(stack.pay_urls.values())):
            raise RuntimeError(f"a checkout led to {location or 'a page'} instead of the pay page")
        whole.append(elapsed)
    provider = statistics.median(part)
    return [(each - provider) * 1000 for each in whole]


def journal_milliseconds(stack: Stack, count: int) -> float:
    """The median of one line of the journal, in the shop's own data folder, till it is on the disk."""
    with create_app(load(stack.environment)).app_context():
        times = []
        for number in range(count):
            started = time.perf_counter()
            if not journal.note("link", (f"BENCH-{number}", 1)):
                raise RuntimeError("the journal cannot be written")
            times.append(time.perf_counter() - started)
    return statistics.median(times) * 1000


def per_second(ready: Ready, buyers: int) -> float:
    """How many checkouts are done in each second by so many buyers at once, until no form is left."""
    count = len(ready.forms)
    with ThreadPoolExecutor(buyers) as pool:
        started = time.perf_counter()
        outcomes = list(pool.map(lambda _: submit(ready), range(count)))
        elapsed = time.perf_counter() - started
    if not all(location for _, location in outcomes):
        raise RuntimeError("not every checkout led to the pay page")
    return count / elapsed


def slow_provider(stack: Stack, seconds: float | None) -> None:
    """Make the sandbox hold back every answer, or none."""
    wanted = {"api": "slow", "seconds": seconds} if seconds is not None else {"api": "up"}
    data = json.dumps(wanted).encode()
    request = Request(
        f"{stack.sandbox_url}/_sandbox/switch", data, {"Content-Type": "application/json"}
    )
    urlopen(request, timeout=10).close()


@dataclass
class Tally:
    """How the checkouts went that kept the shop busy."""

    sent_to_pay: int = 0
    put_off: int = 0


@contextmanager
def kept_waiting(ready: Ready, at_once: int, seconds: float) -> Iterator[Tally]:
    """Have buyers check out at the pace at which so many wait at once, each for `seconds`.

    They come whether or not the earlier ones were answered: buyers who wait for one another would
    end up pressing the button together. The block begins when the first is answered.
    """
    tally, lock, stop = Tally(), threading.Lock(), threading.Event()

    def buyer() -> None:
        _, location = submit(ready)
        to_pay = location != "" and "/orders/" not in location
        with lock:
            tally.sent_to_pay += to_pay
            tally.put_off += not to_pay

    def come() -> None:
        started = time.perf_counter()
        for number in range(len(ready.forms)):
            due = started + number * seconds / at_once
            if stop.wait(max(0.0, due - time.perf_counter())):
                return
            pool.submit(buyer)

    with ThreadPoolExecutor(2 * at_once) as pool:
        arrivals = threading.Thread(target=come)
        arrivals.start()
        try:
            time.sleep(seconds)
            yield tally
        finally:
            stop.set()
            arrivals.join()
