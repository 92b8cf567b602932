"""Structured logs: one line for each event, with the request's id, and nothing secret in it."""

from __future__ import annotations

import json
import logging
import re
import secrets
import sys
import time
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote, urlsplit

import structlog
from flask import Flask, Response, g, request
from pydantic import SecretStr
from structlog.contextvars import bind_contextvars, clear_contextvars
from structlog.typing import EventDict, Processor

from ..config import Settings

log = structlog.get_logger()

SECRET_NAMES = re.compile(r"key$|secret|token|password|authorization|cookie|email|pay_url", re.I)
TELLTALES = (
    r"[\w.+-]+@[\w-]+\.[\w.-]+"  # an email address
    r"|\bToken\s+\S+"  # the provider's Authorization header
    r"|\beyJ[\w-]+\.[\w-]+\.[\w-]*"  # a JWT
    r"|\b[\w-]{4,}\.[\w-]{27}(?![\w-])"  # what we sign ourselves: the tokens of links, and cookies
    r"|(?<=/orders/)[\w.-]{16,}|(?<=/downloads/)[\w.-]{16,}"  # links that open an order
    r"|(?<=://)[^/\s:@]*:[^/\s@]+(?=@)"  # a password in an address
)
HIDDEN = "[hidden]"
REQUEST_ID = "X-Request-ID"
READY = "ready_line"
"""Marks a log record whose message is the whole line."""
METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
"""Anything else is a visitor's own words."""
requests_log = logging.getLogger("shop.requests")
_lines_are_json = True


def configure(settings: Settings) -> None:
    """Send every log line, the libraries' own included, through the same processors."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        Redactor(settings),
    ]
    renderer: Processor = structlog.processors.JSONRenderer()
    if settings.development and sys.stderr.isatty():
        renderer = structlog.dev.ConsoleRenderer()
    global _lines_are_json
    _lines_are_json = isinstance(renderer, structlog.processors.JSONRenderer)
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler()
    handler.setFormatter(
        _Formatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    # Facts that no line says; to find them out took as long as to write it.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    for name in ("urllib3", "PIL", "alembic", "huey"):  # urllib3 logs addresses with their query
        logging.getLogger(name).setLevel(logging.WARNING)


def init_app(app: Flask) -> None:
    """Give each request an id and a line."""
    app.before_request(_start)
    app.after_request(_finish)


class _Formatter(structlog.stdlib.ProcessorFormatter):
    """Formats records, but for those that are ready lines."""

    def format(self, record: logging.LogRecord) -> str:
        return record.msg if hasattr(record, READY) else super().format(record)


class Redactor:
    """Hides secrets: values with a telling name, texts that look like secrets, and this shop's own secrets."""

    def __init__(self, settings: Settings) -> None:
        pay_links = (
            rf"(?<={re.escape(origin)}/)[^\s\"'<>]+" for origin in settings.cryptocloud_pay_hosts
        )
        own = (re.escape(secret) for secret in secrets_of(settings))
        self._texts = re.compile("|".join([*own, TELLTALES, *pay_links]))

    def __call__(self, logger: Any, method: str, event: EventDict) -> EventDict:
        """Redact one event; names with an underscore are structlog's own."""
        for name, value in event.items():
            if not name.startswith("_"):
                event[name] = self._hide(name, value)
        return event

    def _hide(self, name: str, value: Any) -> Any:
        if SECRET_NAMES.search(name):
            return HIDDEN
        if isinstance(value, dict):
            return {str(key): self._hide(str(key), inner) for key, inner in value.items()}
        if isinstance(value, list | tuple | set):
            return [self._hide("", inner) for inner in value]
        if value is None or isinstance(value, int | float):
            return value
        return self._texts.sub(HIDDEN, str(value))


def secrets_of(settings: Settings) -> list[str]:
    """The shop's secrets, the longest first, so that none leaves a rest; a very short one would hide plain words."""
    found = {value.get_secret_value() for _, value in settings if isinstance(value, SecretStr)}
    for address in (
        settings.smtp_url.get_secret_value(),
        settings.database_url,
        settings.queue_url,
    ):
        password = urlsplit(address).password or ""
        found |= {password, unquote(password)}
    return sorted((secret for secret in found if len(secret) >= 6), key=len, reverse=True)


def new_request_id() -> str:
    """A short name by which a visitor's answer finds its lines in the log."""
    return secrets.token_hex(6)


def log_request(
    method: str, route: str, status: int, seconds: float, request_id: str, **more: float
) -> None:
    """Log the line that each request leaves. `route` is the rule and not the path, which may be a secret.

    The line is written as the other lines are, but made in one piece: the processors took a tenth of a page's
    time, to find that there was nothing to hide.
    """
    said = {"method": method, "route": route, "status": status, "ms": round(seconds * 1000, 1)}
    said |= more
    if not _lines_are_json or method not in METHODS:
        log.info("request", **said)
    elif requests_log.isEnabledFor(logging.INFO):
        at = datetime.now(UTC).isoformat().replace("+00:00", "Z")
        said |= {"event": "request", "request_id": request_id, "level": "info", "timestamp": at}
        line = json.dumps(said)
        record = requests_log.makeRecord(
            requests_log.name, logging.INFO, "", 0, line, (), None, extra={READY: True}
        )
        requests_log.handle(record)


def _start() -> None:
    clear_contextvars()
    g.started = time.perf_counter()
    bind_contextvars(request_id=new_request_id())


def _finish(response: Response) -> Response:
    rule = request.url_rule.rule if request.url_rule else "unmatched"
    seconds = time.perf_counter() - g.get("started", time.perf_counter())
    request_id = str(structlog.contextvars.get_contextvars().get("request_id", ""))
    queued = {"queued_ms": g.queued_ms} if "queued_ms" in g else {}  # of `ms`, see db.transaction
    log_request(request.method, rule, response.status_code, seconds, request_id, **queued)
    response.headers[REQUEST_ID] = request_id
    return response
