"""Following a test invoice until the provider has told all it will, into a report to send on.

It looks and changes nothing: the web process and the worker act on what comes, as for any buyer.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from importlib.metadata import PackageNotFoundError, version
from time import monotonic, sleep
from typing import Any

import click

from ..config import Settings
from ..db import db, end_read, utcnow
from ..money import Money
from ..payments.cryptocloud import (
    CryptoCloud,
    CryptoCloudError,
    CryptoCloudV2,
    normalise_invoice_id,
)
from ..payments.cryptocloud.answers import Answer
from ..payments.masking import REFERENCE, Mask
from ..payments.models import Payment, Postback
from ..payments.queries import find_payment_by_invoice
from ..payments.recording import Watched, mask_for
from .printing import refuse
from .report import CREATE, INFO_V1, INFO_V2
from .report_file import ReportFile
from .verdicts import verdicts

ABOUT = (
    "What the provider answered about one test invoice, and the postbacks it sent. Keys, tokens' signatures, "
    "email and wallet addresses, transactions and names are masked: only their kinds and lengths are told. "
    "But the provider's words about a refusal are kept, without addresses and long numbers: read them before "
    "you send this, for a person's name in them looks like any other word."
)
FIRST_PAUSE = 3.0
LONGEST_PAUSE = 15.0
GROWS_BY = 1.2
FOR_REPEATS = timedelta(seconds=60)
"""How much longer to look when all has come: the same postback may come again."""
FOR_A_POSTBACK = timedelta(minutes=5)
"""How long a postback may come after the invoice is paid."""
FOR_A_RETRY = timedelta(minutes=20)
"""How long one may come again that the shop did not take: nobody knows whether it does."""
STOPPED = "stopped by hand"
PAID = ("paid", "overpaid")
ENDED = (*PAID, "canceled", "cancelled")
MOST_ANSWERS = 100


@dataclass
class Watch:
    """One invoice, from before it is made until nothing more is to come."""

    settings: Settings
    gateway: CryptoCloud
    money: Money
    reference: str
    hidden: tuple[str, ...]
    """What else must not stand in the report: the order's number, and its buyer's address."""
    quiet: bool = False
    """Whether progress goes to standard error, because the report itself is printed."""

    mask: Mask = field(init=False)
    report: dict[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        self.mask = mask_for(self.settings, "", self.reference, *self.hidden)
        self.report = {
            "about": ABOUT,
            "invoice": None,
            "shop": _shop(self.settings),
            "asked": {
                "amount": str(self.money.decimal),
                "currency": self.money.currency,
                "order_id": REFERENCE,
                "email": self.settings.cryptocloud_send_email,
            },
            "began": _now(),
            "shop_says": "",
            "answers": [],
            "looks": [],
            "postbacks": [],
            "inbox": {"hits": 0, "refused": 0, "refused_because": ""},
        }

    def say(self, line: str) -> None:
        """Print a line for whoever is watching; the terminal may be gone, and the report is still due."""
        with suppress(OSError):
            click.echo(line, err=self.quiet)

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Record every answer that the provider gives this process meanwhile."""
        self.gateway.tell_answers_to(self.hear)
        try:
            yield
        finally:
            self.gateway.tell_answers_to(None)

    def hear(self, method: str, path: str, answer: Answer) -> None:
        """Record an answer; one that only repeats the last answer to the same call is counted.

        A failure here must not cost the invoice: the shop has yet to read its reply.
        """
        call = f"{method} {path}"
        try:
            if call in CREATE:
                self._learn_id(answer)
            body = self.mask.answer(answer.body)
        except Exception as error:
            body = f"<{len(answer.body)} bytes, not masked: {type(error).__name__}>"
        told = {"call": call, "status": answer.status, "body": body}
        same = [each for each in self.report["answers"] if each["call"] == call]
        if same and told.items() <= same[-1].items():
            same[-1] |= {"times": same[-1]["times"] + 1, "last_at": _now()}
            return
        if len(self.report["answers"]) < MOST_ANSWERS:
            ahead = None if answer.clock_ahead is None else round(answer.clock_ahead, 1)
            self.report["answers"].append({"at": _now(), **told, "clock_ahead": ahead, "times": 1})

    def _learn_id(self, answer: Answer) -> None:
        """Take the invoice's id from the answer itself, because the shop may yet refuse the rest of it."""
        try:
            told = json.loads(answer.body)
            result = told.get("result") if isinstance(told.get("result"), dict) else told
            self.knows_id(normalise_invoice_id(result.get("uuid") or result.get("invoice_id")))
        except (ValueError, AttributeError, RecursionError):
            return

    def knows_id(self, invoice_id: str) -> None:
        """Note the invoice's id, so that it is recognised from now on."""
        self.mask = mask_for(self.settings, invoice_id, self.reference, *self.hidden)
        self.report["invoice"] = invoice_id

    @property
    def invoice_id(self) -> str | None:
        """The invoice, once there is one."""
        found: str | None = self.report["invoice"]
        return found

    def follow(self, invoice_id: str, minutes: int) -> None:
        """Look until all has come or the time is over, and ask the other version of the API at the end."""
        try:
            watched = Watched(self.settings.shop_data_dir, invoice_id, self.reference)
        except OSError as error:
            refuse(
                f"SHOP_DATA_DIR/watch cannot be written, so no postback can be recorded: {error}."
            )
        try:
            ended = self._until_the_end(invoice_id, watched, minutes * 60)
            self.report["ended_because"] = ended
        except KeyboardInterrupt:
            self.report["ended_because"] = STOPPED
        finally:
            self._take_postbacks(watched)
            watched.end()
        self._ask_the_other_version(invoice_id)

    def _until_the_end(self, invoice_id: str, watched: Watched, seconds: float) -> str:
        began, pause, last = monotonic(), FIRST_PAUSE, monotonic()
        while True:
            if self._look(invoice_id) | self._take_postbacks(watched):
                pause, last = FIRST_PAUSE, monotonic()
            now = monotonic()
            if self._is_over(now - last):
                return "all has come"
            if now - began >= seconds:
                return "the time is over"
            sleep(min(pause, max(began + seconds - now, 0.1)))
            pause = min(pause * GROWS_BY, LONGEST_PAUSE)

    def _is_over(self, quiet_for: float) -> bool:
        status = self.status
        if status not in ENDED:
            return False
        postbacks = self.report["postbacks"]
        wait = FOR_REPEATS
        if any(each["answered"] != 200 for each in postbacks):
            wait = FOR_A_RETRY
        elif status in PAID and not postbacks and not self.report["inbox"]["hits"]:
            wait = FOR_A_POSTBACK
        return quiet_for >= wait.total_seconds()

    @property
    def status(self) -> str:
        """The status that the provider last told, in its own word."""
        return str(self.report["looks"][-1]["status"]) if self.report["looks"] else ""

    def _look(self, invoice_id: str) -> bool:
        """Ask the provider as the shop does; returns whether anything is new."""
        end_read()
        try:
            says = self.gateway.invoice_infos([invoice_id])[invoice_id].status.value
        except CryptoCloudError as error:
            says = self.mask.reason(f"{type(error).__name__}: {error}")
        seen = {"status": self._last_word() or self.status, "shop_says": says}
        if self.report["looks"] and seen.items() <= self.report["looks"][-1].items():
            return False
        if len(self.report["looks"]) < MOST_ANSWERS:
            self.report["looks"].append({"at": _now(), **seen})
        understood = "" if says == seen["status"] else f" (the shop: {says})"
        self.say(f"{_clock()}  status: {seen['status'] or 'not told'}{understood}")
        return True

    def _last_word(self) -> str:
        """The status of the last answer about the invoice, also when the shop could not use it."""
        path = INFO_V2 if isinstance(self.gateway, CryptoCloudV2) else INFO_V1
        answers = [each for each in self.report["answers"] if each["call"] == path]
        body = (
            max(answers, key=lambda each: each.get("last_at", each["at"]))["body"]
            if answers
            else {}
        )
        rows = body.get("result", [body]) if isinstance(body, dict) else []
        row = rows[0] if isinstance(rows, list) and rows and isinstance(rows[0], dict) else {}
        return str(row.get("status_invoice" if path == INFO_V1 else "status") or "")

    def _take_postbacks(self, watched: Watched) -> bool:
        """Read what the web process has recorded, and what the inbox counts."""
        known = len(self.report["postbacks"])
        self.report["postbacks"] = watched.postbacks()
        for number, postback in enumerate(self.report["postbacks"][known:], known + 1):
            self.say(
                f"{_clock()}  postback {number}: {postback['encoding']}, {postback['judged'] or 'broken off'}, "
                f"answered {postback['answered']}"
            )
        before = self.report["inbox"]
        self.report["inbox"] = _inbox(watched.path.name)
        return known != len(self.report["postbacks"]) or before != self.report["inbox"]

    def _ask_the_other_version(self, invoice_id: str) -> None:
        """Ask the other version of the API, once: each tells of the invoice what the other does not."""
        kind = CryptoCloud if isinstance(self.gateway, CryptoCloudV2) else CryptoCloudV2
        ours = self.gateway
        other = kind(ours.api_key, ours.shop_id, ours.secret_key, url=ours.url)
        other.tell_answers_to(self.hear)
        try:
            other.invoice_infos([invoice_id])
        except CryptoCloudError as error:
            self.report["other_version_says"] = self.mask.reason(f"{type(error).__name__}: {error}")

    def conclude(self, file: ReportFile) -> None:
        """Write the report, then write and print the verdicts on it."""
        self.report["ended"] = _now()
        file.write(self.report)
        found = verdicts(self.report)
        self.report["verdicts"] = [asdict(each) for each in found]
        file.write(self.report)
        self.say(f"\nWhat came ({self.report.get('ended_because', 'no invoice')}):")
        for verdict in found:
            self.say(f"  {verdict}")
        self.say(f"\nThe report, in which secrets and addresses are masked: {file.path}")


def _inbox(invoice_id: str) -> dict[str, Any]:
    """How many postbacks the shop's books count, whichever machine they came to."""
    end_read()
    proven = db.session.get(Postback, invoice_id)
    payment: Payment | None = find_payment_by_invoice(invoice_id)
    found = {
        "hits": proven.hits if proven else 0,
        "refused": payment.refused_postbacks if payment else 0,
        "refused_because": payment.refused_because if payment else "",
    }
    end_read()
    return found


def _shop(settings: Settings) -> dict[str, Any]:
    try:
        number = version("cryptocloud-storefront")
    except PackageNotFoundError:
        number = "unknown"
    return {
        "version": number,
        "python": platform.python_version(),
        "api": settings.cryptocloud_api_url,
        "api_version": settings.cryptocloud_api_version,
        "pay_hosts": list(settings.cryptocloud_pay_hosts),
    }


def _now() -> str:
    return utcnow().isoformat(timespec="milliseconds")


def _clock() -> str:
    return f"{utcnow():%H:%M:%S}"
