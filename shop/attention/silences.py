"""Silences of what the sweep asks for a sign of life: after minutes without one, a person is told, once for each."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete

from ..because import Because
from ..db import db, insert_if_new, rows_changed, transaction
from ..ops.models import Silence
from ..ops.vitals import SILENT_AFTER
from .kinds import AttentionKind
from .service import raise_attention_once, resolve_attention


def heard(name: str) -> None:
    """Note a sign of life, and close the item about the silence before it."""
    if not is_silent(name):
        return
    with transaction("attention") as session:
        rows_changed(session, delete(Silence).where(Silence.name == name))
        kinds = [AttentionKind(f"{name}_silent")]
        resolve_attention(session, [name], Because("it answers again"), kinds=kinds)


def not_heard(name: str, note: str, now: datetime) -> None:
    """Note that no sign of life came, and put the `note` before a person once none has come for minutes.

    `{since}` in the note stands for the beginning of the silence: so the note is the same while the
    silence lasts, and an item that a person has resolved is not opened again.
    """
    with transaction("attention") as session:
        insert_if_new(session, Silence, name=name, since=now)
        silence = session.get(Silence, name, populate_existing=True)
        if silence is None:  # another sweep has just heard something
            return
        silence.since = min(silence.since, now)  # the clock may have been set back
        if silence.since <= now - SILENT_AFTER:
            text = note.format(since=f"{silence.since:%Y-%m-%d %H:%M} UTC")
            raise_attention_once(session, AttentionKind(f"{name}_silent"), name, text)


def is_silent(name: str) -> bool:
    """Whether the last thing noted was that no sign of life came."""
    return db.session.get(Silence, name, populate_existing=True) is not None
