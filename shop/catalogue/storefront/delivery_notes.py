"""How and how soon a product reaches its buyer, in whole sentences."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import PurePosixPath

from flask_babel import gettext, ngettext

from ...i18n import language, readable_size
from ..models import DeliveryKind
from ..queries import Offer
from ..storage import storage

Files = Sequence[tuple[str, int | None]]
"""Names in the storage, and sizes."""


@dataclass(frozen=True, slots=True)
class _Terms:
    """What the note depends on, besides the language."""

    kind: DeliveryKind
    is_free: bool
    files: int
    facts: str
    """Of which kinds the files are, and how large together."""
    max_downloads: int | None
    download_days: int | None


def delivery_note(offer: Offer, files: Files) -> str:
    """How and how soon the buyer gets it, for the product page, in whole sentences."""
    facts = _file_facts(files) if offer.kind is DeliveryKind.FILE else ""
    limits = (offer.max_downloads, offer.download_days)
    return _note(language(), _Terms(offer.kind, offer.is_free, len(files), facts, *limits))


@lru_cache(maxsize=500)
def _note(spoken: str, terms: _Terms) -> str:
    """The note in the language that is spoken now."""
    return " ".join(note if note.endswith(".") else f"{note}." for note in _notes(terms))


def _notes(terms: _Terms) -> Iterator[str]:
    if terms.kind is DeliveryKind.KEY:
        yield _key_note(terms)
    elif terms.kind is DeliveryKind.TEXT:
        yield _text_note(terms)
    else:
        yield _file_note(terms)
        limits = ", ".join(_download_limits(terms))
        if limits and terms.files > 1:
            yield gettext("Each can be downloaded %(limits)s", limits=limits)
        elif limits:
            yield gettext("It can be downloaded %(limits)s", limits=limits)
        if terms.max_downloads is not None:
            yield gettext("A download that breaks off and is continued counts once.")


def _key_note(terms: _Terms) -> str:
    if terms.is_free:
        return gettext("Licence key, shown on the order page and sent by email at once")
    return gettext(
        "Licence key, shown on the order page and sent by email as soon as the payment is confirmed"
    )


def _text_note(terms: _Terms) -> str:
    if terms.is_free:
        return gettext("A text, shown on the order page and sent by email at once")
    return gettext(
        "A text, shown on the order page and sent by email as soon as the payment is confirmed"
    )


def _file_facts(files: Files) -> str:
    sizes = [storage().known_size(name) if size is None else size for name, size in files]
    known = [size for size in sizes if size is not None]
    kinds = dict.fromkeys(PurePosixPath(name).suffix[1:].upper() for name, _ in files)
    facts = [*kinds, readable_size(sum(known)) if len(known) == len(files) else ""]
    return ", ".join(filter(None, facts)) or PurePosixPath(files[0][0]).name


def _file_note(terms: _Terms) -> str:
    if terms.files > 1 and terms.is_free:
        return ngettext(
            "%(num)s file (%(facts)s), to download from the order page or from links sent by email at once",
            "%(num)s files (%(facts)s), to download from the order page or from links sent by email at once",
            terms.files,
            facts=terms.facts,
        )
    if terms.files > 1:
        return ngettext(
            "%(num)s file (%(facts)s), to download from the order page or from links sent by email "
            "as soon as the payment is confirmed",
            "%(num)s files (%(facts)s), to download from the order page or from links sent by email "
            "as soon as the payment is confirmed",
            terms.files,
            facts=terms.facts,
        )
    if terms.is_free:
        return gettext(
            "File (%(facts)s), to download from the order page or from a link sent by email at once",
            facts=terms.facts,
        )
    return gettext(
        "File (%(facts)s), to download from the order page or from a link sent by email "
        "as soon as the payment is confirmed",
        facts=terms.facts,
    )


def _download_limits(terms: _Terms) -> Iterator[str]:
    """How often and how long the file may be downloaded, where that is limited."""
    if terms.max_downloads is not None:
        yield ngettext("%(num)s time", "%(num)s times", terms.max_downloads)
    if terms.download_days is not None:
        yield ngettext("within %(num)s day", "within %(num)s days", terms.download_days)
