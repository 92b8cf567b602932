"""One shop in a process of its own, asked without a server between: what a page costs Flask and the shop.

`python asked_in_process.py CHECKOUT [CATALOGUE]` makes the shop of that checkout, with the settings that surround
it, and imports the catalogue or else 24 products of the demo's. Then each line of its input names a path and how often
to ask for it, and is answered with milliseconds of processor time for each, and a digest of the page. It uses nothing
but the shop's own commands, so that older commits can be asked as well, and goes to Flask's own `wsgi_app`, past static
files and kept pages, unless the line says `kept`.
"""

from __future__ import annotations

import copy
import functools
import gc
import hashlib
import json
import os
import shutil
import sys
import tempfile
import time
from io import BytesIO
from pathlib import Path
from typing import Any

import yaml

PRODUCTS = 24
RATES = ("EUR=0.92", "GBP=0.79", "RUB=96.50", "UAH=41.30")


def main(checkout: Path, catalogue: Path | None = None) -> None:
    """Make the shop, say that it is ready, and answer until the input ends."""
    sys.path.insert(0, str(checkout))
    os.chdir(checkout)
    from shop import create_app

    app = create_app()
    runner = app.test_cli_runner()
    with tempfile.TemporaryDirectory() as folder:
        catalogue = catalogue or write_catalogue(checkout / "demo", Path(folder))
        for command in (("db", "upgrade"), ("rates", "set", *RATES)):
            run(runner, app, *command)
        run(runner, app, "products", "import", str(catalogue))
    app = create_app()  # anew, as a web server has it
    print("ready", flush=True)
    for line in sys.stdin:
        asked = json.loads(line)
        wsgi = app if asked.get("kept") else functools.partial(type(app).wsgi_app, app)
        print(json.dumps(measure(wsgi, asked["path"], asked["times"])), flush=True)


def write_catalogue(demo: Path, folder: Path) -> Path:
    """The demo's catalogue, brought to 24 products by copies of its own."""
    for part in ("images", "files"):
        shutil.copytree(
            demo / part, folder / part
        )  # a link would lead out of the catalogue's folder
    document = yaml.safe_load((demo / "catalogue.yaml").read_text("utf-8"))
    products = document["products"]
    copies = [copy.deepcopy(each) | {"slug": f"{each['slug']}-again"} for each in products]
    document["products"] = (products + copies)[:PRODUCTS]
    path = folder / "catalogue.yaml"
    path.write_text(yaml.safe_dump(document, allow_unicode=True, sort_keys=False), "utf-8")
    return path


def run(runner: Any, app: Any, *command: str) -> None:
    """Run one of the shop's commands, or end this program with its words."""
    with app.app_context():
        result = runner.invoke(args=command)
    if result.exit_code:
        sys.exit(f"flask {' '.join(command)}:\n{result.output}{result.exception or ''}")


def measure(wsgi: Any, path: str, times: int) -> dict[str, object]:
    """Milliseconds of processor time for each of so many requests; the garbage of the last is not its own."""
    ask(wsgi, path)
    gc.collect()
    before = time.process_time_ns()
    for _ in range(times):
        status, page = ask(wsgi, path)
    used = (time.process_time_ns() - before) / times / 1e6
    if status != "200 OK":
        sys.exit(f"{path} answered {status}")
    return {"ms": used, "bytes": len(page), "digest": hashlib.sha256(page).hexdigest()}


def ask(wsgi: Any, path: str) -> tuple[str, bytes]:
    """One request as a server hands it over; `/ru/search?q=rain` is asked for with a language's prefix."""
    prefix = path[:3] if path[:4] in ("/ru/", "/uk/") else ""
    bare, _, query = path.removeprefix(prefix).partition("?")
    said: list[str] = []
    environ = {
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": prefix,
        "PATH_INFO": bare,
        "QUERY_STRING": query,
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "8000",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "HTTP_HOST": "localhost:8000",
        "HTTP_USER_AGENT": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
        "HTTP_ACCEPT": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
        "HTTP_ACCEPT_LANGUAGE": "en-US,en;q=0.5",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": BytesIO(),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    answer = wsgi(environ, lambda status, headers, error=None: said.append(status))
    page = b"".join(answer)
    if hasattr(answer, "close"):
        answer.close()
    return said[0], page


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
