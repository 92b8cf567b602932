"""The last step from HTML to Markdown: a library's writer, with the edges mended that cost words."""

from __future__ import annotations

import re
import unicodedata

from bs4 import BeautifulSoup
from bs4.element import NavigableString, Tag
from markdownify import MarkdownConverter

from .tidying import EMPHASIS

PUNCTUATION = re.compile(r"([!-/:-@\[-`{-~])")
EMPTY_LINES = re.compile(r"(\s*\n\s*\n\s*)")


def written(soup: BeautifulSoup, *, emphasis: bool) -> str:
    """The tidied document in Markdown, with its emphasis or without."""
    return _with_visible_breaks(WRITERS[emphasis].convert_soup(soup)).strip()


def only_words(text: str) -> str:
    """Text in lines as Markdown in which no sign means anything; right whatever the text is."""
    lines = (" ".join(line.split()) for line in text.splitlines())
    return "\n\n".join(PUNCTUATION.sub(r"\\\1", line) for line in lines if line)


class QuickTag(Tag):
    """A tag that is asked quickly whether it stands in another; the library's writer asks each."""

    def find_parent(self, name: str) -> Tag | None:  # type: ignore[override]  # all that is asked
        """The nearest one of this name around it."""
        return next((each for each in self.parents if each.name == name), None)


class _Writer(MarkdownConverter):
    def __init__(self, emphasis: bool) -> None:
        super().__init__(heading_style="ATX", bullets="-", escape_misc=True, autolinks=False)
        self.emphasis = emphasis

    def escape(self, text: str, parent_tags: set[str]) -> str:
        """A `!` before a link would make a picture of it; an `&` means something only before an entity."""
        escaped: str = super().escape(text, parent_tags)  # type: ignore[misc]  # its stubs leave it out
        return re.sub(r"\\&(?!#?\w+;)", "&", re.sub(r"!$", r"\\!", escaped))

    def convert_strong(self, el: Tag, text: str, parent_tags: set[str]) -> str:
        """Bold."""
        return self._marked("**", el, text, parent_tags)

    def convert_em(self, el: Tag, text: str, parent_tags: set[str]) -> str:
        """Italics."""
        return self._marked("*", el, text, parent_tags)

    def convert_s(self, el: Tag, text: str, parent_tags: set[str]) -> str:
        """Struck out."""
        return self._marked("~~", el, text, parent_tags)

    def convert_a(self, el: Tag, text: str, parent_tags: set[str]) -> str:
        """A link, in one paragraph."""
        link: str = super().convert_a(el, EMPTY_LINES.sub(" ", text), parent_tags)  # type: ignore[misc]
        return link

    def convert_pre(self, el: Tag, text: str, parent_tags: set[str]) -> str:
        """Code, between more backticks than it has itself."""
        text = re.sub(r"[ \t]+$", "", text, flags=re.MULTILINE).strip("\n")
        longest = max(map(len, re.findall("`+", text)), default=0)
        fence = "`" * max(3, longest + 1)
        return f"\n\n{fence}\n{text}\n{fence}\n\n" if text else ""

    def _marked(self, mark: str, el: Tag, text: str, parent_tags: set[str]) -> str:
        """Each paragraph of the text between marks, where Markdown takes them for marks."""
        if not self.emphasis or "_noformat" in parent_tags:
            return text
        parts = EMPTY_LINES.split(text)
        for place in range(0, len(parts), 2):
            before = _sign_before(el) if place == 0 else " "
            after = _sign_after(el) if place == len(parts) - 1 else " "
            parts[place] = _between_marks(mark, parts[place], before, after)
        return "".join(parts)


WRITERS = {emphasis: _Writer(emphasis) for emphasis in (True, False)}
"""Each remembers what it makes of which tag, so there is one of each."""


def _between_marks(mark: str, text: str, before: str, after: str) -> str:
    inner = text.strip()
    if not inner:
        return text
    start = text[: len(text) - len(text.lstrip())]
    end = text[len(text.rstrip()) :]
    left = start or not _is_sign(inner[0]) or not before.isalnum()
    right = end or not _is_sign(inner[-1]) or not after.isalnum()
    # After a mark of the same signs nobody could tell where one ends and the next begins.
    return (
        f"{start}{mark}{inner}{mark}{end}" if left and right and (start or before != "*") else text
    )


def _is_sign(letter: str) -> bool:
    return unicodedata.category(letter)[0] in "PS"


def _sign_before(el: Tag) -> str:
    """What Markdown will have before the emphasis: a letter, a blank for a block's edge, `*` for another emphasis."""
    other = el.previous_sibling
    if isinstance(other, Tag) and other.name in EMPHASIS:
        return "*" if other.get_text()[-1:].strip() else " "
    return _sign(other, -1) if other else " "


def _sign_after(el: Tag) -> str:
    return _sign(el.next_sibling, 0) if el.next_sibling else " "


def _sign(beside: object, place: int) -> str:
    if isinstance(beside, Tag) and beside.name in ("code", "a"):
        return "`"
    if isinstance(beside, (Tag, NavigableString)):
        return beside.get_text()[place : place + 1 or None] or " "
    return " "


def _with_visible_breaks(text: str) -> str:
    """Two blanks at a line's end break it, and no eye sees them; a backslash does the same."""
    lines = text.split("\n")
    for number, line in enumerate(lines):
        if line.endswith("  "):
            following = lines[number + 1] if number + 1 < len(lines) else ""
            ends = not line.strip("> ") or not following.strip("> ")
            lines[number] = line.rstrip() if ends else f"{line.rstrip()}\\"
    return "\n".join(lines)
