"""A shop and a provider in one process: no sockets, no waiting, a clock that is moved by hand.

What would go over a wire goes from one app's test client to the other, through everything above
the socket. A process that dies is a SystemExit: rolled back and forgotten, as after kill -9.
"""

from __future__ import annotations

import contextlib
import io
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from flask import Flask
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPResponse
from urllib3.exceptions import MaxRetryError, NewConnectionError

from shop import create_app, failpoints
from shop.db import db
from shop.payments.cryptocloud import answers, v1, v2
from shop.sandbox import create_app as create_sandbox
from shop.sandbox.state import Sandbox
from tests.support.copies import forget_everything

SHOP, PROVIDER = "http://localhost", "http://127.0.0.1:5001"
PAY_ORIGINS = (PROVIDER, "http://localhost:5001")


class Clock:
    """What time it is, as the provider's clock shows it; the shop's may be `wrong`."""

    def __init__(self) -> None:
        self.ahead = self.wrong = timedelta(0)

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    def shown(self) -> datetime:
        """What the shop's clock shows."""
        return self.now() + self.wrong


class World:
    """Everything there is; `wire` says what is wrong with the line from the shop to the provider."""

    def __init__(self, app: Flask) -> None:
        self.app, self.clock, self.wire = app, Clock(), "well"
        self._first = app
        self.provider = create_sandbox(
            public_url=PAY_ORIGINS[0], trybit_url=PAY_ORIGINS[1], **returns()
        )
        self.sandbox: Sandbox = self.provider.extensions["sandbox"]
        self.sandbox.clock = self.clock.now

    def begin(self) -> None:
        """Forget everything."""
        self.wire, self.clock.ahead, self.clock.wrong = "well", timedelta(0), timedelta(0)
        failpoints.arm("")
        self.sandbox.reset()
        self._run(self._first)
        forget_everything(self.app)

    def start_again(self, **changes: object) -> None:
        """Start the shop anew, with other settings, on the database and the folder that it has."""
        before = self.app.config["SETTINGS"]
        given = {name: getattr(before, name) for name in before.model_fields_set}
        self._run(create_app(type(before).model_validate(given | changes)))

    def _run(self, app: Flask) -> None:
        with self.app.app_context():
            db.engine.dispose()
        app.config["WTF_CSRF_ENABLED"] = False  # the forms are sent without their page
        self.app = app

    def carry(self, request: requests.PreparedRequest) -> requests.Response:
        """Bring a request to the other side, and the answer back, as far as the line allows."""
        parts = urlsplit(str(request.url))
        ours = f"{parts.scheme}://{parts.netloc}" == SHOP
        if not ours and self.wire == "cut":
            pool = HTTPConnectionPool("127.0.0.1")
            reason = NewConnectionError(pool, "refused")  # type: ignore[arg-type]
            raise requests.ConnectionError(MaxRetryError(pool, "/", reason), request=request)
        client = (self.app if ours else self.provider).test_client()
        headers = {name: str(value) for name, value in request.headers.items()}
        headers.pop("Content-Length", None)
        try:
            answer = client.open(
                f"{parts.path}?{parts.query}".rstrip("?"),
                method=request.method,
                data=request.body or b"",
                headers=headers,
            )
        except SystemExit as death:  # the shop died while it was being told something
            raise requests.ConnectionError("reset by peer") from death
        if not ours and self.wire == "deaf":
            raise requests.ReadTimeout("the answer got lost")
        raw = HTTPResponse(
            io.BytesIO(answer.data),
            headers=dict(answer.headers),
            status=answer.status_code,
            preload_content=False,
        )
        return HTTPAdapter().build_response(request, raw)


def returns() -> dict[str, str]:
    """Where the provider finds the shop."""
    return {
        "notification_url": f"{SHOP}/payments/cryptocloud/postback",
        "success_url": f"{SHOP}/payment/success",
        "fail_url": f"{SHOP}/payment/fail",
    }


@contextlib.contextmanager
def running_world(app: Flask) -> Iterator[World]:
    """The world, while the block runs."""
    world = World(app)
    clock = world.clock

    class Moved(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Any:
            return clock.shown().astimezone(tz)

    def send(self: HTTPAdapter, request: requests.PreparedRequest, **_: Any) -> requests.Response:
        return world.carry(request)

    def die(*_: object) -> None:
        failpoints.arm("")
        raise SystemExit

    our_time = SimpleNamespace(time=lambda: clock.shown().timestamp(), monotonic=time.monotonic)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(HTTPAdapter, "send", send)
        patch.setattr("shop.db.datetime", Moved)
        patch.setattr(v2, "datetime", Moved)
        patch.setattr(v1, "time", our_time)
        patch.setattr(answers, "time", our_time)
        patch.setattr(failpoints, "os", SimpleNamespace(kill=die, getpid=lambda: 0))
        world.begin()
        yield world
        world.begin()
