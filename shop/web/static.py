"""Static files: served by WhiteNoise under names that hold their content's hash, so that browsers
keep them for ever and never show an old one. The style sheet goes out as one file: the parts that
main.css imports are put together at start-up, which spares a build step and twenty requests."""

from __future__ import annotations

import gzip
import hashlib
import os
import re
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import structlog
from flask import Flask
from whitenoise import WhiteNoise
from whitenoise.responders import NotARegularFileError

from ..config import ConfigurationError, Settings
from .own_files import UnreadableFile, own_bytes
from .theme import theme

log = structlog.get_logger()

IMPORT = re.compile(r'@import "([a-z/-]+\.css)" layer\(([a-z]+)\);')
COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
MAIN, LOGO = "css/main.css", "img/favicon.svg"
SERVED = {".css", ".js", ".svg", ".png", ".ico", ".txt"}
COMPRESSED = {".css", ".js"}
HASHED = re.compile(r".+\.[0-9a-f]{12}\.[a-z0-9]+")


class StaticFiles(WhiteNoise):  # type: ignore[misc]
    """Files that keep their hashed name for ever."""

    def immutable_file_test(self, path: str, url: str) -> bool:
        """Whether the address changes with the content."""
        return bool(HASHED.fullmatch(url))

    @staticmethod
    def serve(static_file: Any, environ: Any, start_response: Any) -> Iterable[bytes]:
        """Answer with the file; with 404 if it is gone, or cannot be read any more, since the start."""
        path, _ = static_file.get_path_and_headers(environ)
        try:
            if not stat.S_ISREG(os.stat(path).st_mode):  # a pipe would be waited for
                raise OSError("not a plain file")
            return WhiteNoise.serve(static_file, environ, start_response)  # type: ignore[no-any-return]
        except OSError as error:
            log.error(
                "static_file_unreadable", file=Path(path).name, error=str(error.strerror or error)
            )
            start_response(
                "404 Not Found", [("Content-Type", "text/plain"), ("Cache-Control", "no-store")]
            )
            return [b"Not found\n"]


def init_app(app: Flask, folder: Path, settings: Settings) -> None:
    """Serve `folder` (see _serve); ConfigurationError if a file for it cannot be read or written."""
    try:
        _serve(app, folder, settings)
    except (OSError, UnreadableFile, NotARegularFileError) as error:
        what = str(error)
        if isinstance(error, OSError):
            what = f"{error.filename2 or error.filename}: {error.strerror}"
        raise ConfigurationError([f"{what}. The shop needs this file for its pages"]) from None


def _serve(app: Flask, folder: Path, settings: Settings) -> None:
    """Serve `folder`, with the operator's logo for ours, and give templates `asset("css/main.css")`.

    Style sheets and scripts are put together and compressed in the data folder, the shop's own sheet
    with the operator's theme in it.
    """
    bundles = settings.shop_data_dir / "static"
    headers = app.extensions["security_headers"]

    def add_headers(response_headers: dict[str, str], path: str, url: str) -> None:
        for name in ("X-Content-Type-Options", "Cross-Origin-Resource-Policy"):
            response_headers[name] = headers[name]

    files = StaticFiles(
        app.wsgi_app, add_headers_function=add_headers, allow_all_origins=False, max_age=60
    )
    app.wsgi_app = files  # type: ignore[method-assign]
    bundles.mkdir(exist_ok=True)
    urls: dict[str, str] = {}
    main = folder / MAIN
    parts = {main.parent / match[1] for match in IMPORT.finditer(main.read_text("utf-8"))}
    for path in sorted(path for path in folder.rglob("*") if path.suffix in SERVED):
        if path in parts:
            continue
        name = path.relative_to(folder).as_posix()
        content = _bundle(path) if path.suffix == ".css" else path.read_bytes()
        if name == MAIN:
            content += theme(settings).encode()
        digest = hashlib.sha256(content).hexdigest()[:12]
        if path.suffix in COMPRESSED:
            path = _written(bundles / f"{path.stem}.{digest}{path.suffix}", content)
            # WhiteNoise sends it to browsers that take it. Pages with tokens are not compressed (BREACH).
            _written(path.with_name(f"{path.name}.gz"), gzip.compress(content, mtime=0))
        urls[name] = f"/static/{name.removesuffix(path.suffix)}.{digest}{path.suffix}"
        files.add_file_to_dictionary(urls[name], str(path))
    if settings.shop_logo:
        logo = settings.shop_data_dir / settings.shop_logo
        picture = own_bytes(logo)
        if picture is None:
            raise ConfigurationError([f"SHOP_LOGO names no file in {settings.shop_data_dir}"])
        digest = hashlib.sha256(picture).hexdigest()[:12]
        urls[LOGO] = f"/static/logo.{digest}{logo.suffix}"
        files.add_file_to_dictionary(urls[LOGO], str(logo))
    app.jinja_env.globals["asset"] = urls.__getitem__


def _bundle(source: Path) -> bytes:
    """A style sheet with the sheets it imports written into it, each in its layer, and without comments.

    Comments were a quarter of what a phone waits for before it shows the first page.
    """

    def include(match: re.Match[str]) -> str:
        part = (source.parent / match[1]).read_text("utf-8")
        return f"@layer {match[2]} {{\n{part}}}\n"

    whole = IMPORT.sub(include, source.read_text("utf-8"))
    lines = COMMENT.sub("", whole).splitlines()
    return "\n".join(line.strip() for line in lines if line.strip()).encode()


def _written(path: Path, content: bytes) -> Path:
    """Write the file whole or not at all, as several workers start at once; unless it has this content already."""
    try:
        there = own_bytes(path)
    except UnreadableFile:
        there = None
    if there != content:
        unfinished = path.with_suffix(f".{os.getpid()}")
        unfinished.write_bytes(content)
        unfinished.replace(path)
    return path
