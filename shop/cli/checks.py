"""The doctor's checks that ask the provider or read payments."""

from __future__ import annotations

from datetime import datetime, timedelta

from ..config import Settings
from ..db import utcnow
from ..legal.texts import unfinished
from ..ops.doctor import Check, Finding
from ..ops.doctor.address import postback_url
from ..ops.doctor.machine import ago
from ..orders.queries import open_attention
from ..payments.cryptocloud import CryptoCloudError, KeyRefused
from . import evidence
from .lookup import gateway

CLOCK_OFF, CLOCK_WRONG = 10, 60
"""Seconds. A postback's token lives for five minutes and is given a minute's leeway."""

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
    except CryptoCloudError as error:
        mend = f"Is {settings.cryptocloud_api_url} reachable from here?"
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


def postbacks(settings: Settings) -> Finding:
    """The provider's notices arrive, and are signed with the secret key that we have."""
    now = utcnow()
    proven = evidence.last_proven()
    if finding := _refused(max(proven or now - LATELY, now - LATELY)):
        return finding
    if last := evidence.find_last_paid(now - ON_ITS_WAY):
        payment, told = last
        if not told:
            return Finding(
                "warn",
                "postbacks",
                f"invoice {payment.invoice_id} was paid, and no proven notice came",
                f"At CryptoCloud, is the project's notification URL {postback_url(settings)}, "
                "and its secret key CRYPTOCLOUD_SECRET_KEY?",
            )
    return _shown(proven, now)


def _refused(since: datetime) -> Finding | None:
    """What refused notices since the last proven one mean.

    The provider sends one when an invoice is paid, so for a paid invoice a refused one is no
    forgery. For another it may be: whoever opens a pay page knows an invoice's id.
    """
    refused = evidence.refused_since(since)
    mend = "Copy CRYPTOCLOUD_SECRET_KEY from the project's settings again."
    paid = [payment for payment in refused if payment.is_closed]
    if paid:
        text = f"the secret key does not match: {_notices(len(paid), 'paid')} refused"
        return Finding("fail", "postbacks", text, mend)
    if refused:
        text = f"{_notices(len(refused), 'unpaid')} refused, and none proven since"
        return Finding("warn", "postbacks", text, f"If nobody forges them: {mend}")
    return None


def _notices(number: int, kind: str) -> str:
    if number == 1:
        return f"a notice of {'a' if kind == 'paid' else 'an'} {kind} invoice was"
    return f"notices of {number} {kind} invoices were"


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
    due = evidence.oldest_due(now)
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
    """Nothing in the texts waits for the operator to say it."""
    names = [] if settings.development else unfinished(settings)
    if names:
        mend = "Run `flask --app wsgi pages export`, and fill in what stands in [[brackets]]."
        return Finding("warn", "pages", f"not finished: {', '.join(names)}", mend)
    return Finding(
        "ok", "pages", "no placeholder is left" if not settings.development else "a trial"
    )


PAYMENT_CHECKS: list[Check] = [provider, postbacks, sweep_lag, attention_items, legal_texts]
