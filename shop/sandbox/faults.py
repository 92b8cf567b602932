"""How an API, of either version, fails while a fault is switched on."""

import hmac
import socket
from collections.abc import Callable, Iterator

from flask import Blueprint, Response, jsonify, redirect, request
from flask.typing import ResponseReturnValue

from shop.sandbox.state import Sandbox, current_sandbox
from shop.sandbox.switches import Api

ELSEWHERE = "https://elsewhere.invalid"
RETRY_AFTER_SECONDS = 20


def guard(blueprint: Blueprint, unauthenticated: Callable[[], ResponseReturnValue]) -> None:
    """Let a blueprint ask for the project's API key, and fail as switched."""

    def check_key() -> ResponseReturnValue | None:
        if current_sandbox().switches.api is Api.UNAUTHENTICATED:
            return unauthenticated()
        expected = f"Token {current_sandbox().settings.api_key}"
        given = request.headers.get("Authorization", "")
        return None if hmac.compare_digest(given.encode(), expected.encode()) else unauthenticated()

    blueprint.before_request(fail_as_switched)
    blueprint.before_request(check_key)
    blueprint.after_request(answer_as_switched)


def fail_as_switched() -> ResponseReturnValue | None:
    """Answer in place of the API, without doing any work."""
    match current_sandbox().switches.api:
        case Api.DOWN:
            return Response("Service Unavailable\n", 503, mimetype="text/plain")
        case Api.BROKEN:
            return Response("Internal Server Error\n", 500, mimetype="text/plain")
        case Api.GARBLED:
            return Response("<html><body><h1>Welcome to nginx!</h1></body></html>", 200)
        case Api.NOT_ACCEPTABLE:
            return jsonify(status="error", error="Service is not available"), 406
        case Api.TOO_MANY:
            headers = {"Retry-After": str(RETRY_AFTER_SECONDS)}
            return jsonify(status="error", error="Too many requests"), 429, headers
        case Api.REDIRECT:
            return redirect(f"{ELSEWHERE}{request.path}", 302)
    return None


def answer_as_switched(response: Response) -> Response:
    """Spoil the answer on its way: the work is done, the caller cannot know."""
    sandbox = current_sandbox()
    match sandbox.switches.api:
        case Api.SLOW:
            sandbox.pause(sandbox.switches.seconds)
        case Api.DRIP:
            body = response.get_data()
            response.response = _drip(sandbox, body, sandbox.switches.seconds)
            response.content_length = len(body)
        case Api.RESET:
            request.environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
    return response


def _drip(sandbox: Sandbox, body: bytes, seconds: float) -> Iterator[bytes]:
    for position in range(len(body)):
        sandbox.pause(seconds)
        yield body[position : position + 1]


def pay_link(sandbox: Sandbox, number: str) -> str:
    """Where the API says that an invoice is paid."""
    if sandbox.switches.api is Api.FOREIGN_LINK:
        return f"{ELSEWHERE}/{number}"
    return sandbox.settings.pay_url(number)
