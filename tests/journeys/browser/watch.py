"""What a browser complains about while it shows pages, and whom it asks for things."""

from __future__ import annotations

from urllib.parse import urlsplit

from playwright.sync_api import ConsoleMessage, Page, Request

REPORT_VIOLATIONS = """
addEventListener("securitypolicyviolation", (event) =>
  console.error(`policy violated: ${event.effectiveDirective} by ${event.blockedURI}`));
"""


class Watch:
    """Console errors, script errors, violations of the content policy, and every origin asked."""

    def __init__(self, page: Page) -> None:
        self.page, self.troubles = page, list[str]()
        self.origins = set[str]()
        page.add_init_script(REPORT_VIOLATIONS)
        page.on("console", self._hear)
        page.on("pageerror", lambda error: self.troubles.append(str(error)))
        page.on("request", lambda request: self.origins.add(origin(request.url)))
        page.on("requestfailed", self._miss)

    def _miss(self, request: Request) -> None:
        # A page that is left takes along what it was still asking for, such as its icon.
        if request.failure != "net::ERR_ABORTED":
            self.troubles.append(f"failed: {request.url}: {request.failure}")

    def _hear(self, message: ConsoleMessage) -> None:
        # That an error page is an error page is no trouble.
        by_page = message.location["url"] == self.page.url and "policy" not in message.text.lower()
        if message.type in ("error", "warning") and not by_page:
            self.troubles.append(message.text)


def origin(address: str) -> str:
    """Scheme, host and port of an address."""
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}"
