"""Descriptions and delivery texts: Markdown to a small, safe set of HTML."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache, lru_cache
from typing import TYPE_CHECKING

import nh3
from markupsafe import Markup

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.rules_core import StateCore
    from markdown_it.token import Token

TAGS = {
    *("p", "br", "hr", "strong", "em", "s", "ul", "ol", "li", "a", "code", "pre", "blockquote"),
    *("h2", "h3", "h4", "h5", "h6"),
}
ATTRIBUTES = {"a": {"href"}, "ol": {"start"}}


def _demote_headings(state: StateCore) -> None:
    """The text's highest heading becomes the one that the page has room for."""
    headings = [token for token in state.tokens if token.type in ("heading_open", "heading_close")]
    first = state.env["highest"]
    highest = min((int(token.tag[1]) for token in headings), default=1)
    for token in headings:
        token.tag = f"h{min(6, int(token.tag[1]) - highest + first)}"


@cache
def _markdown() -> MarkdownIt:
    from markdown_it import MarkdownIt

    markdown = MarkdownIt("commonmark", {"html": False}).enable("strikethrough")
    markdown.core.ruler.push("demote_headings", _demote_headings)
    return markdown


@cache
def _with_html() -> MarkdownIt:
    """Only to tell HTML from code and from escaped signs; never to render."""
    from markdown_it import MarkdownIt

    return MarkdownIt("commonmark", {"html": True})


@lru_cache(maxsize=512)
def render(text: str, highest: int = 3) -> Markup:
    """The text as HTML that may stand on any page, whoever wrote it.

    Most pages have their own h1 and h2 above it, so its highest heading becomes h3.
    """
    html = nh3.clean(
        _markdown().render(text, {"highest": highest}),
        tags=TAGS,
        attributes=ATTRIBUTES,
        url_schemes={"http", "https", "mailto"},
        link_rel="nofollow noopener",
        strip_comments=True,
    )
    return Markup(html.strip())  # noqa: S704 - nh3 let only the tags above through


def plain(text: str) -> str:
    """The text for a mail's plain part: without marks, each link's address written out behind it."""
    lines = []
    for block in _markdown().parse(text, {"highest": 3}):
        if block.type == "inline":
            lines.append("".join(_words(block.children or [])))
        elif block.type in ("fence", "code_block"):
            lines.append(block.content.rstrip())
    return "\n\n".join(lines)


def html_pieces(text: str) -> Iterator[str]:
    """What Markdown would take for HTML, and buyers read as it is written; code and `\\<p>` are none of it."""
    if "<" not in text:
        return
    for block in _with_html().parse(text):
        for token in (block, *(block.children or [])):
            if token.type in ("html_block", "html_inline"):
                yield token.content


def _words(tokens: Sequence[Token]) -> Iterator[str]:
    address, said = "", ""
    for token in tokens:
        if token.type == "link_open":
            address, said = str(token.attrGet("href") or ""), ""
        elif token.type == "link_close" and said != address:
            yield f" ({address})"
        elif token.type in ("softbreak", "hardbreak"):
            yield "\n"
        else:
            said += token.content
            yield token.content
