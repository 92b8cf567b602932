"""How often something may be done in a day: the database counts exactly, however many ask at once."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

from sqlalchemy import bindparam, delete, func, select
from sqlalchemy.orm import Session

from ..db import db, execute, insert_if_new, rows_changed, transaction, utcnow
from ..web.network import keyed_hash
from .models import Ration

_USED = select(func.count()).where(
    Ration.subject == bindparam("subject"), Ration.day == bindparam("day")
)


class UsedUp(Exception):
    """Something was done as often as it may be in a day; `until` is when it may be done again."""

    def __init__(self, until: datetime) -> None:
        self.until = until
        super().__init__(f"used up until {until:%Y-%m-%d %H:%M} UTC")


def ration_subject(what: str, of: str) -> str:
    """The name of what is counted, such as `mail` to an address, which nobody can read out of it again."""
    return f"{what}:{keyed_hash(what, of.strip().lower())}"


def use_ration(session: Session, of: str, a_day: int) -> None:
    """Use one of a subject's rations inside a transaction; UsedUp, and nothing written, when none is left.

    Each is a row with a number of its own. Two who want the last one insert the same row: the
    second waits for the first one's commit and then finds it taken, on either engine.
    """
    day = _day(utcnow())
    for number in range(_count(session, of, day) + 1, a_day + 1):
        if insert_if_new(session, Ration, subject=of, day=day, number=number):
            return
    raise UsedUp(new_day())


def new_day() -> datetime:
    """When the next day begins, and all may be done again."""
    return datetime.combine(utcnow().date() + timedelta(days=1), time.min, UTC)


def used(of: str) -> int:
    """How many of a subject's rations have been used today."""
    return _count(db.session, of, _day(utcnow()))


def give_back(session: Session, of: str) -> None:
    """Let a subject begin anew today, because a person said so."""
    rows_changed(session, delete(Ration).where(Ration.subject == of))


def forget_past(now: datetime | None = None) -> None:
    """Drop what was counted on earlier days."""
    with transaction("rations") as session:
        rows_changed(session, delete(Ration).where(Ration.day < _day(now or utcnow())))


def _count(session: Session, of: str, day: str) -> int:
    return execute(session, _USED, {"subject": of, "day": day}).scalar_one()  # type: ignore[no-any-return]


def _day(at: datetime) -> str:
    return f"{at:%Y-%m-%d}"
