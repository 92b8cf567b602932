"""A stand-in for the payment provider: a second app, on its own port, that shares no code.

    flask --app shop.sandbox run --port 5001

It behaves like CryptoCloud's API v1 and v2, shows a pay page with a button for every ending, and sends
signed postbacks. The shop runs against it unchanged; only addresses and keys differ.
"""

from dataclasses import replace
from pathlib import Path

from flask import Flask, Response
from werkzeug.routing import BaseConverter

from shop.sandbox import api, api_v2, machine, pages
from shop.sandbox.settings import Settings
from shop.sandbox.state import Sandbox, current_sandbox

ROOT = Path(__file__).resolve().parent.parent.parent


class InvoiceId(BaseConverter):
    """An invoice id in an address; its shape keeps it apart from every other page."""

    regex = "[A-Z0-9]{8}"


def create_app(**overrides: object) -> Flask:
    """Make a sandbox of its own; settings given here win over the environment."""
    app = Flask(__name__, template_folder=ROOT / "templates", static_folder=ROOT / "static")
    app.config["MAX_CONTENT_LENGTH"] = 64 * 1024
    app.url_map.converters["invoice_id"] = InvoiceId
    settings = replace(Settings.from_environment(), **overrides)  # type: ignore[arg-type]  # dataclass checks the names
    app.extensions["sandbox"] = Sandbox(settings)
    for module in (api, api_v2, machine, pages):
        app.register_blueprint(module.blueprint)
    app.add_url_rule("/healthz", view_func=healthz)
    app.add_url_rule("/favicon.ico", view_func=no_icon)
    app.after_request(add_headers)
    return app


def healthz() -> dict[str, str]:
    """Say that the process is alive."""
    return {"status": "ok"}


def no_icon() -> tuple[str, int]:
    """Have no icon, so that a browser that asks for one leaves no 404 in the log."""
    return "", 204


def add_headers(response: Response) -> Response:
    """Close every page to foreign content; only the shop may follow a pressed button."""
    # Chromium applies form-action to the redirect after a POST, so the shop must be listed.
    targets = " ".join(["'self'", *current_sandbox().settings.shop_origins()])
    response.headers["Content-Security-Policy"] = (
        f"default-src 'none'; style-src 'self'; img-src 'self'; form-action {targets}; "
        "base-uri 'none'; frame-ancestors 'none'"
    )
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "same-origin"
    response.headers["Cross-Origin-Opener-Policy"] = "same-origin"
    response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
    response.headers.setdefault("Cache-Control", "no-store")
    return response
