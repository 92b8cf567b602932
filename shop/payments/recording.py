"""Postbacks of a test invoice that somebody watches, written down masked, as they came.

`flask invoices create --watch` makes the marker SHOP_DATA_DIR/watch/INVOICE, and the process that
gets a postback naming this invoice appends a line to it. Without a marker nothing is recorded. The
lines are for people: the shop reads none of them, and does nothing differently for them.
"""

from __future__ import annotations

import base64
import json
import os
import re
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import structlog

from ..config import Settings, current_settings
from ..db import utcnow
from ..ops.logs import secrets_of
from .cryptocloud import SIGNED, Refusal, token_in, unproven_fields
from .masking import Mask

log = structlog.get_logger()

FOLDER = "watch"
LASTS = timedelta(days=1)
LARGEST_LINE = 16 * 1024
ROOM = 1024 * 1024
"""Bytes for all postbacks of one invoice: about 250 of them."""
ROOM_FOR_FORGERIES = 128 * 1024
"""From so many bytes on, only postbacks signed with our key are recorded: forgeries must leave them room."""
PROVEN = "proven"
ID = re.compile(r"[A-Z0-9]{4,32}")
LABELS = (
    *("", "application/json", "text/json", "application/x-www-form-urlencoded"),
    *("multipart/form-data", "text/plain", "text/html", "application/octet-stream"),
)


def mask_for(settings: Settings, invoice_id: str, reference: str, *hidden: str) -> Mask:
    """The mask for reports about an invoice of this shop; what is `hidden` stands in none of them."""
    texts = [*secrets_of(settings), settings.cryptocloud_shop_id, *hidden]
    return Mask(invoice_id, reference, texts, settings.pay_hosts)


class Watched:
    """The marker that has the postbacks of one invoice recorded, for whoever watches it."""

    def __init__(self, folder: Path, invoice_id: str, reference: str) -> None:
        """Make the marker, and remove old ones whose watcher has not come back."""
        self.path = folder / FOLDER / invoice_id
        self.path.parent.mkdir(mode=0o700, exist_ok=True)
        for old in self.path.parent.iterdir():
            if old.stat().st_mtime < time.time() - LASTS.total_seconds():
                old.unlink(missing_ok=True)
        head = {"reference": reference, "until": (utcnow() + LASTS).isoformat()}
        with os.fdopen(
            os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w"
        ) as file:
            file.write(json.dumps(head) + "\n")

    def postbacks(self) -> list[dict[str, Any]]:
        """What has been recorded so far; a line that was cut off by a full disk is left out."""
        found = []
        for line in self.path.read_text("utf-8", "replace").splitlines()[1:]:
            try:
                found.append(json.loads(line))
            except ValueError:
                continue
        return found

    def end(self) -> None:
        """Stop the recording."""
        self.path.unlink(missing_ok=True)


@dataclass
class Sight:
    """One postback on its way through the shop."""

    content_type: str | None
    body: bytes
    invoice_id: str | None = None
    """The invoice that the postback names, as far as anybody can tell."""
    judged: str = ""
    why: str = ""
    answer: int = 500
    """The HTTP status that the sender was answered; it stays 500 if the shop broke."""
    at: datetime = field(default_factory=utcnow)

    def record(self) -> None:
        """Write the postback down if its invoice is watched. A failure here never costs the postback itself."""
        try:
            if self.invoice_id and ID.fullmatch(self.invoice_id):
                self._record(current_settings(), self.invoice_id)
        except FileNotFoundError:
            pass  # as nearly always: nobody watches
        except Exception as error:
            log.warning("postback_not_recorded", error=type(error).__name__)

    def _record(self, settings: Settings, invoice_id: str) -> None:
        path = settings.shop_data_dir / FOLDER / invoice_id
        # Without waiting: an empty pipe in the file's place would be read from for ever.
        flags = os.O_RDWR | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK
        with os.fdopen(os.open(path, flags), "rb") as file:
            signed = self.judged in (PROVEN, *SIGNED)
            if os.fstat(file.fileno()).st_size > (ROOM if signed else ROOM_FOR_FORGERIES):
                return
            head = json.loads(file.readline(LARGEST_LINE))
            if datetime.fromisoformat(head["until"]) < utcnow():
                return
            mask = mask_for(settings, invoice_id, head["reference"])
            os.write(file.fileno(), self._line(mask))

    def _line(self, mask: Mask) -> bytes:
        facts = self.facts(mask)
        line = json.dumps(facts)
        if len(line) >= LARGEST_LINE:
            facts["fields"] = dict.fromkeys(facts["fields"], "<left out>")
            line = json.dumps(facts)
        return line.encode() + b"\n"

    def facts(self, mask: Mask) -> dict[str, Any]:
        """What is written down of the postback."""
        encoding, fields = unproven_fields(self.content_type, self.body)
        token = next((value for name, value in fields if name == "token"), None)
        return {
            "at": self.at.isoformat(timespec="milliseconds"),
            "content_type": _label(self.content_type),
            "encoding": encoding,
            "bytes": len(self.body),
            "fields": mask.object(fields),
            "token": _token(token, mask, self.at),
            "judged": self.judged,
            "why": self.why,
            "answered": self.answer,
            "took": round((utcnow() - self.at).total_seconds(), 3),
        }

    def is_refused(self, because: Refusal, why: str, invoice_id: str | None) -> None:
        """Note that the postback is not believed, and why."""
        self.judged, self.why, self.invoice_id = because.value, why, invoice_id


def _label(content_type: str | None) -> str:
    """The content type, and the names of what follows it: a multipart edge is different each time."""
    kind, *more = (part.strip() for part in (content_type or "").lower().split(";"))
    names = (part.partition("=")[0].strip() for part in more[:3])
    shown = [kind if kind in LABELS else f"<text of {len(kind)}>"]
    return "; ".join([*shown, *(name for name in names if name in ("charset", "boundary"))])


def _token(token: object, mask: Mask, at: datetime) -> dict[str, Any]:
    """What a token claims, by names and types; its signature is not even kept in part."""
    if not isinstance(token, str):
        return {"kind": type(token).__name__}
    parts = (token_in(token) or "").split(".")
    if len(parts) != 3:
        return {"kind": f"<text of {len(token)}, no token>"}
    header, claims = (_decoded(part) for part in parts[:2])
    shown = mask.value("", claims)
    found: dict[str, Any] = {
        "kind": "token" if token == ".".join(parts) else "token with something around it",
        "header": mask.value("", header),
        "claims": shown,
        "signature": f"<text of {len(parts[2])}>",
    }
    expires = shown.get("exp") if isinstance(shown, dict) else None
    # A number that the mask lets through under `exp` is a moment.
    if isinstance(expires, int | float) and not isinstance(expires, bool):
        found["seconds_left"] = round(expires - at.astimezone(UTC).timestamp(), 1)
    return found


def _decoded(part: str) -> Any:
    try:
        return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (ValueError, RecursionError):
        return f"<text of {len(part)}, no JSON>"
