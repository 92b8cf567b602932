"""How an API, of either version, fails while a fault is switched on."""

import hmac
import socket
from collections.abc import Callable, Iterator

from flask import Blueprint, Response, jsonify, redirect, request
from flask.typing import ResponseReturnValue

from shop.sandbox.links import ELSEWHERE
from shop.sandbox.reading import TOO_LITTLE, UNKNOWN_SHOP, Refused
from shop.sandbox.state import Sandbox, current_sandbox
from shop.sandbox.switches import Api, Refusal

RETRY_AFTER_SECONDS = 20
KEY_SWITCHES = (Api.UNAUTHENTICATED, Api.OLD_UNAUTHENTICATED)
WALL = """<!DOCTYPE html>
<html lang="en-US"><head><title>Just a moment...</title></head>
<body><h1>Checking whether you are a person</h1><p>Enable JavaScript to continue.</p></body></html>
"""


def guard(blueprint: Blueprint, unauthenticated: Callable[[], ResponseReturnValue]) -> None:
    """Let a blueprint ask for the project's API key, and fail as switched."""

    def check_key() -> ResponseReturnValue | None:
        if current_sandbox().switches.api in KEY_SWITCHES:
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
    """Spoil the answer on its way: the work is done, but the caller cannot know it."""
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


def refuse_as_switched() -> ResponseReturnValue | None:
    """Say no to a create call for good, as switched; each version words a Refused its own way."""
    match current_sandbox().switches.refusal:
        case Refusal.MINIMUM:
            raise Refused(TOO_LITTLE, "amount")
        case Refusal.INSIDE_200:
            raise Refused(TOO_LITTLE, "amount", code=200)
        case Refusal.SHOP_ID:
            raise Refused(UNKNOWN_SHOP, "shop_id")
        case Refusal.RATE_LIMIT:  # the name is documented for withdrawals only
            raise Refused("Too many requests per minute", "rate_limit")
        case Refusal.INACTIVE:  # no recorded body: a guess after other answers with 403
            return jsonify(detail="Project is not active"), 403
        case Refusal.WALL:  # the development server puts its own name before this one
            return Response(WALL, 403, headers={"Server": "cloudflare"})
    return None


def made_code() -> int:
    """The code under which create answers that it went well."""
    return 201 if current_sandbox().switches.refusal is Refusal.CREATED_201 else 200
