"""How and how soon a product reaches its buyer, in whole sentences."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath

from flask_babel import gettext, ngettext

from ...i18n import readable_size
from ..models import DeliveryKind
from ..queries import Offer
from ..storage import storage

Files = Sequence[tuple[str, int | None]]
"""Names in the storage, and sizes."""


def delivery_note(offer: Offer, files: Files) -> str:
    """How and how soon the buyer gets it, for the product page, in whole sentences."""
    return " ".join(note if note.endswith(".") else f"{note}." for note in _notes(offer, files))


def _notes(offer: Offer, files: Files) -> Iterator[str]:
    if offer.kind is DeliveryKind.KEY:
        yield _key_note(offer)
    elif offer.kind is DeliveryKind.TEXT:
        yield _text_note(offer)
    else:
        yield _file_note(offer, files)
        limits = ", ".join(_download_limits(offer))
        if limits and len(files) > 1:
            yield gettext("Each can be downloaded %(limits)s", limits=limits)
        elif limits:
            yield gettext("It can be downloaded %(limits)s", limits=limits)
        if offer.max_downloads is not None:
            yield gettext("A download that breaks off and is continued counts once.")


def _key_note(offer: Offer) -> str:
    if offer.is_free:
        return gettext("Licence key, shown on the order page and sent by email at once")
    return gettext(
        "Licence key, shown on the order page and sent by email as soon as the payment is confirmed"
    )


def _text_note(offer: Offer) -> str:
    if offer.is_free:
        return gettext("A text, shown on the order page and sent by email at once")
    return gettext(
        "A text, shown on the order page and sent by email as soon as the payment is confirmed"
    )


def _file_facts(files: Files) -> str:
    """Of which kinds the files are, and how large together."""
    sizes = [storage().known_size(name) if size is None else size for name, size in files]
    known = [size for size in sizes if size is not None]
    kinds = dict.fromkeys(PurePosixPath(name).suffix[1:].upper() for name, _ in files)
    facts = [*kinds, readable_size(sum(known)) if len(known) == len(files) else ""]
    return ", ".join(filter(None, facts)) or PurePosixPath(files[0][0]).name


def _file_note(offer: Offer, files: Files) -> str:
    said = _file_facts(files)
    if len(files) > 1 and offer.is_free:
        return ngettext(
            "%(num)s file (%(facts)s), to download from the order page or from links sent by email at once",
            "%(num)s files (%(facts)s), to download from the order page or from links sent by email at once",
            len(files),
            facts=said,
        )
    if len(files) > 1:
        return ngettext(
            "%(num)s file (%(facts)s), to download from the order page or from links sent by email "
            "as soon as the payment is confirmed",
            "%(num)s files (%(facts)s), to download from the order page or from links sent by email "
            "as soon as the payment is confirmed",
            len(files),
            facts=said,
        )
    if offer.is_free:
        return gettext(
            "File (%(facts)s), to download from the order page or from a link sent by email at once",
            facts=said,
        )
    return gettext(
        "File (%(facts)s), to download from the order page or from a link sent by email "
        "as soon as the payment is confirmed",
        facts=said,
    )


def _download_limits(offer: Offer) -> Iterator[str]:
    """How often and how long the file may be downloaded, where that is limited."""
    if offer.max_downloads is not None:
        yield ngettext("%(num)s time", "%(num)s times", offer.max_downloads)
    if offer.download_days is not None:
        yield ngettext("within %(num)s day", "within %(num)s days", offer.download_days)
