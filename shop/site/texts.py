"""The texts: the operator's file in the data folder, else the one that comes with the shop.

Both are Markdown in `<name>.<language>.md`. What an operator must still say stands in double square
brackets, and `{shop_name}` and a few more stand for settings.
"""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import structlog
from babel import Locale
from markupsafe import Markup

from ..catalogue.markdown import render
from ..config import Settings
from ..web.own_files import UnreadableFile, own_text

log = structlog.get_logger()

NAMES = ("terms", "privacy", "refunds", "contact")
SHIPPED = Path(__file__).parent / "pages"
PLACEHOLDER = re.compile(r"\[\[.+?\]\]", re.DOTALL)
HIGHEST_HEADING = 2
CHANGES_SHOW_AFTER = 2.0
"""Seconds after which another change of a file has another time, on any file system."""
DAYS = {
    "en": {"one": "day", "other": "days"},
    "ru": {"one": "день", "few": "дня", "many": "дней"},
    "uk": {"one": "день", "few": "дні", "many": "днів"},
}
"""Words by Babel's names of plural forms; gettext would need a request, and the doctor reads the texts without one."""


@dataclass(frozen=True)
class LegalPage:
    """One page, ready to be shown."""

    title: str
    body: Markup


def own_folder(settings: Settings) -> Path:
    """Where the operator's texts are."""
    return settings.shop_data_dir / "pages"


def read_page(settings: Settings, name: str, language: str) -> LegalPage:
    """The page in this language: its first line is the heading, the rest its body.

    Raises UnreadableFile if the operator's own file cannot be read: the shipped text would be a promise they did
    not make.
    """
    title, _, body = _text(settings, name, language).lstrip("\ufeff\n").partition("\n")
    return LegalPage(title.lstrip("# ").strip(), render(body, HIGHEST_HEADING))


def text_version(settings: Settings, name: str, language: str) -> tuple[int, ...] | None:
    """What tells the operator's file from the one that was there before; None while that cannot be told."""
    try:
        found = os.stat(own_folder(settings) / f"{name}.{language}.md")
    except FileNotFoundError:
        return ()
    except OSError:
        return None
    # Two changes in a row may have the same time, as file systems count it.
    settled = time.time() - found.st_ctime > CHANGES_SHOW_AFTER
    return (found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns) if settled else None


def unfinished(settings: Settings) -> list[str]:
    """The texts in the shop's languages that still hold a placeholder, by the names of their files."""
    return [
        f"{name}.{language}.md"
        for name, language in _all(settings)
        if PLACEHOLDER.search(_without_words(settings, name, language))
    ]


def unreadable(settings: Settings) -> list[str]:
    """What is wrong with the operator's texts that nobody can read."""
    problems = []
    for name, language in _all(settings):
        try:
            _text(settings, name, language)
        except UnreadableFile as error:
            problems.append(str(error))
    return problems


def warn_of_unfinished(settings: Settings) -> None:
    """Log which texts are unfinished, in a shop that sells; a trial need not have terms."""
    if not settings.development and (names := unfinished(settings)):
        log.warning("pages_unfinished", pages=names, folder=str(own_folder(settings)))


def export(settings: Settings) -> Iterator[tuple[Path, bool]]:
    """Copy the shipped texts to where they are edited: each one's path, and whether it is new."""
    own_folder(settings).mkdir(parents=True, exist_ok=True)
    for name, language in _all(settings):
        path = own_folder(settings) / f"{name}.{language}.md"
        if new := not path.exists():
            shutil.copyfile(SHIPPED / path.name, path)
        yield path, new


def _all(settings: Settings) -> Iterator[tuple[str, str]]:
    return ((name, language) for name in NAMES for language in settings.shop_languages)


def _text(settings: Settings, name: str, language: str) -> str:
    days = settings.shop_retention_days
    word = DAYS[language][Locale.parse(language).plural_form(days)]
    return _filled_in(_written(settings, name, language), _values(settings, f"{days}\u00a0{word}"))


def _without_words(settings: Settings, name: str, language: str) -> str:
    """The text without the words of a time, as every start looks at it: plural forms need all data of a language."""
    try:
        return _filled_in(_written(settings, name, language), _values(settings, "so long"))
    except UnreadableFile:
        return ""


def _written(settings: Settings, name: str, language: str) -> str:
    file = f"{name}.{language}.md"
    own = own_text(own_folder(settings) / file)
    return (SHIPPED / file).read_text("utf-8") if own is None else own


def _values(settings: Settings, time: str) -> Mapping[str, str]:
    days = settings.shop_retention_days
    return {
        "{shop_name}": settings.shop_name,
        "{shop_public_url}": settings.shop_public_url,
        "{shop_support_email}": settings.shop_support_email,
        "{shop_retention_days}": str(days) if days else "",
        "{shop_retention_time}": time if days else "",
    }


def _filled_in(text: str, values: Mapping[str, str]) -> str:
    """The text with the settings' values; a line that names a setting without a value is left out."""
    lines = []
    for line in text.splitlines():
        if all(values[name] for name in values if name in line):
            for name, value in values.items():
                line = line.replace(name, value)
            lines.append(line)
    return "\n".join(lines)
