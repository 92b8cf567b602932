"""Merchants' texts become harmless HTML, whoever got at them."""

from __future__ import annotations

import html5lib
import pytest

from shop.catalogue.markdown import plain, render


def test_the_usual_things_work() -> None:
    html = render("Two *soft* words:\n\n- one\n- **two**\n\n> said\n\n`code`")

    assert "<em>soft</em>" in html
    assert "<li><strong>two</strong></li>" in html
    assert "<blockquote>" in html
    assert "<code>code</code>" in html


def test_headings_leave_the_page_its_own_two_levels() -> None:
    assert render("# One\n## Two\n##### Five") == "<h3>One</h3>\n<h4>Two</h4>\n<h6>Five</h6>"
    assert render("## Two\n### Three") == "<h3>Two</h3>\n<h4>Three</h4>", "no level is left out"


def test_links_vouch_for_nobody_and_keep_no_hold_of_the_page() -> None:
    link = '<p><a href="https://example.com" rel="nofollow noopener">here</a></p>'

    assert render("[here](https://example.com)") == link


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        '![x](x" onerror="alert(1))',
        "![pixel](https://tracker.example/p.gif)",
        "[a](javascript:alert(1))",
        "[a](JaVaScRiPt:alert(1))",
        "[a](java&#115;cript:alert(1))",
        "[a](data:text/html;base64,PHNjcmlwdD4=)",
        "[a](vbscript:msgbox)",
        "<javascript:alert(1)>",
        "[a]: javascript:alert(1)\n\n[a]",
        "<svg/onload=alert(1)>",
        "<a href='https://x' onclick='alert(1)' style='position:fixed'>x</a>",
        "<iframe src=https://x></iframe>",
        "<style>*{display:none}</style>",
        "<form action=https://x><input name=q></form>",
        "<!-- --><base href=https://x>",
        "```<script>\nx\n```",
        "<math><mtext></mtext><mglyph><svg><mtext><style><img src onerror=alert(1)>",
    ],
)
def test_hostile_text_stays_text(text: str) -> None:
    tree = html5lib.parse(render(text), treebuilder="etree", namespaceHTMLElements=False)

    body = tree.find("body")
    for element in body.iter():
        assert element.tag in ("body", "p", "a", "code", "pre", "strong", "em")
        assert set(element.attrib) <= {"href", "rel"}
        assert element.attrib.get("href", "https:").startswith(("https:", "http:", "mailto:"))


def test_a_mail_gets_the_words_without_marks_and_the_addresses_behind_them() -> None:
    text = (
        "Go to [our site](https://a.example/x) and **press** `Go`.\n\n- <https://b.example>\n- two"
    )

    assert plain(text) == (
        "Go to our site (https://a.example/x) and press Go.\n\nhttps://b.example\n\ntwo"
    )
