"""How long a page takes while something else goes on: asked at a steady pace, waiting or not.

`python -m benchmarks.pages URL SECONDS PER_SECOND` does the asking in a process of its own, so that
the threads which keep the shop busy meanwhile do not slow down the clock.
"""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

from demo.surroundings import ROOT


def latencies(url: str, seconds: float, per_second: float) -> list[float]:
    """Milliseconds for each request, counted from when it was due: queueing is not hidden."""
    command = [sys.executable, "-m", "benchmarks.pages", url, str(seconds), str(per_second)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr)
    found: list[float] = json.loads(done.stdout)
    return found


def ask_steadily(url: str, seconds: float, per_second: float) -> list[float]:
    """Open loop: the next request is sent when it is due, whether or not the last was answered."""
    started = time.perf_counter()

    def ask(number: int) -> float:
        due = started + number / per_second
        time.sleep(max(0.0, due - time.perf_counter()))
        _get(url)
        return (time.perf_counter() - due) * 1000

    with ThreadPoolExecutor(16) as pool:
        return list(pool.map(ask, range(int(seconds * per_second))))


def _get(url: str) -> None:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=30)
    try:
        connection.request("GET", parts.path or "/")
        answer = connection.getresponse()
        answer.read()
    finally:
        connection.close()
    if answer.status != 200:
        raise RuntimeError(f"{url} answered {answer.status}")


if __name__ == "__main__":
    print(json.dumps(ask_steadily(sys.argv[1], float(sys.argv[2]), float(sys.argv[3]))))
