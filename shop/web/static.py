"""Static files: served by WhiteNoise under names that hold their content's hash, so that browsers
keep them for ever and never show an old one. The style sheet goes out as one file: the parts that
main.css imports are put together at start-up, which spares a build step and twenty requests."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path

from flask import Flask
from whitenoise import WhiteNoise

IMPORT = re.compile(r'@import "([a-z/-]+\.css)" layer\(([a-z]+)\);')
SERVED = {".css", ".js", ".svg", ".png", ".ico", ".txt"}
HASHED = re.compile(r".+\.[0-9a-f]{12}\.[a-z0-9]+")


class StaticFiles(WhiteNoise):  # type: ignore[misc]
    """Files that keep their hashed name for ever."""

    def immutable_file_test(self, path: str, url: str) -> bool:
        """Whether the address changes with the content."""
        return bool(HASHED.fullmatch(url))


def init_app(app: Flask, folder: Path, bundles: Path) -> None:
    """Serve `folder`, put style sheets together in `bundles`, and give templates `asset("css/main.css")`."""
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
    for path in sorted(path for path in folder.rglob("*") if path.suffix in SERVED):
        name = path.relative_to(folder).as_posix()
        content = _bundle(path) if path.suffix == ".css" else path.read_bytes()
        digest = hashlib.sha256(content).hexdigest()[:12]
        if path.suffix == ".css":
            path = _written(bundles / f"{path.stem}.{digest}.css", content)
        urls[name] = f"/static/{name.removesuffix(path.suffix)}.{digest}{path.suffix}"
        files.add_file_to_dictionary(urls[name], str(path))
    app.jinja_env.globals["asset"] = urls.__getitem__


def _bundle(source: Path) -> bytes:
    """A style sheet with the sheets it imports written into it, each in its layer."""

    def include(match: re.Match[str]) -> str:
        part = (source.parent / match[1]).read_text("utf-8")
        return f"@layer {match[2]} {{\n{part}}}\n"

    return IMPORT.sub(include, source.read_text("utf-8")).encode()


def _written(path: Path, content: bytes) -> Path:
    """The file, written whole or not at all: several workers start at once."""
    if not path.exists():
        unfinished = path.with_suffix(f".{os.getpid()}")
        unfinished.write_bytes(content)
        unfinished.replace(path)
    return path
