"""Two whole purchases, over HTTP as a browser would do them; each step says what was sent and stored.

`python -m demo.purchase` is what `dev.py demo` becomes. It starts a shop of its own in a temporary
folder, and over a pay link of each of the provider's two brands buys one product, pays in the
sandbox and waits until the goods and the mail are there.
"""

from __future__ import annotations

import email
import email.policy
import html
import json
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import parse_qs, urlsplit
from urllib.request import Request, urlopen

from demo.browser import Browser, Page
from demo.child import StackError
from demo.stack import Stack, Stopped, data_folder, stop_on_signals

PRODUCT = "marrow"
EMAIL = "ada@example.com"
CURRENCY = "EUR"
PATIENCE = 60

T = TypeVar("T")


class NotAsExpected(Exception):
    """A step of the purchase went wrong; the text says which, and what was seen instead."""


def buy(stack: Stack, brand: str) -> tuple[str, str]:
    """Buy one product, led to this brand's pay page; the order's number and the invoice's id."""
    browser, started = Browser(), time.monotonic()
    turn(stack, brand=brand)
    mails = set(outbox(stack))

    def step(sent: str, got: str) -> None:
        print(f"{time.monotonic() - started:5.1f} s  {sent}\n         {got}", flush=True)

    before = stack.stock(PRODUCT)
    front = expect(browser.get(stack.shop_url + "/"), 200)
    shown = set(re.findall(r'href="/products/([\w-]+)', front.text))
    step("GET /", f"{len(shown)} products on the front page")

    product = expect(browser.get(f"{stack.shop_url}/products/{PRODUCT}?currency={CURRENCY}"), 200)
    step(
        f"GET /products/{PRODUCT}",
        f"{heading(product)}; in stock: {before}; cookies: {len(browser.cookies)}",
    )

    cart = browser.get(expect(browser.submit(product.form("/cart")), 303).location)
    step("POST /cart", f"303 to the cart, then {cart.status}; the session's cookie is set")

    form = expect(browser.get(f"{stack.shop_url}/checkout"), 200).form("/checkout")
    form.values |= {"email": EMAIL, "currency": CURRENCY}
    sent = ", ".join(f"{name}={shorten(value)}" for name, value in form.values.items())
    answer = expect(browser.submit(form), 303)
    pay_url = answer.location
    if not pay_url.startswith(f"{stack.pay_urls[brand]}/"):
        raise NotAsExpected(f"the buyer was sent to {pay_url} instead of the pay page")
    invoice = pay_url.rpartition("/")[2]
    created = provider(stack, invoice)
    step(
        f"POST /checkout   {sent}",
        f"303 to {pay_url}; in stock: {stack.stock(PRODUCT)}\n         the provider opened invoice"
        f" {invoice} of {created['amount']} {created['currency']} for {created['order_id']}",
    )

    page = expect(browser.get(pay_url), 200)
    step(f"GET {pay_url}", f"the page of the {played(page)}: {heading(page)}")

    paying = page.form(f"/{invoice}")
    paying.values["action"] = "pay"
    back = expect(browser.submit(paying), 303).location
    query = parse_qs(urlsplit(back).query)
    step(
        f"POST {pay_url}   action=pay",
        f"{provider(stack, invoice)['amount_crypto']} {created['coin']} sent;"
        f" 303 back to the shop with invoice_uuid={query['invoice_uuid'][0]}",
    )

    order_url = expect(browser.get(back), 303).location
    page = wait_for("the delivery", lambda: delivered(browser, order_url))
    step("GET /payment/success", "303 to the order page, which says: " + heading(page))

    postback = wait_for("the postback", lambda: first(provider(stack, invoice)["postbacks"]))
    if postback["answer"] != 200:
        raise NotAsExpected(f"the shop answered the postback with {postback['answer']}")
    fields = ", ".join(f"{name}={shorten(value)}" for name, value in postback["fields"].items())
    step(
        f"POST /payments/cryptocloud/postback   {fields}, token=(signed)",
        "200, by the provider's account",
    )

    number = match(r"Order ([A-Z0-9]{4}-[A-Z0-9]{4})", page.text)
    stored = json.loads(stack.flask("orders", "show", number, "--json"))
    step(
        f"flask orders show {number} --json",
        summary(stored) + f"; in stock: {stack.stock(PRODUCT)}",
    )
    if before is None or stack.stock(PRODUCT) != before - 1:
        raise NotAsExpected(f"stock was {before} and is now {stack.stock(PRODUCT)}")

    keys = re.findall(r"<code[^>]*>([^<]+)</code>", page.text)
    mail = wait_for("the mail", lambda: first(sorted(set(outbox(stack)) - mails)))
    check_mail(mail, keys)
    step(
        f"The order page shows the goods: {', '.join(keys)}",
        f"and so does the mail in outbox/{mail.name}",
    )
    return number, invoice


def expect(page: Page, status: int) -> Page:
    """The page, provided that it came with this status."""
    if page.status != status:
        raise NotAsExpected(
            f"{page.url} answered {page.status} instead of {status}: {heading(page)}"
        )
    return page


def wait_for(what: str, look: Callable[[], T | None]) -> T:
    """What `look` finds, when it does so in time."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if (found := look()) is not None:
            return found
        time.sleep(0.1)
    raise NotAsExpected(f"{what} did not come within {PATIENCE} s")


def delivered(browser: Browser, order_url: str) -> Page | None:
    """The order page, once it says that the goods are there."""
    page = expect(browser.get(order_url), 200)
    return page if page.attribute("data-state") == "delivered" else None


def provider(stack: Stack, invoice: str) -> dict[str, Any]:
    """What the sandbox knows about an invoice."""
    with urlopen(f"{stack.sandbox_url}/_sandbox/invoices/{invoice}", timeout=10) as answer:
        found: dict[str, Any] = json.load(answer)
        return found


def turn(stack: Stack, **switches: str) -> None:
    """Turn switches of the sandbox, as any program may."""
    data, headers = json.dumps(switches).encode(), {"Content-Type": "application/json"}
    urlopen(Request(f"{stack.sandbox_url}/_sandbox/switch", data, headers), timeout=10).close()


def outbox(stack: Stack) -> list[Path]:
    """The mails that were sent so far."""
    return list((stack.data / "outbox").glob("*.eml"))


def check_mail(file: Path, keys: list[str]) -> None:
    """The mail goes to the buyer and holds what they bought."""
    message = email.message_from_bytes(file.read_bytes(), policy=email.policy.default)
    body = message.get_body(("plain",))
    text = body.get_content() if body else ""
    if EMAIL not in str(message["To"]) or not keys or not all(key in text for key in keys):
        raise NotAsExpected(f"{file.name} is not the buyer's, or lacks the goods {keys}")


def summary(stored: dict[str, Any]) -> str:
    """The stored order in one line."""
    payments = ", ".join(f"{each['state']} ({each['amount']})" for each in stored["payments"])
    deliveries = ", ".join(f"{each['kind']} {each['state']}" for each in stored["deliveries"])
    history = ", ".join(each["kind"] for each in stored["history"])
    return f"order {stored['status']}, payment {payments}, {deliveries}; history: {history}"


def heading(page: Page) -> str:
    """The page's main heading, as text."""
    found = re.search(r"<h1[^>]*>(.*?)</h1>", page.text, re.S)
    if not found:
        return page.text[:200]
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", found[1]))).strip()


def played(page: Page) -> str:
    """Which brand's sandbox a pay page says it is."""
    return match(r"<title>[^<]* – ([^<]*)</title>", page.text)


def match(pattern: str, text: str) -> str:
    """What the pattern's group finds in the text."""
    if found := re.search(pattern, text):
        return found[1]
    raise NotAsExpected(f"{pattern} is not on the page")


def first(found: list[T]) -> T | None:
    """The first of them, if there is any."""
    return found[0] if found else None


def shorten(value: str) -> str:
    """The value, or its beginning when it is long."""
    return value if len(value) <= 24 else f"{value[:10]}…"


def buy_or_explain(stack: Stack, brand: str) -> tuple[str, str]:
    """Buy; when that fails, show what the processes said last, before their logs are gone."""
    try:
        return buy(stack, brand)
    except (NotAsExpected, LookupError, OSError):
        print("\n".join(child.tail() for child in stack.children), file=sys.stderr)
        raise


def main() -> int:
    """Start a shop, buy once over each brand's pay link, stop everything."""
    stop_on_signals()
    try:
        print("Starting the shop, its worker and the sandbox ...", flush=True)
        with data_folder(fresh=True) as data, Stack(data) as stack:
            for brand in stack.pay_urls:
                print(f"\nA purchase over a pay link of the brand {brand}:", flush=True)
                number, invoice = buy_or_explain(stack, brand)
                print(f"\nOrder    {number}\nInvoice  {invoice}\nState    delivered", flush=True)
    except Stopped:
        print("\nStopped.", file=sys.stderr)
        return 130
    except (StackError, NotAsExpected, LookupError, OSError) as error:
        print(f"\nThe demo failed: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
