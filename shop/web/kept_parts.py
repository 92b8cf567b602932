"""Parts of pages that are made once and kept, because they are the same on many pages.

`{% kept language(), card %}…{% endkept %}` makes what stands in it once for each of these values, which have to be
all that it depends on besides the settings. Nothing of a buyer's may stand in it.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable

from flask import Flask
from jinja2 import Template, nodes
from jinja2.environment import TemplateModule
from jinja2.ext import Extension
from jinja2.parser import Parser
from jinja2.runtime import Context

MOST = 600
"""How many parts are kept, which are about 1 KB each; then all are made anew."""


def init_app(app: Flask) -> None:
    """Let templates keep parts, and import macros without comparing all global names each time."""
    app.jinja_env.add_extension(KeptPart)
    app.jinja_env.template_class = KeptMacros


class KeptMacros(Template):
    """A template whose macros are made once: here all templates have the same global names."""

    def _get_default_module(self, ctx: Context | None = None) -> TemplateModule:
        return self._module or super()._get_default_module()


class KeptPart(Extension):
    """The tag `kept`."""

    tags = {"kept"}  # noqa: RUF012, Jinja's own way

    def __init__(self, environment: object) -> None:
        super().__init__(environment)  # type: ignore[arg-type]
        self._parts = dict[tuple[str, Hashable], str]()

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
        made = self._parts.get(key)
        if made is None:
            if len(self._parts) >= MOST:
                self._parts.clear()
            made = self._parts[key] = caller()
        return made
