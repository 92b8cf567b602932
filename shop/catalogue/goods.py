"""The merchant's files for sale: below the data folder's `goods/`, out of the public's reach."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from functools import lru_cache
from pathlib import Path


def goods(data_dir: Path) -> Path:
    """Where goods files are; `Product.delivery_file` is a path below it."""
    return data_dir / "goods"


def digest(path: Path) -> str:
    """The hash of a file's content that names its folder."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:32]


def store(source: Path, data_dir: Path) -> str:
    """Copy a file into the goods under its content's hash; returns its path below `goods/`.

    The copy is hashed, not the original, which somebody may be writing to.
    """
    root = goods(data_dir)
    root.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=root, prefix=".new-")
    os.close(handle)
    copy = Path(name)
    try:
        shutil.copyfile(source, copy)
        relative = f"{digest(copy)}/{source.name}"
        target = root / relative
        if not target.exists():
            target.parent.mkdir(exist_ok=True)
            os.replace(copy, target)
    finally:
        copy.unlink(missing_ok=True)
    return relative


@lru_cache(maxsize=512)
def size_of(path: Path) -> int | None:
    """The size of a stored goods file, which never changes, in bytes; None if it is gone."""
    try:
        return path.stat().st_size
    except OSError:
        return None
