"""The demo's terms, privacy, refunds and contact: the shop's own texts, filled in by a made-up seller."""

from __future__ import annotations

import tomllib
from pathlib import Path

from demo.surroundings import ROOT
from shop.site.texts import PLACEHOLDER, SHIPPED

ANSWERS = ROOT / "demo" / "pages.toml"


def write_pages(folder: Path) -> None:
    """Put the filled-in texts where an operator's own would be; what is there already is left alone."""
    answers = tomllib.loads(ANSWERS.read_text("utf-8"))
    folder.mkdir(parents=True, exist_ok=True)
    for shipped in SHIPPED.glob("*.md"):
        own = folder / shipped.name
        if not own.exists():
            own.write_text(_filled_in(shipped, answers), "utf-8")


def _filled_in(shipped: Path, answers: dict[str, dict[str, str]]) -> str:
    said = answers[shipped.stem.rpartition(".")[2]]
    return PLACEHOLDER.sub(lambda found: said[found[0][2:-2]], shipped.read_text("utf-8"))
