"""Commands that are stopped in the middle, politely or not."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn


@contextmanager
def interruptible() -> Iterator[None]:
    """Treat a lost connection to the machine, or a polite end, like Ctrl-C, so that the report is written.

    Only the first signal counts, because more may come while the report is written. A signal that is ignored
    already stays ignored: that is `nohup`'s doing.
    """
    numbers = (signal.SIGTERM, signal.SIGHUP)
    before = {each: signal.getsignal(each) for each in numbers}
    heeded = [each for each in numbers if before[each] is not signal.SIG_IGN]

    def stop(number: int, frame: FrameType | None) -> NoReturn:
        for each in heeded:
            signal.signal(each, signal.SIG_IGN)
        raise KeyboardInterrupt

    for each in heeded:
        signal.signal(each, stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
