"""Everything the sandbox remembers, in memory and behind one lock."""

import secrets
import string
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from threading import Event, RLock

from flask import current_app

from shop.sandbox.coins import DEFAULT_COIN, Coin
from shop.sandbox.invoices import Action, Invoice, Sent, newest_first
from shop.sandbox.settings import Settings
from shop.sandbox.switches import Api, Brand, Format, Switches

EARLY = timedelta(milliseconds=10)
"""How much sooner than its lifetime after its creation an invoice ends, as at the provider."""
_ID_LETTERS = string.ascii_uppercase + string.digits


class NoSuchInvoice(LookupError):
    """No invoice has this id."""


def utcnow() -> datetime:
    """Tell the time, aware."""
    return datetime.now(UTC)


def _usual(coins: tuple[Coin, ...]) -> Coin:
    """The coin in which an invoice is counted until one of `coins` is chosen; empty `coins` are all coins."""
    return DEFAULT_COIN if not coins or DEFAULT_COIN in coins else coins[0]


class Sandbox:
    """The provider's memory. It lives on its app, so that a test can start several."""

    def __init__(self, settings: Settings, clock: Callable[[], datetime] = utcnow) -> None:
        self.settings = settings
        self.clock = clock
        self._lock = RLock()
        self._forget()

    def _forget(self) -> None:
        self._invoices: dict[str, Invoice] = {}
        self._interrupted = Event()
        self.switches = Switches(
            brand=Brand(self.settings.brand),
            postback_format=Format(self.settings.postback_format),
        )

    def configure(self, **changes: object) -> None:
        """Change settings of a running sandbox, such as its address once the port is known."""
        self.settings = replace(self.settings, **changes)  # type: ignore[arg-type]  # dataclass checks the names

    def turn(self, wanted: Mapping[str, object]) -> Switches:
        """Turn switches."""
        with self._lock:
            self.switches = self.switches.turned(wanted)
            return self.switches

    def reset(self) -> None:
        """Forget everything, drop delayed postbacks and free calls that are being slow."""
        with self._lock:
            self._interrupted.set()
            self._forget()

    def pause(self, seconds: float) -> bool:
        """Wait; True when the time passed, False when a reset came first."""
        return not self._interrupted.wait(seconds)

    def create(
        self,
        amount: Decimal,
        currency: str,
        order_id: str | None,
        email: str | None,
        *,
        lifetime: timedelta | None = None,
        api: str = "v1",
        coin: Coin | None = None,
        coins: tuple[Coin, ...] = (),
    ) -> Invoice:
        """Open an invoice. The same order id gives another one each time, as at the provider."""
        now = self.clock()
        deadline = now + (lifetime or self.settings.lifetime) - EARLY
        with self._lock:
            if self.switches.api is Api.REPEAT and (earlier := self._invoice_of_another(order_id)):
                return earlier
            invoice = Invoice(
                self._unused_id(),
                amount,
                currency,
                order_id,
                email,
                now,
                deadline,
                coin=coin or _usual(coins),
                chosen=coin is not None,
                coins=coins,
                test_mode=self.switches.test_mode,
                api=api,
            )
            return self._keep(invoice)

    def _invoice_of_another(self, order_id: str | None) -> Invoice | None:
        others = [each for each in self.invoices() if each.order_id != order_id]
        return others[0] if others else None

    def _unused_id(self) -> str:
        while True:
            number = "".join(secrets.choice(_ID_LETTERS) for _ in range(8))
            if number not in self._invoices:
                return number

    def get(self, number: str) -> Invoice:
        """Return an invoice by its id, bare or with INV- before it."""
        with self._lock:
            try:
                invoice = self._invoices[number.strip().upper().removeprefix("INV-")]
            except KeyError:
                raise NoSuchInvoice(number) from None
            return self._keep(invoice.at(self.clock()))

    def _keep(self, invoice: Invoice) -> Invoice:
        self._invoices[invoice.id] = invoice
        return invoice

    def invoices(self) -> list[Invoice]:
        """Return all invoices, the newest first."""
        with self._lock:
            return newest_first([self.get(number) for number in list(self._invoices)])

    def act(
        self, number: str, action: Action, *, coin: Coin | None = None, postbacks: int = 0
    ) -> Invoice:
        """Let something happen to an invoice and note how many postbacks will follow."""
        with self._lock:
            invoice = self.get(number)
            moved = invoice.after(self.meant(action), coin=coin, overpaid=self.switches.overpaid)
            finished = self.clock() if moved.settled and not invoice.settled else moved.finished
            return self._keep(replace(moved, due=moved.due + postbacks, finished=finished))

    def meant(self, action: Action) -> Action:
        """What an action comes to: while `hold` is switched on, a payment is seen, and waits to be confirmed."""
        return Action.SEEN if action is Action.PAY and self.switches.hold else action

    def record(self, number: str, sent: Sent) -> None:
        """Note a postback that was sent, or dropped; an invoice forgotten meanwhile stays so."""
        with self._lock:
            invoice = self._invoices.get(number)
            if invoice is not None:
                postbacks = (*invoice.postbacks, sent)
                self._keep(replace(invoice, postbacks=postbacks, due=max(invoice.due - 1, 0)))


def current_sandbox() -> Sandbox:
    """Return the sandbox of the running app."""
    sandbox: Sandbox = current_app.extensions["sandbox"]
    return sandbox
