"""A sandbox on a free port of this machine, for tests and trials."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread

from werkzeug.serving import WSGIRequestHandler, make_server

from shop.sandbox import create_app
from shop.sandbox.state import Sandbox


@contextmanager
def running_sandbox(**overrides: object) -> Iterator[Sandbox]:
    """Serve a sandbox over HTTP while the block runs, at `public_url` and `trybit_url` alike.

    Its answers are dated by its own clock.
    """
    app = create_app(**overrides)
    sandbox: Sandbox = app.extensions["sandbox"]

    class ByItsClock(WSGIRequestHandler):
        def date_time_string(self, timestamp: float | None = None) -> str:
            return super().date_time_string(timestamp or sandbox.clock().timestamp())

    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=ByItsClock)
    port = server.server_port
    sandbox.configure(public_url=f"http://127.0.0.1:{port}", trybit_url=f"http://localhost:{port}")
    thread = Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield sandbox
    finally:
        sandbox.reset()
        server.shutdown()
        thread.join()
        server.server_close()
