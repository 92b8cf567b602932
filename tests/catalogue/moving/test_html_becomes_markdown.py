"""A description of another shop keeps every word, and says what it could not keep."""

from __future__ import annotations

import re
import subprocess
import sys
from html import escape
from pathlib import Path

import html5lib
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shop.catalogue.files.importing import read_catalogue
from shop.catalogue.markdown import render
from shop.catalogue.moving.html import ONLY_WORDS, Converted, markdown_of, words_of

BLOCKS = ["p", "div", "section", "h2", "h4", "li", "ul", "ol", "blockquote", "pre"]


def words(html: str) -> list[str]:
    """The words that a browser would show, read by another parser than the shop's."""
    spaced = re.sub(rf"(</?({'|'.join(BLOCKS)})[ >]|<br)", r" \1", str(html))
    tree = html5lib.parse(spaced, treebuilder="etree", namespaceHTMLElements=False)
    return "".join(tree.find("body").itertext()).split()


@pytest.mark.parametrize(
    ("html", "markdown"),
    [
        ("<p>Two <b>bold</b> and <i>soft</i> words</p>", "Two **bold** and *soft* words"),
        ("<h2>Tracks</h2><p>a</p><h3>More</h3><p>b</p>", "## Tracks\n\na\n\n### More\n\nb"),
        ("<ul><li>a<ul><li>b</li></ul></li><li>c</li></ul>", "- a\n  - b\n- c"),
        ("<ul><li>a</li><ul><li>b</li></ul></ul>", "- a\n  - b"),
        ("<ul>a<em>b</em><li>c</li></ul>", "- a*b*\n- c"),
        ("<pre>a<br>b<div>c</div>d</pre>", "```\na\nb\nc\nd\n```"),
        ("a<h2><span></span></h2>b", "a b"),
        ("<ol start='3'><li>a</li><li>b</li></ol>", "3. a\n4. b"),
        ("<ol start='²'><li>a</li></ol>", "1. a"),
        ("<blockquote>a<br>b</blockquote>", "> a\\\n> b"),
        ("<p>a<br/></p><p>b</p>", "a\n\nb"),
        ("<p>a<br><br>b</p>", "a\n\nb"),
        ("<pre>if a:\n    `b`</pre>", "```\nif a:\n    `b`\n```"),
        ("<pre>```</pre>", "````\n```\n````"),
        ("<p><code>a*b*c</code></p>", "`a*b*c`"),
        ("<p>a<b>b</b><b>c</b>d</p>", "a**bc**d"),
        ("<p>a<b>(b)</b>c</p>", "a(b)c"),
        ("<p><strong>a</strong><em>b</em></p>", "**a**b"),
        ("<p>a<b> b </b>c</p>", "a **b** c"),
        ("<p><b>a<br><br>b</b></p>", "**a**\n\n**b**"),
        ("<b><p>a</p><p>b</p></b>", "a\n\nb"),
        ("<p>x&nbsp;<s>9</s> 7</p>", "x ~~9~~ 7"),
        ("<p>1. no list<br># no heading</p>", "1\\. no list\\\n\\# no heading"),
        ("<p>*a* _b_ [c](d)</p>", "\\*a\\* \\_b\\_ \\[c\\](d)"),
        ("<p>&lt;script&gt;</p>", "\\<script\\>"),
        ("<p>&amp;lt;</p>", "\\&lt;"),
        ("<p>Wow!<a href='https://a.example/'>more</a></p>", "Wow\\![more](https://a.example/)"),
        (
            "<a href='//a.example/b (c)?d=1&amp;copy;=2'>e</a>",
            "[e](https://a.example/b%20%28c%29?d=1\\&copy;=2)",
        ),
        ("<section>a</section><section>b</section>", "a\n\nb"),
        ("<p>He said <q>no</q></p>", "He said “no”"),
        ("R&D in C++ <vector>", "R&D in C\\+\\+ \\<vector\\>"),
        ("a\nb\n\nc", "a\\\nb\n\nc"),
        ("", ""),
        (" <p> </p>\n", ""),
    ],
)
def test_html_becomes_the_markdown_a_person_would_write(html: str, markdown: str) -> None:
    assert markdown_of(html) == Converted(markdown)


@pytest.mark.parametrize(
    ("html", "text", "left"),
    [
        (
            "<p>a</p><img src='data:image/png;base64,AAAA'><img>",
            "a",
            "a picture in its text is not carried (2 times)",
        ),
        (
            "<iframe src='https://www.youtube.com/embed/x'>no frames</iframe>a",
            "a",
            "an embed of www.youtube.com in its text is not carried",
        ),
        (
            "<script>var a = '<b>';</script>a<style>p {}</style>",
            "a",
            "a script in its text is not carried",
        ),
        ("<svg><title>t</title><text>b</text></svg>a", "a", "a drawing in its text is not carried"),
        (
            "<form>Your name <input> <button>Go</button></form>a",
            "a",
            "a form in its text is not carried",
        ),
        (
            "<video><source src=x>Your browser is old</video>a",
            "a",
            "a film in its text is not carried",
        ),
        (
            "a [gallery ids=&quot;1,2&quot;] [1] [sic]",
            "a \\[1\\] \\[sic\\]",
            "the shortcode [gallery] is not carried",
        ),
        ("[caption id='1' width='2']a[/caption]", "a", "the shortcode [caption] is not carried"),
        ("[odd]a[/odd] [odd]b[/odd]", "a b", "the shortcode [odd] is not carried (2 times)"),
        (
            "<table><tr><th>Format</th><td>WAV</td></tr><tr><td>Bits<td>24</table>",
            "- **Format**: WAV\n- **Bits**: 24",
            "a table in its text became lines",
        ),
        (
            "<table><thead><tr><th>a<th>b<th>c</thead><tr><td>1<td><p>2</p><p>3</p><td>4</table>",
            "- a · b · c\n- 1 · 2 3 · 4",
            "a table in its text became lines",
        ),
        (
            "<table><tr><td><p>a</p><ul><li>b</ul></table>",
            "a\n\n- b",
            "a table in its text became lines",
        ),
        (
            "<p><a href='/shop'>a</a> <a href='javascript:b()'>b</a> <a href='#c'>c</a></p>",
            "a b c",
            "a link in its text led into the old shop, or nowhere: its words stay (2 times)",
        ),
    ],
)
def test_what_cannot_stay_is_told_and_the_words_around_it_stay(
    html: str, text: str, left: str
) -> None:
    assert markdown_of(html) == Converted(text, (left,))


def test_line_ends_are_breaks_where_the_old_shop_showed_them_as_breaks() -> None:
    text = "One\r\ntwo <b>three\n\nfour</b>\n\n<ul>\n<li>a</li>\n<li>b\nc</li>\n</ul>\nlast<br />\nline"

    assert markdown_of(text, lines=True).text == (
        "One\\\ntwo **three**\n\n**four**\n\n- a\n- b\\\n  c\n\nlast\\\nline"
    )
    assert markdown_of("<p>One\ntwo</p>").text == "One two", "HTML itself knows no line ends"


def test_line_ends_between_the_blocks_of_the_newer_editor_mean_nothing() -> None:
    text = "<!-- wp:paragraph -->\n<p>One\ntwo</p>\n<!-- /wp:paragraph -->\n\n<!-- wp:list --><ul><li>a</li></ul>"

    assert markdown_of(text, lines=True) == Converted("One two\n\n- a")


@pytest.mark.parametrize("tag", ["div", "ul><li", "blockquote", "b", "table><tr><td"])
def test_a_text_nested_without_end_keeps_its_words(tag: str) -> None:
    found = markdown_of(f"<{tag}>" * 3000 + "deep *words*")

    assert words(render(found.text)) == ["deep", "*words*"]


def test_where_markdown_cannot_hold_the_marks_the_words_are_carried_plainly(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("shop.catalogue.moving.html.written", lambda *a, **k: "other words")

    found = markdown_of("<ul><li>1. <b>*a*</b> &lt;b&gt;</li><li>b</li></ul>")

    assert found.left == (ONLY_WORDS,)
    assert words(render(found.text)) == ["1.", "*a*", "<b>", "b"]


def test_what_stands_behind_a_page_for_browsers_without_scripts_is_not_lost() -> None:
    html = "<noscript><b><script></b></noscript>All <b>these</b> words"

    assert markdown_of(html) == Converted("All **these** words")
    assert words_of(html) == "All these words"


@pytest.mark.parametrize("text", ["Rain on tin, wind on water (both)?", "Дощ і вітер: 24 години…"])
def test_a_line_of_words_is_carried_as_it_is_without_being_parsed(
    monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setattr("shop.catalogue.moving.html.nh3", None)
    monkeypatch.setattr("shop.catalogue.moving.html.BeautifulSoup", None)

    assert (markdown_of(text).text, words_of(text)) == (text, text)


@settings(deadline=None, database=None)
@given(st.text("aZ9Їé\u212b² ,;:.?()'’“”–—…%", max_size=20).map("w".__add__))
def test_a_line_of_words_would_be_the_same_if_it_were_parsed(text: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("shop.catalogue.moving.html.PLAIN", re.compile("(?!)"))
        assert markdown_of.__wrapped__(text) == markdown_of(text)


@pytest.mark.parametrize(
    ("title", "said"),
    [
        ("Rock &amp; Roll &#8211; <b>live</b>", "Rock & Roll – live"),
        ("  C++\n<vector> ", "C++ <vector>"),
        ("R&D", "R&D"),
        ("Rock &amp;amp; Roll", "Rock & Roll"),
        ("About &lt;b&gt;", "About ‹b›"),
        ("<p>One.</p><p>Two</p><img alt='x'>", "One. Two"),
        (
            "<ul><li>48 tracks</li><li>WAV (24 bit)</li><li>for life</li></ul>",
            "48 tracks · WAV (24 bit) · for life",
        ),
        (
            "<p>Works with:<br>Logic<br>Reaper!<br>&#10003; all</p>",
            "Works with: Logic · Reaper! ✓ all",
        ),
        ("a\x0bb\x00", "ab"),
    ],
)
def test_titles_and_summaries_are_words_that_the_import_takes(
    title: str, said: str, tmp_path: Path
) -> None:
    assert words_of(title) == said
    assert imported(tmp_path, f"title: {words_of(title)!r}").title == said


LETTERS = st.text("abc дї.,:;!?'\"()[]{}<>*_`~#+-=|\\/&1290%@$^\n\t\u00a0", max_size=12)
OPEN_ENDED = [
    "b",
    "strong",
    "i",
    "em",
    "s",
    "del",
    "u",
    "span",
    "code",
    "a href='https://a.example/'",
]


def wrapped(tags: list[str], inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.builds(
        lambda tag, html: f"<{tag}>{html}</{tag.split()[0]}>", st.sampled_from(tags), inner
    )


inline = st.recursive(
    LETTERS.map(lambda text: escape(text, quote=False)) | st.just("<br>"),
    lambda inner: wrapped(OPEN_ENDED, inner) | st.lists(inner, min_size=2, max_size=4).map("".join),
    max_leaves=8,
)
blocks = st.recursive(
    wrapped(["p", "div", "h2", "h4", "pre", "li"], inline) | inline,
    lambda inner: (
        wrapped(["ul", "ol start='7'", "blockquote", "section", "div", "li"], inner)
        | st.lists(inner, min_size=2, max_size=4).map("".join)
    ),
    max_leaves=8,
)


@pytest.mark.parametrize("examples", [150, pytest.param(20_000, marks=pytest.mark.long)])
def test_whatever_the_html_buyers_read_its_words_and_the_import_takes_it(
    tmp_path: Path, examples: int
) -> None:
    path = tmp_path / "catalogue.yaml"

    @settings(max_examples=examples, deadline=None, database=None)
    @given(blocks)
    def check(html: str) -> None:
        found = markdown_of(f"<p></p>{html}")

        assert words(render(found.text)) == words(html)
        if found.text:
            assert imported(path.parent, f"description: {quoted(found.text)}").description

    check()


def quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def imported(folder: Path, line: str):  # noqa: ANN201
    path = folder / "catalogue.yaml"
    title = "" if line.startswith("title") else "title: A\n  "
    path.write_text(
        f"products:\n- slug: a\n  {title}{line}\n"
        "  summary: b\n  prices: {USD: 1}\n  delivery: {text: c}\n"
    )
    (product,) = read_catalogue(path, "USD").products
    return product


def test_no_process_of_the_shop_pays_for_the_libraries_of_moving() -> None:
    program = "import sys, shop.app, shop.cli, shop.worker; print({'bs4', 'markdownify'} & {*sys.modules})"

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)

    assert (done.stdout, done.stderr) == ("set()\n", "")
