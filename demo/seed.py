"""Bring a demo's data folder up to date: tables, catalogue, exchange rates, licence keys, legal pages.

`python -m demo.seed` runs the shop's own commands, all in one process because each start costs the
better part of a second. What was imported once is left alone until the files of the demo change.
"""

from __future__ import annotations

import hashlib
import sys

from demo.pages import write_pages
from demo.surroundings import ROOT
from shop import create_app
from shop.config import load
from shop.site.texts import own_folder

DEMO = ROOT / "demo"
RATES = ("EUR=0.92", "GBP=0.79", "RUB=96.50", "UAH=41.30")


def main() -> None:
    """Run what is needed; ends with a message when a command fails or the folder is not ours."""
    settings = load()
    data = settings.shop_data_dir
    mark = data / ".demo"
    if (data / "shop.db").exists() and not mark.exists():
        sys.exit(f"{data} holds a shop that is not the demo's, so it is left alone: use --fresh.")
    data.mkdir(parents=True, exist_ok=True)
    mark.touch()
    run("db", "upgrade")
    run("rates", "set", *RATES)  # anew each time, because old rates are not used
    write_pages(own_folder(settings))
    if mark.read_text() != fingerprint():
        run("products", "import", str(DEMO / "catalogue.yaml"))
        for file in sorted((DEMO / "keys").glob("*.txt")):
            run("keys", "add", file.stem, str(file))
        mark.write_text(fingerprint())


def run(*command: str) -> None:
    """Run one of the shop's commands; ends this program with its words when it fails."""
    with app.app_context():
        result = app.test_cli_runner().invoke(args=command)
    if result.exit_code:
        sys.exit(f"flask {' '.join(command)}:\n{result.output}{result.exception or ''}")


def fingerprint() -> str:
    """A figure that changes with the demo's products and keys."""
    files = [*DEMO.glob("catalogue.yaml"), *DEMO.glob("keys/*"), *DEMO.glob("images/*")]
    digest = hashlib.sha256()
    for file in sorted(files):
        digest.update(file.name.encode() + file.read_bytes())
    return digest.hexdigest()


app = create_app()

if __name__ == "__main__":
    main()
