"""A very small web browser: cookies, redirects on request, and forms with what they hold."""

from __future__ import annotations

import http.client
from dataclasses import dataclass, field
from html.parser import HTMLParser
from http.cookies import SimpleCookie
from urllib.parse import urlencode, urljoin, urlsplit


@dataclass
class Form:
    """A form as it stands in the page; change `values` before it is sent."""

    action: str
    values: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Page:
    """An answer: the page, or a redirect with its `location`."""

    url: str
    status: int
    headers: http.client.HTTPMessage
    text: str

    @property
    def location(self) -> str:
        """Where a redirect leads, as an absolute address."""
        return urljoin(self.url, self.headers.get("Location", ""))

    def form(self, action: str) -> Form:
        """The form whose address ends with `action`."""
        reader = _Reader()
        reader.feed(self.text)
        for form in reader.forms:
            if urlsplit(form.action).path.endswith(action):
                return Form(urljoin(self.url, form.action), form.values)
        raise LookupError(f"{self.url} has no form that leads to {action}")

    def attribute(self, name: str) -> str:
        """The first value of an attribute of this name; empty when the page has none."""
        reader = _Reader()
        reader.feed(self.text)
        return next((value for key, value in reader.attributes if key == name), "")


class Browser:
    """One buyer's browser. It never follows a redirect by itself, so that each step is seen."""

    def __init__(self) -> None:
        self.cookies: dict[str, str] = {}
        self._connections: dict[str, http.client.HTTPConnection] = {}

    def get(self, url: str) -> Page:
        """Open an address."""
        return self._request("GET", url, None)

    def submit(self, form: Form) -> Page:
        """Send a form."""
        return self._request("POST", form.action, urlencode(form.values))

    def _request(self, method: str, url: str, body: str | None) -> Page:
        parts = urlsplit(url)
        path = f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}"
        connection = self._connections.setdefault(
            parts.netloc, http.client.HTTPConnection(parts.netloc, timeout=30)
        )
        headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}
        if body is not None:
            headers |= {
                "Content-Type": "application/x-www-form-urlencoded",
                "Origin": f"{parts.scheme}://{parts.netloc}",
                "Sec-Fetch-Site": "same-origin",
            }
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        text = answer.read().decode("utf-8", "replace")
        for line in answer.headers.get_all("Set-Cookie", []):
            self.cookies |= {name: morsel.value for name, morsel in SimpleCookie(line).items()}
        return Page(url, answer.status, answer.headers, text)


class _Reader(HTMLParser):
    """Collects forms with their present values, as a browser would send them."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self.attributes: list[tuple[str, str]] = []
        self._open = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.attributes += given.items()
        if tag == "form":
            self.forms.append(Form(given.get("action", "")))
            self._open = True
        elif tag == "input" and self._open and "name" in given and _is_sent(given):
            self.forms[-1].values[given["name"]] = given.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._open = False


def _is_sent(given: dict[str, str]) -> bool:
    kind = given.get("type", "text")
    if kind in ("radio", "checkbox"):
        return "checked" in given
    return kind not in ("submit", "button", "image", "reset", "file")
