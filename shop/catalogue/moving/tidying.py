"""HTML as people and editors leave it, put in order for Markdown: one tag for one meaning, each block in its place."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Container, Iterator
from html import unescape
from urllib.parse import quote

from bs4 import BeautifulSoup
from bs4.element import NavigableString, PageElement, Tag

from ..fields import UNPRINTABLE

BOXES = {
    *(
        "address",
        "article",
        "aside",
        "caption",
        "center",
        "dd",
        "details",
        "dialog",
        "dl",
        "dt",
        "fieldset",
    ),
    *(
        "figcaption",
        "figure",
        "footer",
        "header",
        "hgroup",
        "legend",
        "main",
        "nav",
        "section",
        "summary",
    ),
}
HEADINGS = {"h1", "h2", "h3", "h4", "h5", "h6"}
LISTS = {"ul", "ol", "menu", "dir"}
TABLES = {"table", "tbody", "td", "tfoot", "th", "thead", "tr"}
BLOCKS = {"div", "p", "li", "blockquote", "pre", "hr", *BOXES, *HEADINGS, *LISTS, *TABLES}
EMPHASIS = ("strong", "em", "s")
SAME = dict.fromkeys(BOXES, "div") | {
    **{"b": "strong", "i": "em", "del": "s", "strike": "s", "menu": "ul", "dir": "ul"},
    **{"tt": "code", "kbd": "code", "samp": "code"},
}
BLOCK_EDGE = re.compile(rf"</?(?:br|{'|'.join(sorted(BLOCKS))})(?=[\s/>])[^>]*>")
GOOD_ADDRESS = re.compile(r"(https?://|mailto:)\S", re.IGNORECASE)
NOT_IN_A_LINK = re.compile(r"[\s<>()\\\"`]")


def all_of(within: BeautifulSoup | Tag, names: Container[str]) -> list[Tag]:
    """All tags of these names, in their order: what `find_all` gives, which makes a rule of each name at each call."""
    return [each for each in within.descendants if isinstance(each, Tag) and each.name in names]


def has(within: Tag, names: Container[str]) -> bool:
    """Whether a tag of these names is within."""
    return any(isinstance(each, Tag) and each.name in names for each in within.descendants)


def is_in(node: PageElement, name: str) -> bool:
    """Whether it stands within a tag of this name."""
    return any(each.name == name for each in node.parents)


def printable(text: str) -> str:
    """The text in Unicode's composed form, and without control signs, which no text of a product may hold."""
    return unicodedata.normalize("NFC", UNPRINTABLE.sub("", text))


def text_in_blocks(html: str) -> str:
    """The visible text of HTML that was parsed before; a new line where a block has its edge."""
    return unescape(re.sub(r"<[^>]*>", "", BLOCK_EDGE.sub("\n", html)))


def settle_blanks(soup: BeautifulSoup, *, lines: bool) -> None:
    """Each run of blanks is one; with `lines`, a line end that does not stand at a block's edge is a break."""
    for string in [each for each in soup.descendants if isinstance(each, NavigableString)]:
        text = printable(str(string).replace("\r\n", "\n").replace("\r", "\n"))
        is_code = is_in(string, "pre")
        if lines and "\n" in text and not is_code:
            _break_lines(soup, string, text)
        elif (settled := text if is_code else re.sub(r"\s+", " ", text)) != string:
            string.replace_with(settled)


def _break_lines(soup: BeautifulSoup, string: NavigableString, text: str) -> None:
    pieces = [re.sub(r"\s+", " ", piece) for piece in text.split("\n")]
    while pieces and not pieces[0].strip() and _is_edge(string.previous_sibling, string.parent):
        del pieces[0]
    while pieces and not pieces[-1].strip() and _is_edge(string.next_sibling, string.parent):
        del pieces[-1]
    for number, piece in enumerate(pieces):
        if number:
            string.insert_before(soup.new_tag("br"))
        string.insert_before(piece)
    string.extract()


def _is_edge(beside: PageElement | None, parent: Tag | None) -> bool:
    if isinstance(beside, Tag):
        return beside.name in BLOCKS or beside.name == "br"
    return beside is None and parent is not None and parent.name in BLOCKS


def tidy(soup: BeautifulSoup) -> Iterator[str]:
    """Make of the document one that the library writes well; yields what Markdown could not keep."""
    for tag in soup.descendants:
        if isinstance(tag, Tag):
            tag.name = SAME.get(tag.name, tag.name)
    yield from _unfold_tables(soup)
    yield from _settle_links(soup)
    for quoted in all_of(soup, ("q",)):
        quoted.insert(0, "“")
        quoted.append("”")
        quoted.unwrap()
    _settle_lists(soup)
    _settle_preformatted(soup)
    for heading in all_of(soup, HEADINGS):
        if has(heading, BLOCKS):
            heading.name = "div"
    soup.smooth()
    _settle_emphasis(soup)
    for tag in reversed(all_of(soup, {*BLOCKS, *EMPHASIS, "a", "code"})):
        if tag.name != "hr" and not tag.get_text(strip=True):
            tag.replace_with(" ")
    soup.smooth()


def _unfold_tables(soup: BeautifulSoup) -> Iterator[str]:
    tables = all_of(soup, ("table",))
    for table in reversed(tables):  # those within others first
        table.name = "div"
        for row in all_of(table, ("tr",)):
            _unfold_row(soup, row)
        for part in all_of(table, ("thead", "tbody", "tfoot")):
            part.unwrap()
    if tables:
        yield "a table in its text became lines" + (
            f" ({len(tables)} times)" if len(tables) > 1 else ""
        )


def _unfold_row(soup: BeautifulSoup, row: Tag) -> None:
    """`- **Format**: WAV` of two cells, `- WAV · 24 bit` of more; a single one is often the frame of a page."""
    cells = [cell for cell in all_of(row, ("td", "th")) if cell.get_text(strip=True)]
    row.name = "div" if len(cells) < 2 else "li"
    for cell in all_of(row, ("td", "th")):
        if len(cells) < 2:
            cell.name = "div"
        elif has(cell, BLOCKS):
            cell.string = " ".join(text_in_blocks(str(cell)).split())
    if len(cells) < 2:
        return
    for cell in cells[1:]:
        cell.insert_before(": " if len(cells) == 2 else " · ")
    if len(cells) == 2:
        cells[0].wrap(soup.new_tag("strong"))
    for cell in all_of(row, ("td", "th")):
        cell.unwrap()


def _settle_links(soup: BeautifulSoup) -> Iterator[str]:
    lost = 0
    for link in all_of(soup, ("a",)):
        address, named = _address(str(link.get("href", ""))), bool(link.get_text(strip=True))
        if address and named and not has(link, BLOCKS):
            link["href"] = address
        else:
            lost += named and not str(link.get("href", "")).startswith("#")
            link.unwrap()
    if lost:
        times = f" ({lost} times)" if lost > 1 else ""
        yield f"a link in its text led into the old shop, or nowhere: its words stay{times}"


def _address(href: str) -> str:
    """A full address that can stand in a link of Markdown; empty for others."""
    href = href.strip()
    href = f"https:{href}" if href.startswith("//") else href
    if not GOOD_ADDRESS.match(href):
        return ""
    href = NOT_IN_A_LINK.sub(lambda sign: quote(sign[0]), href)
    return re.sub(r"&(?=#?\w+;)", r"\\&", href)


def _settle_lists(soup: BeautifulSoup) -> None:
    for each in all_of(soup, ("ul", "ol")):
        start = str(each.get("start", ""))
        if is_in(each, "li") or not (start.isascii() and start.isdigit() and len(start) < 9):
            del each["start"]  # Markdown interrupts no line with a list that begins at 2
        item = loose = None
        for child in list(each.children):
            if isinstance(child, Tag) and child.name == "li":
                item, loose = child, None
            elif item and isinstance(child, Tag) and child.name in ("ul", "ol"):
                item.append(child.extract())
            elif loose:
                loose.append(child.extract())
            elif not _is_blank(child):
                item = loose = child.wrap(soup.new_tag("li"))
    for item in all_of(soup, ("li",)):
        if item.parent and item.parent.name not in ("ul", "ol"):
            made = item.wrap(soup.new_tag("ul"))
            while (after := made.next_sibling) and (
                _is_blank(after) or (isinstance(after, Tag) and after.name == "li")
            ):
                made.append(after.extract())


def _is_blank(node: PageElement) -> bool:
    return isinstance(node, NavigableString) and not node.strip()


def _settle_preformatted(soup: BeautifulSoup) -> None:
    for block in all_of(soup, ("pre",)):
        for line in all_of(block, {*BLOCKS, "br"}):
            if line.name != "br" and (before := line.previous_sibling):
                line.insert(0, "" if before.get_text().endswith("\n") else "\n")
            line.append("\n")
            line.unwrap()
    for code in all_of(soup, ("code",)):
        for each in all_of(code, ("br",)):
            each.replace_with("\n" if is_in(code, "pre") else " ")


def _settle_emphasis(soup: BeautifulSoup) -> None:
    """Take off what wraps blocks or itself, and make one of two that touch."""
    for tag in all_of(soup, (*EMPHASIS, "code")):
        if has(tag, BLOCKS) or is_in(tag, tag.name) or is_in(tag, "pre"):
            tag.unwrap()
    soup.smooth()
    for tag in all_of(soup, (*EMPHASIS, "code")):
        while isinstance(after := tag.next_sibling, Tag) and after.name == tag.name:
            for child in list(after.contents):
                tag.append(child.extract())
            after.extract()
