"""When each job last ran, what is silent, what was counted today, and how far the journal has been read."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, String
from sqlalchemy.orm import Mapped, mapped_column

from ..columns import UtcDateTime
from ..db import Base


class JobRun(Base):
    """The last time a job came to its end."""

    __tablename__ = "job_runs"

    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    finished_at: Mapped[datetime] = mapped_column(UtcDateTime)


class Silence(Base):
    """Something that gives no sign of life, and since when: see attention/silences.py."""

    __tablename__ = "silences"

    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    since: Mapped[datetime] = mapped_column(UtcDateTime)


class Ration(Base):
    """One of the times that something was done on a day: see rations.py."""

    __tablename__ = "rations"

    subject: Mapped[str] = mapped_column(String(60), primary_key=True)
    day: Mapped[str] = mapped_column(String(10), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)


class JournalMark(Base):
    """How far a journal has been compared with the books: an older copy of the database has an older mark."""

    __tablename__ = "journal_marks"

    journal: Mapped[str] = mapped_column(String(8), primary_key=True)
    file: Mapped[int]
    byte: Mapped[int] = mapped_column(BigInteger)
