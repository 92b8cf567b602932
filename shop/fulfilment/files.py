"""Whether the files that are sold are really there: the storage lies outside the database.

Where it is a bucket, each look waits for the network, so none is made inside a transaction.
"""

from __future__ import annotations

from datetime import datetime

import structlog

from ..attention.kinds import AttentionKind
from ..attention.models import LONGEST_REFERENCE
from ..attention.service import raise_attention, resolve_attention
from ..because import Because
from ..catalogue.storage import StorageFailed, storage
from ..db import end_read, transaction
from .queries import files_in_use, files_reported, files_to_hand_out

log = structlog.get_logger()

MISSING = AttentionKind.FILE_MISSING
"""The kind of attention item about a file, by its name."""
LOOKED_AT = 50
"""How many files a sweep looks at, besides those it needs; the next sweep looks at the next ones."""


class Looks:
    """One round of looks: at each file once, and at no more after the bucket has failed."""

    def __init__(self) -> None:
        self.failed = ""
        """Why nothing can be said of the files; empty while they can be looked at."""
        self._seen = dict[tuple[str, int | None], str]()

    def at(self, file: str, size: int | None) -> str:
        """Why a file of this size cannot be handed out, in words; empty when it can."""
        if (file, size) not in self._seen:
            self._seen[file, size] = self.failed or self._look(file, size)
        return self._seen[file, size]

    def _look(self, file: str, size: int | None) -> str:
        try:
            return storage().problem(file, size)
        except StorageFailed as error:
            log.error("storage_failed", error=str(error))
            self.failed = f"cannot be looked at: {error}"
            return self.failed


def look_at_files(order_id: int, looks: Looks) -> dict[str, str]:
    """Look at each file that a paid order still has to hand out: why it cannot be, or empty when it can."""
    files = files_to_hand_out(order_id)
    end_read()
    return {file: looks.at(file, size) for file, size in files}


def close_found_files(looks: Looks) -> None:
    """Close the items about files that are there again, or that no sale needs any more."""
    reported = files_reported(MISSING)
    end_read()
    found = [
        reference
        for reference, files in reported.items()
        if not any(looks.at(file, size) for file, size in files)
    ]
    if found:
        with transaction("attention") as session:
            why = "the file is there again, or nobody needs it"
            resolve_attention(session, found, Because(why), kinds=[MISSING])


def look_at_some(looks: Looks, now: datetime) -> None:
    """Look at some of the files in use, to find missing ones before somebody asks for them."""
    files = files_in_use(now)
    end_read()
    start = int(now.timestamp()) // 60 * LOOKED_AT % max(len(files), 1)
    for file, size in (files + files)[start : start + LOOKED_AT][: len(files)]:
        problem = looks.at(file, size)
        if looks.failed:
            return
        if problem:
            report_file(file, f"{file}, which is for sale or was sold, {problem}.")


def report_file(file: str, note: str) -> None:
    """Tell a person that a file cannot be handed out; once, however many buyers want it."""
    with transaction("attention") as session:
        raise_attention(session, MISSING, reference_of(file), note)


def reference_of(file: str) -> str:
    """The file as attention items name it."""
    return file[:LONGEST_REFERENCE]
