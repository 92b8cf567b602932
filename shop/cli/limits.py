"""`flask limits`: what is counted for an address, a network or an order, until when, and lifting it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from ipaddress import ip_address
from typing import Any

import click
import structlog

from ..db import transaction
from ..limits.models import Placement
from ..limits.service import counted_for, lift_limits
from ..mailbox import mailbox
from ..ops.rations import give_back, new_day, ration_subject, used
from ..outbox.on_request import AGAIN, OWN_SEARCHES, SEARCHES, TO_AN_ADDRESS
from ..outbox.proofs import LINKS_A_DAY, LINKS_OF_CLIENT
from ..payments.queries import payments_of
from ..web.network import client_key, mailbox_key
from .arguments import order_named
from .nouns import limits
from .printing import as_json, refuse, show

log = structlog.get_logger()


@dataclass
class Counted:
    """What a limit counts for one address, network or order."""

    kind: str
    placements: list[Placement]
    rations: dict[str, tuple[str, int]]
    """Each ration by its name for people: its subject, and how many there are in a day."""
    more: dict[str, Any] = field(default_factory=dict)


@limits.command("show")
@click.argument("whose", metavar="ADDRESS|NETWORK|ORDER")
@as_json
def show_limits(whose: str, as_json: bool) -> None:
    """What counts against an email address, the network of an IP address, or an order number."""
    found = _counted(whose)
    show(
        {
            "kind": found.kind,
            **found.more,
            "orders": [_order(placement) for placement in found.placements],
            "today": [
                {"what": what, "used": f"{used(of)} of {most}", "until": _text(new_day())}
                for what, (of, most) in found.rations.items()
            ],
        },
        as_json,
    )


@limits.command("lift")
@click.argument("whose", metavar="ADDRESS|NETWORK|ORDER")
def lift(whose: str) -> None:
    """Count nothing of what has been against an address, a network or an order: they can go on."""
    found = _counted(whose)
    with transaction("limits") as session:
        lift_limits(session, [placement.order_id for placement in found.placements])
        for of, _ in found.rations.values():
            give_back(session, of)
        if found.kind == "order":
            for payment in payments_of(order_named(whose).id):
                payment.retry_at = None
    log.info("limits_lifted", kind=found.kind)
    click.echo(f"Nothing counts against this {found.kind} now.")


def _counted(whose: str) -> Counted:
    if "@" in whose:
        return _of_address(whose)
    try:
        client = client_key(str(ip_address(whose)))
    except ValueError:
        return _of_order(whose)
    if not client:
        refuse("This is no address of the internet, so nothing is counted for it.")
    rations = {"links for addresses": (ration_subject("proof-of-client", client), LINKS_OF_CLIENT)}
    return Counted("network", counted_for(Placement.client == client), rations)


def _of_address(address: str) -> Counted:
    rations = {
        name: (ration_subject(what, mailbox(address)), most)
        for name, what, most in (
            ("mails", "mail", TO_AN_ADDRESS),
            ("searches", "search", SEARCHES),
            ("searches of the owner", "own-search", OWN_SEARCHES),
            ("links for the owner", "proof", LINKS_A_DAY),
        )
    }
    return Counted("address", counted_for(Placement.buyer == mailbox_key(address)), rations)


def _of_order(number: str) -> Counted:
    order = order_named(number)
    rations = {
        "searches": (ration_subject("search", order.number), SEARCHES),
        "mails again": (ration_subject("again", order.number), AGAIN),
    }
    last = next(reversed(payments_of(order.id)), None)
    more = {
        "attempts_to_pay": last.attempt if last else 0,
        "next_attempt": _text(last.retry_at) if last and last.retry_at else "at once",
    }
    return Counted("order", counted_for(Placement.order_id == order.id), rations, more)


def _order(placement: Placement) -> dict[str, Any]:
    order = placement.order
    return {
        "order": order.number,
        "status": order.status,
        "placed": _text(placement.placed_at),
        "until": _text(order.expires_at),
        "by": "its owner" if placement.proven else "anybody",
    }


def _text(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"
