"""The doctor's look at what buyers have in their mailboxes: do those links still lead somewhere?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from urllib.parse import urlsplit

import requests
from sqlalchemy import select

from ..config import LANGUAGES, Settings
from ..db import db, end_read, utcnow
from ..fulfilment.downloads import is_over
from ..fulfilment.goods import download_url
from ..fulfilment.models import DeliveryState
from ..fulfilment.queries import deliveries_of
from ..orders.links import order_token
from ..orders.models import Order
from ..outbox.models import MailState, OutboxMail
from .address import end_of
from .findings import Finding, failure

NEWEST = 3
"""How many mails have their links tried."""


def mailed_links(settings: Settings) -> Finding:
    """The links of the newest mails answer, in the language and at the host that they were mailed with.

    They are asked for by HEAD, which uses up no download.
    """
    links = [link for mail in _newest_mails(settings) for link in _links(mail, settings)]
    end_read()  # the network is asked now
    for order, link in links:
        try:
            status = end_of(settings, link)
        except requests.RequestException:
            mend = "See the lines about the public address and former hosts."
            text = f"not tried: {urlsplit(link).netloc} cannot be reached from here"
            return Finding("warn", "mailed links", text, mend)
        if status != 200:
            prefixes = " or ".join(f"/{code}" for code in LANGUAGES)
            what = link.split("/")[-2].rstrip("s")  # the rest of the link is a secret
            return Finding(
                failure(settings),
                "mailed links",
                f"the {what} link that was mailed for order {order} answers {status}",
                "Was SECRET_KEY changed without SECRET_KEY_PREVIOUS, or does the reverse proxy not "
                f"pass on what begins with {prefixes}?",
            )
    return Finding(
        "ok", "mailed links", f"{len(links)} links of the newest mails were tried, and answer"
    )


def former_hosts(settings: Settings) -> Finding:
    """The shop still answers at every host that its mails have named."""
    query = select(OutboxMail).where(OutboxMail.state == MailState.SENT)
    for host in _hosts(settings):
        query = query.where(~OutboxMail.message_id.endswith(f"@{host}>", autoescape=True))
    last = db.session.scalar(query.order_by(OutboxMail.id.desc()).limit(1))
    if last is None or last.sent_at is None:
        return Finding("ok", "former hosts", "every link that was mailed is at a host of the shop")
    host = _host_of(last)
    return Finding(
        "warn",
        "former hosts",
        f"links mailed until {last.sent_at:%Y-%m-%d} are at {host}, where the shop does not answer",
        f"If {host} is still yours, add it to SHOP_FORMER_HOSTS.",
    )


def _newest_mails(settings: Settings) -> Sequence[OutboxMail]:
    """The newest mails that went to buyers, of those whose host the shop answers at."""
    query = (
        select(OutboxMail)
        .join(Order)
        .where(OutboxMail.state == MailState.SENT, Order.erased_at.is_(None))
        .order_by(OutboxMail.id.desc())
        .limit(NEWEST)
    )
    known = _hosts(settings)
    return [mail for mail in db.session.scalars(query) if _host_of(mail) in known]


def _links(mail: OutboxMail, settings: Settings) -> Iterator[tuple[str, str]]:
    """The order's number with each link of its mail, with the language's prefix: that form depends on most."""
    order = mail.order
    if order is None:
        return
    public, host = urlsplit(settings.shop_public_url), _host_of(mail)
    origin = (
        settings.shop_public_url if host == settings.mail_domain else f"{public.scheme}://{host}"
    )
    below = f"{origin}/{order.language}"
    yield order.number, f"{below}/orders/{order_token(order)}"
    for delivery in deliveries_of(order.id):
        ready = delivery.state is DeliveryState.DELIVERED and delivery.file
        if ready and not is_over(delivery, utcnow()):
            token = download_url(delivery, order).rpartition("/")[2]
            yield order.number, f"{below}/downloads/{token}"


def _hosts(settings: Settings) -> list[str]:
    return [
        settings.mail_domain,
        *settings.shop_former_hosts,
        *settings.shop_trusted_hosts,
    ]


def _host_of(mail: OutboxMail) -> str:
    """The public host when the mail was queued: it stands in its Message-ID."""
    return mail.message_id.rpartition("@")[2].rstrip(">")
