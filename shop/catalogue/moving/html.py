"""Descriptions of other systems are HTML. Here they become our Markdown, and no word of them is lost.

What Markdown has no place for (pictures, embeds, tables, shortcodes) is taken out and told. Whether the words are
all there is not believed but looked at: the Markdown is rendered as buyers will see it, and its words compared.

markdown_of     a description
words_of        a title or a summary: words only
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from html import escape, unescape
from urllib.parse import urlsplit

import nh3
from bs4 import BeautifulSoup
from bs4.element import Tag

from ..fields import ENTITY, TAG, html_in
from ..markdown import html_pieces, render
from ..product_draft import LONGEST_SUMMARY
from . import tidying
from .tidying import BLOCKS, text_in_blocks
from .writer import QuickTag, only_words, written

INLINE = {
    "a",
    "b",
    "br",
    "code",
    "del",
    "em",
    "i",
    "kbd",
    "q",
    "s",
    "samp",
    "strike",
    "strong",
    "tt",
}
DROPPED = {
    "img": "picture",
    "svg": "drawing",
    "iframe": "embed",
    "object": "embed",
    "embed": "embed",
    "video": "film",
    "audio": "sound",
    "canvas": "drawing",
    "form": "form",
    "button": "button",
    "input": "form field",
    "select": "form field",
    "textarea": "form field",
    "script": "script",
    "style": "",
    "noscript": "",
    "title": "",
    "template": "",
}
"""What goes with all that is in it, also the words for browsers that cannot show it; and what to call it."""
ATTRIBUTES = {"a": {"href"}, "ol": {"start"}} | {
    tag: {"src", "data"} for tag in ("iframe", "embed", "object")
}
IS_HTML = re.compile(
    rf"<!--|</?({'|'.join([*BLOCKS, *INLINE, *DROPPED, *('u', 'span', 'font', 'small', 'sub', 'sup')])})(\s[^<>]*)?/?>",
    re.IGNORECASE,
)
HAS_DROPPED = re.compile(rf"<({'|'.join(DROPPED)})[\s/>]", re.IGNORECASE)
SHORTCODE = re.compile(r"(?<!\[)\[(/?)([A-Za-z][\w-]*)(\s[^\[\]<>]*?)?(/?)\](?!\])")
OF_A_SHORTCODE = re.compile(r"\s[\w:-]+=\S")
KNOWN_SHORTCODES = re.compile(
    r"(gallery|playlist|audio|video|embed|caption|products?|product_\w+|add_to_cart\w*|woocommerce_\w+|edd_\w+|"
    r"downloads|purchase_link|download_\w+|purchase_\w+|contact-form-7|wpforms|vc_\w+|et_pb_\w+|fusion_\w+|rev_slider)"
)
PLAIN = re.compile(r"[^\W\d_](?:[^\W\d_]|\d(?![.)])|[ ,;:.?()'’“”–—…%])*")
"""A line of words, in which no sign means anything in HTML or Markdown."""
SEEN = 4096
"""So many texts are read once only: editions share theirs, and a name is asked for again and again."""
DEEPEST = 100
"""So many levels no text of a person has, and the library calls itself for each."""
UNPARTED = re.compile(r"(?<=[\w)\]»”’\"'%])\n(?=\w)")
LONGEST = 200_000
"""Ten times what a description may have; beyond it marks are not worth the time."""


@dataclass(frozen=True, slots=True)
class Converted:
    """A text in our Markdown, and what of it was left behind: plain sentences for the plan."""

    text: str
    left: tuple[str, ...] = ()


later = dict[tuple[str, bool], Callable[[], Converted | None]]()
"""Texts that another process converts meanwhile: see ahead.py."""


@lru_cache(maxsize=SEEN)
def markdown_of(html: str, *, lines: bool = False) -> Converted:
    """The description in Markdown; a text without HTML in it keeps each sign.

    With `lines` a line break of the file is one for readers too, and an empty line ends a paragraph, as WordPress
    shows its texts; else it is a blank, as in HTML.
    """
    waiting = later.get((html, lines))
    return (waiting and waiting()) or convert(html, lines=lines)


def convert(html: str, *, lines: bool) -> Converted:
    """The same, here and now: for a process that works ahead."""
    if PLAIN.fullmatch(html):
        return Converted(" ".join(tidying.printable(html).split()))
    html, codes = _without_shortcodes(html)
    if not is_html(html):
        html, lines = escape(html, quote=False), True
    left = [*_taken_out(html), *codes]
    clean = _cleaned(html, DROPPED)
    # Blocks of the newer editor hold their paragraphs; their line ends are only how they are stored.
    lines = lines and "<!-- wp:" not in html
    soup, words = _parsed(clean, lines=lines), _words(clean)
    if _depth(clean) <= DEEPEST and len(clean) <= LONGEST:
        left += tidying.tidy(soup)
        for emphasis, told in ((True, ()), (False, (NO_EMPHASIS,))):
            text = written(soup, emphasis=emphasis)
            if _words(render(text)) == words and not any(map(TAG.search, html_pieces(text))):
                return Converted(text, (*left, *told))
    text = text_in_blocks(str(_parsed(clean, lines=lines)))
    return Converted(only_words(text), (*left, ONLY_WORDS))


NO_EMPHASIS = "its text lost its emphasis, which Markdown cannot hold where it stood"
ONLY_WORDS = "its text is carried as plain words, without any marks"


@lru_cache(maxsize=SEEN)
def words_of(html: str) -> str:
    """The words of a title or a summary in one line: without tags, entities read once.

    What stood on lines of its own, such as the items of a list, is parted by `·` unless a sign parts it already.
    """
    html, _ = _without_shortcodes(html)
    if is_html(html):
        text = text_in_blocks(" ".join(_cleaned(html, DROPPED).split()))
        lines = (" ".join(line.split()) for line in text.split("\n"))
        html = UNPARTED.sub(" · ", "\n".join(filter(None, lines)))
    text = " ".join(tidying.printable(html).split())
    return _as_a_title_may_be(text)


def opening_of(html: str) -> Converted:
    """A short description in Markdown, where it has more words than a summary may; else the summary has them all."""
    too_long = len(words_of(html)) > LONGEST_SUMMARY
    return markdown_of(html, lines=True) if too_long else Converted("")


def is_html(text: str) -> bool:
    """Whether tags and entities in it mean something; `C++ <vector>` and `R&D` are texts."""
    return bool(
        IS_HTML.search(text) or any(unescape(each[0]) != each[0] for each in ENTITY.finditer(text))
    )


def _as_a_title_may_be(text: str) -> str:
    # A title about HTML, or one that was escaped twice: neither can stand in our file as it is.
    while html_in(text) and unescape(text) != text:
        text = unescape(text)
    return text.replace("<", "‹").replace(">", "›") if html_in(text) else text


def _without_shortcodes(html: str) -> tuple[str, list[str]]:
    """The text without WordPress's `[name …]`, and which these were; `[1]` and `[sic]` are words."""
    closed = {code[2] for code in SHORTCODE.finditer(html) if code[1]}
    found: Counter[str] = Counter()

    def taken(code: re.Match[str]) -> str:
        name, inside = code[2], code[3] or ""
        if not (
            name in closed or KNOWN_SHORTCODES.fullmatch(name) or OF_A_SHORTCODE.search(inside)
        ):
            return code[0]
        found[name] += not code[1]
        return ""

    html = SHORTCODE.sub(taken, html)
    return html, [
        f"the shortcode [{name}] is not carried{_times(number)}" for name, number in found.items()
    ]


def _parsed(html: str, *, lines: bool) -> BeautifulSoup:
    """Clean HTML as a tree, its blanks as readers see them."""
    soup = BeautifulSoup(f"<div>{html}</div>", "html.parser", element_classes={Tag: QuickTag})
    tidying.settle_blanks(soup, lines=lines)
    return soup


def _cleaned(html: str, without: Iterable[str] = ()) -> str:
    """The text as a browser would read it, comments and unknown tags away, and `without` these with all in them."""
    tags = {*BLOCKS, *INLINE, *DROPPED}.difference(without)
    return nh3.clean(
        html,
        tags=tags,
        clean_content_tags={*DROPPED} - tags,
        attributes={tag: names for tag, names in ATTRIBUTES.items() if tag in tags},
        url_schemes={"http", "https", "mailto"},
        link_rel=None,
    )


def _taken_out(html: str) -> Iterator[str]:
    if not HAS_DROPPED.search(html):
        return
    soup = BeautifulSoup(_cleaned(html), "html.parser")
    found: Counter[str] = Counter()
    hosts: set[str] = set()
    for tag in tidying.all_of(soup, DROPPED):
        if tag.decomposed:  # with what it stood in
            continue
        if tag.name in ("iframe", "embed", "object"):
            address = str(tag.get("src") or tag.get("data") or "")
            hosts |= {urlsplit(address).hostname or ""} if "[" not in address else set()
        found[DROPPED[tag.name]] += 1
        tag.decompose()
    for name, number in found.items():
        of = (
            f" of {', '.join(sorted(filter(None, hosts)))}"
            if name == "embed" and any(hosts)
            else ""
        )
        if name:
            article = "an" if name == "embed" else "a"
            yield f"{article} {name}{of} in its text is not carried{_times(number)}"


def _words(html: str) -> list[str]:
    """The visible words. Rows that became lines have `:` and `·` between their cells, and `<q>` has its quotes."""
    return re.sub("[:·“”]", "", tidying.printable(text_in_blocks(html))).split()


def _depth(html: str) -> int:
    """How deep tags stand in each other, counted without a call for each."""
    depth = deepest = 0
    for tag in re.finditer(r"<(/?)(\w+)[^>]*>", html):
        if tag[2] not in ("br", "hr"):
            depth += -1 if tag[1] else 1
            deepest = max(deepest, depth)
    return deepest


def _times(number: int) -> str:
    return f" ({number} times)" if number > 1 else ""
