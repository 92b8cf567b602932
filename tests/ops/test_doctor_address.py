"""The doctor asks at the public address, as a buyer and the provider would, and expects this shop there."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from werkzeug import Request, Response
from werkzeug.serving import BaseWSGIServer, make_server

import shop.doctor.address
from shop import create_app
from shop.config import Settings
from shop.doctor import Finding
from shop.doctor.address import postback_address, postback_url, public_address
from shop.ops.health import proof_for
from tests.conftest import make_settings

CERTIFICATE = Path(__file__).parent.parent / "payments" / "self_signed.pem"

Answer = Callable[[dict[str, Any], Any], Any]


class Web:
    """A web server at a public address; what stands behind it is chosen later."""

    def __init__(self) -> None:
        self.server = make_server("127.0.0.1", 0, self.answer, threaded=True)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.behind: Answer = Response("Nothing here", 404)
        self.asked: list[str] = []

    def answer(self, environ: dict[str, Any], start_response: Any) -> Any:
        self.asked.append(f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}")
        return self.behind(environ, start_response)


@contextmanager
def running(server: BaseWSGIServer) -> Iterator[None]:
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def web() -> Iterator[Web]:
    web = Web()
    with running(web.server):
        yield web


@pytest.fixture
def settings(tmp_path: Path, web: Web) -> Settings:
    return make_settings(tmp_path, shop_public_url=web.url)


@pytest.fixture
def app(settings: Settings) -> Flask:
    return create_app(settings)


def look(app: Flask, settings: Settings, check: Callable[[Settings], Finding]) -> Finding:
    """What the check finds where a fault is a failure, because this is no trial."""
    with app.app_context():
        return check(settings.model_copy(update={"shop_development": False}))


def everywhere(app: Flask, settings: Settings) -> tuple[str, str]:
    return (
        look(app, settings, public_address).level,
        look(app, settings, postback_address).level,
    )


def test_an_address_that_leads_here_is_good(app: Flask, settings: Settings, web: Web) -> None:
    web.behind = app

    found = look(app, settings, public_address)

    # Plain http is the only thing left to say; nobody gets past the settings with it in production.
    assert found.level == "warn"
    assert found.text == f"{web.url} leads here, by plain http"
    assert look(app, settings, postback_address).level == "ok"
    assert web.asked == ["GET /healthz", "POST /payments/cryptocloud/postback"]


def test_https_that_leads_here_has_nothing_to_be_warned_of(
    app: Flask, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ask(settings: Settings, method: str, path: str) -> tuple[int, dict[str, Any], str]:
        return 200, {"proof": proof_for(path.partition("=")[2]).decode()}, ""

    monkeypatch.setattr(shop.doctor.address, "_ask", ask)
    secure = settings.model_copy(update={"shop_public_url": "https://shop.example"})

    found = look(app, secure, public_address)

    assert (found.level, found.mend) == ("ok", "")


def test_a_shop_with_another_key_is_not_this_one(
    app: Flask, settings: Settings, web: Web, tmp_path: Path
) -> None:
    """The forgotten old server: it answers everything, and it is not ours."""
    web.behind = create_app(
        make_settings(tmp_path / "old", shop_public_url=web.url, secret_key="another" * 8)
    )

    found = look(app, settings, public_address)

    assert found.level == "fail"
    assert "another SECRET_KEY" in found.text


def test_an_old_answer_proves_nothing(app: Flask, settings: Settings, web: Web) -> None:
    """A cache, or somebody who has listened, can only repeat what was answered to another nonce."""
    old = app.test_client().get("/healthz?nonce=aaaaaaaaaaaaaaaaaaaaaaaa", base_url=web.url)
    web.behind = Response(old.data, mimetype="application/json")

    assert look(app, settings, public_address).level == "fail"


@pytest.mark.parametrize(
    "answer",
    [
        Response("Nothing here", 404),
        Response("Not like that", 405),
        Response("", 301, {"Location": "https://www.shop.example/healthz?secret=1"}),
        Response("", 302, {"Location": "/login?next=secret"}),
        Response("<form>Log in</form>", mimetype="text/html"),
        Response("<h1>Forbidden</h1>", 403),
        Response('{"status": "ok"}', mimetype="application/json"),
        Response("[" * 100_000, mimetype="application/json"),
        Response("x" * 1_000_000),
        Response("Bad gateway", 502),
        Response("", 200, {"Location": "http://["}),
    ],
    ids=lambda answer: f"{answer.status_code}-{len(answer.data)}",
)
def test_anything_else_that_answers_is_a_failure(
    app: Flask, settings: Settings, web: Web, answer: Response
) -> None:
    web.behind = answer

    assert everywhere(app, settings) == ("fail", "fail")
    assert len(web.asked) == 2, "a redirect is not followed"
    for check in (public_address, postback_address):
        found = look(app, settings, check)
        assert found.mend
        assert "secret" not in found.text


def test_a_redirect_is_named(app: Flask, settings: Settings, web: Web) -> None:
    web.behind = Response("", 301, {"Location": "https://user:pw@www.shop.example/healthz"})

    found = look(app, settings, public_address)

    assert found.text == f"{web.url} answers 301 and sends visitors to https://www.shop.example"
    assert "SHOP_PUBLIC_URL" in found.mend


def test_a_proxy_that_hides_the_host_name_is_told_apart(
    app: Flask, settings: Settings, web: Web
) -> None:
    def proxy(environ: dict[str, Any], start_response: Any) -> Any:
        return app(environ | {"HTTP_HOST": "backend:8000"}, start_response)

    web.behind = proxy

    assert "Host header" in look(app, settings, public_address).mend


def test_pages_that_get_through_do_not_show_that_postbacks_do(
    app: Flask, settings: Settings, web: Web
) -> None:
    @Request.application
    def blocked(request: Request) -> Response:
        return Response("Method not allowed", 405)

    def proxy(environ: dict[str, Any], start_response: Any) -> Any:
        answer: Answer = app if environ["REQUEST_METHOD"] == "GET" else blocked
        return answer(environ, start_response)

    web.behind = proxy

    found = look(app, settings, postback_address)

    assert "405" in found.text
    assert "POST /payments/cryptocloud/postback" in found.mend
    assert everywhere(app, settings) == ("warn", "fail")


def test_nobody_there_is_a_failure_and_in_a_trial_a_warning(app: Flask, settings: Settings) -> None:
    away = settings.model_copy(update={"shop_public_url": "http://127.0.0.1:1"})

    assert everywhere(app, away) == ("fail", "fail")
    with app.app_context():
        assert public_address(away).level == "warn"
        assert postback_address(away).level == "warn"


def test_silence_is_a_failure(
    app: Flask, settings: Settings, web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shop.doctor.address, "SECONDS", 0.1)
    released = threading.Event()

    def silent(environ: dict[str, Any], start_response: Any) -> Any:
        released.wait(5)
        return Response("")(environ, start_response)

    web.behind = silent

    found = look(app, settings, public_address)
    released.set()

    assert found.level == "fail"
    assert "does not answer within" in found.text


def test_a_certificate_that_nobody_vouches_for_is_a_failure(app: Flask, settings: Settings) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    server = make_server("127.0.0.1", 0, app, ssl_context=context)
    address = f"https://localhost:{server.server_port}"
    with running(server):
        found = look(app, settings.model_copy(update={"shop_public_url": address}), public_address)

    assert found.level == "fail"
    assert "certificate" in found.text


def test_no_proxy_of_the_operators_machine_is_asked(
    app: Flask, settings: Settings, web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    web.behind = app

    assert "leads here" in look(app, settings, public_address).text


def test_the_address_of_the_route_is_what_the_operator_is_told(
    app: Flask, settings: Settings
) -> None:
    with app.app_context():
        assert postback_url(settings) == f"{settings.shop_public_url}/payments/cryptocloud/postback"
