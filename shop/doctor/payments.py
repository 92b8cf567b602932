"""The doctor's checks that ask the provider, or read payments and postbacks."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from ..attention.queries import open_attention
from ..config import Settings
from ..db import utcnow
from ..ops.vitals import ago
from ..payments import queries
from ..payments.cryptocloud import (
    ASKED_AT_ONCE,
    CryptoCloudError,
    KeyRefused,
    NotTheApi,
    ProjectRefused,
    Refusal,
    named_host,
)
from ..payments.gateway import gateway
from ..payments.models import Payment
from ..payments.refusals import MEANINGS, meaning
from ..site.texts import unfinished, unreadable
from .address import follow, postback_url
from .findings import Finding, Level

CLOCK_OFF, CLOCK_WRONG = 10, 60
"""Seconds. A postback's token lives for five minutes and is given a minute's leeway."""

A_DAY = timedelta(days=1)
LATELY = timedelta(days=30)
ON_ITS_WAY = timedelta(minutes=10)
"""The sweep may know that an invoice is paid before its postback is here."""

LAG, LONG_LAG = timedelta(minutes=3), timedelta(minutes=15)


def provider(settings: Settings) -> list[Finding]:
    """The provider answers, takes the API key, and agrees with our clock."""
    try:
        ahead = gateway().check_key()
    except KeyRefused:
        return [
            Finding(
                "fail",
                "provider",
                "refuses the API key",
                "Copy CRYPTOCLOUD_API_KEY from the project's settings.",
            )
        ]
    except NotTheApi as error:
        mend = (
            f"Is {settings.cryptocloud_api_url} the API's address (CRYPTOCLOUD_API_URL)? A test "
            "invoice shows it: `invoices create`."
        )
        return [Finding("warn", "provider", str(error), mend)]
    except ProjectRefused as error:
        mend = "Look at the project in your account; `attention list` may say more."
        return [Finding("fail", "provider", str(error), mend)]
    except CryptoCloudError as error:
        mend = f"Is {settings.cryptocloud_api_url} reachable from here, with nothing in between?"
        return [Finding("fail", "provider", str(error), mend)]
    taken = Finding("ok", "provider", f"{settings.cryptocloud_api_url} takes the API key")
    return [taken, _clock(ahead)]


def _clock(ahead: float | None) -> Finding:
    if ahead is None:
        text = "not compared: the provider did not say what time it is"
        return Finding("warn", "clock", text, "Look whether this machine's time is right.")
    off = abs(round(ahead))
    length = ago(timedelta(seconds=off))
    if off <= CLOCK_OFF:
        return Finding("ok", "clock", f"{length} from the provider's")
    text = f"{length} {'behind' if ahead > 0 else 'ahead of'} the provider's"
    mend = "Let NTP set this machine's time."
    return Finding("fail" if off > CLOCK_WRONG else "warn", "clock", text, mend)


def invoices(settings: Settings) -> Finding:
    """Invoices are made: only that shows whether the shop id is right and the project is active."""
    attempts = queries.attempts_since(utcnow() - LATELY)
    today = [payment for payment in attempts if payment.created_at > utcnow() - A_DAY]
    asked_for = today or attempts[:1]
    failed = [payment for payment in asked_for if not payment.pay_url]
    proof = "Look whether one can be made: `invoices create` is the proof."
    if not attempts:
        text = "none was asked for lately, so nothing shows that the shop id is right"
        return Finding("warn", "invoices", text, proof)
    if not failed:
        made = f"{attempts[0].created_at:%Y-%m-%d %H:%M}"
        return Finding("ok", "invoices", f"the last one was made on {made}")
    waits = "See `attention list`." if failed[0].error_lasts else ""  # it has lasting causes only
    text = (
        f"{len(failed)} of {len(asked_for)} could not be made; the last time, on "
        f"{failed[0].created_at:%Y-%m-%d %H:%M}: {failed[0].error or 'no answer came'}"
    )
    if failed[0] is attempts[0]:
        level: Level = "fail" if failed[0].error_lasts else "warn"
        return Finding(
            level, "invoices", text, f"{waits} Mended since? {proof}" if waits else proof
        )
    return Finding("warn", "invoices", f"{text}, and one was made since", waits)


def redirects(settings: Settings) -> list[Finding]:
    """Neither the API nor the pay page leads on to a host that the settings do not name."""
    return [_api_redirect(settings), *_pay_redirects(settings)]


def _api_redirect(settings: Settings) -> Finding:
    hops = follow(settings.cryptocloud_api_url + gateway().info_path)
    if hops is None:
        text = f"{settings.cryptocloud_api_url} cannot be reached from here"
        return Finding("warn", "api address", text, "See the line about the provider.")
    if hops[1:]:
        return Finding(
            "fail",
            "api address",
            f"{settings.cryptocloud_api_url} sends to {' and '.join(hops[1:])}",
            "If CryptoCloud (Trybit) says that its API has moved, set CRYPTOCLOUD_API_URL. The key "
            "is not sent to where a redirect leads.",
        )
    return Finding("ok", "api address", f"{settings.cryptocloud_api_url} sends nowhere else")


def _pay_redirects(settings: Settings) -> list[Finding]:
    link = queries.last_pay_url()
    if not link:
        return [Finding("ok", "pay page", "no buyer was sent to one yet")]
    hops = follow(link)
    if hops is None:
        text = f"the last pay link, at {named_host(link)}, cannot be reached from here"
        return [Finding("warn", "pay page", text, "Open it in a browser.")]
    strange = [hop for hop in hops if hop not in settings.cryptocloud_pay_hosts]
    if strange:
        return [
            Finding(
                "fail",
                "pay page",
                f"{hops[0]} leads on to {' and '.join(strange)}: browsers stop there without a word",
                "If the host is one of CryptoCloud's (Trybit's), add it to CRYPTOCLOUD_PAY_HOSTS.",
            )
        ]
    return [Finding("ok", "pay page", f"{hops[0]} leads to no other host that is not listed")]


def postbacks(settings: Settings) -> Finding:
    """The provider's postbacks arrive, and are signed with the secret key that we have."""
    now = utcnow()
    proven = queries.last_proven()
    refused = _unrefuted(max(proven or now - LATELY, now - LATELY))
    unclear = [payment for payment in refused if payment.refused_because in ASKED_AT_ONCE]
    if finding := _refused([payment for payment in refused if payment not in unclear]):
        return finding
    if last := queries.find_last_paid(now - ON_ITS_WAY):
        payment, told = last
        if not told and payment.refused_at is None:
            return Finding(
                "warn",
                "postbacks",
                f"invoice {payment.invoice_id} was paid, and no proven postback came",
                f"At CryptoCloud, is the project's notification URL {postback_url(settings)}, "
                "and its secret key CRYPTOCLOUD_SECRET_KEY?",
            )
    return _asked_instead(unclear) if unclear else _shown(proven, now)


def _unrefuted(since: datetime) -> list[Payment]:
    """Payments of which a postback was refused since then, for a reason that has not been refuted.

    A postback that our key signed shows that the key is right, whatever else was wrong with that postback.
    """
    signed = queries.last_signed()
    return [
        payment
        for payment in queries.refused_since(since)
        if payment.refused_because != Refusal.SIGNATURE
        or signed is None
        or (payment.refused_at and payment.refused_at > signed)
    ]


def _refused(refused: Sequence[Payment]) -> Finding | None:
    """What refused postbacks since the last proven one mean.

    The provider sends a postback when an invoice is paid, so a refused one about a paid invoice is no
    forgery. About an unpaid invoice it may be one: whoever opens a pay page knows the invoice's id.
    """
    paid = [payment for payment in refused if payment.provider_says_paid]
    for why in MEANINGS.values():
        if about := [payment for payment in paid or refused if meaning(payment) is why]:
            kind = "paid" if paid else "unpaid"
            text = f"{why.found}: {_postbacks(about, kind)}, and none proven since"
            mend = f"{why.mend}. Mended since? Prove it by a test invoice (`invoices create`)."
            if paid:
                return Finding("fail", "postbacks", text, mend)
            return Finding("warn", "postbacks", text, f"If nobody forges them: {mend}")
    return None


def _asked_instead(unclear: Sequence[Payment]) -> Finding:
    """The finding for postbacks that are not as documented: `ok` where the API told what is true instead."""
    last = max(unclear, key=_refused_at)
    text = f"{meaning(last).found}, last on {_refused_at(last):%Y-%m-%d %H:%M}"
    if silent := [payment for payment in unclear if not _was_told_since(payment)]:
        names = ", ".join(payment.name for payment in silent[:3])
        return Finding(
            "warn",
            "postbacks",
            f"{text}: CryptoCloud was asked instead, and has told nothing clear about {names}",
            "Look it up in your account; if the money is there, confirm the order.",
        )
    return Finding("ok", "postbacks", f"{text}: CryptoCloud was asked at once instead")


def _was_told_since(payment: Payment) -> bool:
    """Whether the API has said what became of an invoice since a postback of it was refused."""
    asked_since = payment.checked_at is not None and payment.checked_at >= _refused_at(payment)
    return payment.provider_says_paid or (asked_since and payment.unclear_since is None)


def _refused_at(payment: Payment) -> datetime:
    return payment.refused_at or payment.created_at


def _postbacks(payments: Sequence[Payment], kind: str) -> str:
    first = f"{min(map(_refused_at, payments)):%Y-%m-%d %H:%M}"
    last = f"{max(map(_refused_at, payments)):%Y-%m-%d %H:%M}"
    if len(payments) == 1:
        return (
            f"a postback of {'a' if kind == 'paid' else 'an'} {kind} invoice was refused on {last}"
        )
    several = f"postbacks of {len(payments)} {kind} invoices were refused"
    return f"{several} since {first}, the last on {last}"


def _shown(proven: datetime | None, now: datetime) -> Finding:
    mend = "Make a test invoice (`invoices create`) and confirm it at CryptoCloud."
    if proven is None:
        text = "not shown yet that the secret key matches"
        return Finding("warn", "postbacks", text, f"{mend[:-1]}, or pay it in the sandbox.")
    text = f"the last proven one came on {proven:%Y-%m-%d %H:%M}"
    if now - proven > LATELY:
        return Finding("warn", "postbacks", text, mend)
    return Finding("ok", "postbacks", text)


def sweep_lag(settings: Settings) -> Finding:
    """Payments are looked at when their time has come."""
    now = utcnow()
    due = queries.oldest_due(now)
    lag = now - due if due else timedelta()
    if lag <= LAG:
        return Finding("ok", "sweep lag", "no payment waits for its check")
    return Finding(
        "fail" if lag > LONG_LAG else "warn",
        "sweep lag",
        f"a payment has waited {ago(lag)} for its check",
        "See the lines about worker and provider, and the worker's log.",
    )


def attention_items(settings: Settings) -> Finding:
    """Nothing waits for a person."""
    if count := len(open_attention()):
        text = "one thing waits" if count == 1 else f"{count} things wait"
        mend = "See `flask --app wsgi attention list`."
        return Finding("warn", "attention", f"{text} for a person", mend)
    return Finding("ok", "attention", "nothing waits for a person")


def legal_texts(settings: Settings) -> Finding:
    """No text is unreadable, and none holds a placeholder that the operator must still fill in."""
    if problems := unreadable(settings):
        mend = "Put the text right, or take the file away: then the shipped text is shown."
        return Finding("fail", "pages", "; ".join(problems), mend)
    names = [] if settings.development else unfinished(settings)
    if names:
        mend = "Run `flask --app wsgi pages export`, and fill in what stands in [[brackets]]."
        return Finding("warn", "pages", f"not finished: {', '.join(names)}", mend)
    return Finding(
        "ok", "pages", "no placeholder is left" if not settings.development else "a trial"
    )
