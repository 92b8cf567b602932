"""Parts of pages that are made once and kept, because they are the same on many pages.

`{% kept language(), card %}…{% endkept %}` makes what stands in it once for each of these values, which have to be
all that it depends on besides the settings. Nothing of a buyer's may stand in it. An operator's own template may be
part of it and show what it likes: where one is in use, nothing is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, MutableMapping
from typing import Any

from flask import Flask
from flask.templating import Environment
from jinja2 import nodes
from jinja2.ext import Extension
from jinja2.parser import Parser

NO_PAGES = ("development/", "email/", "sandbox/")
ROOM = 1_000_000
"""How many characters are kept; then all parts are made anew."""


def init_app(app: Flask, own_in_use: Callable[[], bool]) -> None:
    """Let templates keep parts; before anything else asks for the app's templates."""
    app.jinja_environment = OneSetOfGlobals
    app.jinja_env.extend(own_in_use=own_in_use)
    app.jinja_env.add_extension(KeptPart)


def compile_pages(app: Flask) -> None:
    """Compile the templates of all pages, so that no visitor waits for it; commands and mails need none of them."""
    for name in app.jinja_env.list_templates():
        if name.endswith(".html") and not name.startswith(NO_PAGES):
            app.jinja_env.get_template(name)


class OneSetOfGlobals(Environment):
    """All templates have the same global names, in one dictionary.

    Jinja would lay a chain of two over it for each template, and go through that at each page and each import.
    """

    def make_globals(self, d: MutableMapping[str, Any] | None) -> MutableMapping[str, Any]:
        """The global names of a template."""
        return super().make_globals(d) if d else self.globals


class KeptPart(Extension):
    """The tag `kept`."""

    tags = {"kept"}  # noqa: RUF012, Jinja's own way

    def __init__(self, environment: object) -> None:
        super().__init__(environment)  # type: ignore[arg-type]
        self._parts = dict[tuple[str, Hashable], str]()
        self._room = ROOM

    def parse(self, parser: Parser) -> nodes.Node:
        """Read the tag, its values and what is kept."""
        line = next(parser.stream).lineno
        place = f"{parser.name} {parser.free_identifier().name}"
        values = parser.parse_tuple()
        body = parser.parse_statements(("name:endkept",), drop_needle=True)
        part = self.call_method("_part", [nodes.Const(place), values])
        return nodes.CallBlock(part, [], [], body).set_lineno(line)

    def _part(self, place: str, values: Hashable, caller: Callable[[], str]) -> str:
        key = place, values
        made = self._parts.get(key) if self._keeps() else None
        if made is None:
            made = caller()
            if self._keeps():  # asked again: an own template may have been in this part
                self._keep(key, made)
        return made

    def _keeps(self) -> bool:
        return not self.environment.own_in_use()  # type: ignore[attr-defined]

    def _keep(self, key: tuple[str, Hashable], made: str) -> None:
        if len(made) > self._room:
            self._parts.clear()
            self._room = ROOM
        self._parts[key] = made
        self._room -= len(made)
