"""The folder that a merchant copied from the old shop: files for sale, and pictures, found by their names."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path
from urllib.parse import unquote, urlsplit

from .found import MovingError


class Folder:
    """All files below a folder by name; without one, there are none."""

    def __init__(self, folder: Path | None, catalogue: Path) -> None:
        self.catalogue = catalogue
        """The folder of the catalogue file that will name them."""
        self.paths: dict[str, list[Path]] = {}
        if folder is None:
            return
        if not folder.resolve().is_relative_to(catalogue.resolve()):
            # The catalogue file that is written beside the export may name only what is beside it.
            raise MovingError(
                f"{folder} has to be in the folder of the file, {catalogue.resolve()}, or below it: move it there."
            )
        for place, _, names in os.walk(folder.resolve()):
            for path in (Path(place, name) for name in names):
                # A link that leads nowhere, or out of the folder, is no file that the merchant copied.
                if path.is_file() and path.resolve().is_relative_to(catalogue.resolve()):
                    self.paths.setdefault(_plain(path.name), []).append(path)

    def find(self, name: str) -> str:
        """Where the only file of this name is, as the catalogue file names it; empty if it is not clear."""
        found = self.paths.get(_plain(name), [])
        if len(found) != 1 or not found[0].stat().st_size:
            return ""
        return found[0].relative_to(self.catalogue.resolve()).as_posix()


def name_of(address: str) -> str:
    """The name of the file at an address or a path, as people read it."""
    path = urlsplit(address.strip()).path if "://" in address else address.strip()
    return unquote(path.replace("\\", "/").rstrip("/").rpartition("/")[2])


def _plain(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()
