"""gunicorn's settings, for production and `dev.py run` alike: `gunicorn wsgi:app` reads them.

From the environment: BIND (address:port, unix:/path, or fd://N for an open socket), WEB_WORKERS,
WEB_THREADS, WEB_MAX_REQUESTS (0: never start a worker anew) and WEB_STALLED_SECONDS. A socket from systemd
(deploy/systemd) goes before BIND.
"""

import contextlib
import ctypes
import gc
import os
import socket
import struct
import sys
from importlib import import_module
from typing import Any

from babel import localedata
from gunicorn.glogging import Logger
from sqlalchemy.orm import configure_mappers

from shop.config import ConfigurationError, load
from shop.ops.logs import configure

bind = os.environ.get("BIND", "127.0.0.1:8000")

# Threads, because a checkout waits for the provider. Each process lets 24 of them wait at a time,
# so 32 always leave room for pages.
worker_class = "gthread"
workers = int(os.environ.get("WEB_WORKERS", "2"))
threads = int(os.environ.get("WEB_THREADS", "32"))
preload_app = False  # a database connection must not be shared by two processes

# A stopping worker answers what it has begun. The longest is a checkout: 8 seconds for the provider,
# and up to 10 for a busy database both before and after.
graceful_timeout = 30
timeout = 30  # without a sign of life of the worker itself, not of one request
keepalive = 5

# Somebody who stops reading in the middle of a download keeps a thread, and so does somebody who stops
# sending in the middle of a request; after so long without a byte taken or sent, the connection is closed.
# The shop itself keeps threads free for pages (web/attachments.py). Who drips is kept out by a proxy alone.
STALLED_SECONDS = int(os.environ.get("WEB_STALLED_SECONDS", "30"))

# A leak, should there be one, ends with its process; the jitter keeps both from going at once.
max_requests = int(os.environ.get("WEB_MAX_REQUESTS", "20000"))
max_requests_jitter = max_requests // 4

# A heartbeat file on a slow disk can make a healthy worker look dead.
worker_tmp_dir = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108  # its name is random

# The longest honest address is the return from the pay page, well under 1 KB.
limit_request_line = 4094
limit_request_fields = 60
limit_request_field_size = 8190

# The shop itself decides which proxies to believe (SHOP_TRUSTED_PROXIES): one place, not two.
forwarded_allow_ips = ""

control_socket_disable = True
accesslog = None  # the shop logs each request itself, without the tokens that addresses carry
errorlog = "-"


M_ARENA_MAX = -8  # malloc.h

try:
    shop_settings = load()
except ConfigurationError as error:
    # Here, so that bad settings are named once and no port is opened, rather than in each worker.
    sys.exit(str(error))

USED_BY_WORKERS = (
    *("shop.app", "shop.catalogue.unpriced", "shop.watch"),
    *("email_validator", "huey", "markdown_it", "requests"),
    *(["psycopg"] if shop_settings.database.startswith("postgresql") else []),
    *(["boto3"] if shop_settings.shop_goods_url else []),
)
"""The shop, and what it imports at the first use only, because commands can do without."""


class logger_class(Logger):  # type: ignore[misc]  # gunicorn ships no types, and wants this name
    """Hands gunicorn's own messages to the shop's log, so that all lines look alike."""

    def setup(self, cfg: Any) -> None:
        """Drop gunicorn's handler, so that messages reach the root logger's."""
        super().setup(cfg)
        self.error_log.handlers.clear()
        self.error_log.propagate = True
        configure(shop_settings)


def on_starting(server: Any) -> None:
    """Import what every worker uses, so that they share one copy of it and none imports it for itself.

    Only modules and the data of languages: the app, with its settings and connections, is each worker's own.
    The garbage collector leaves alone what is frozen; it would write to it, and each worker had its own copy.
    """
    for name in USED_BY_WORKERS:
        import_module(name)
    configure_mappers()  # else each worker's first visitor waits for it
    for language in shop_settings.shop_languages:
        localedata.load(language)  # which keeps it, for prices and dates of every page
    gc.collect()
    gc.freeze()


def when_ready(server: Any) -> None:
    """Let go of those who take or send nothing any more: blocking calls have no time limit of their own."""
    for listener in server.LISTENERS:  # connections inherit both
        with contextlib.suppress(AttributeError, OSError):  # only Linux has it, and only for TCP
            limit = STALLED_SECONDS * 1000
            listener.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, limit)
        with contextlib.suppress(OSError):
            seconds = struct.pack("ll", STALLED_SECONDS, 0)
            listener.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, seconds)


def post_fork(server: Any, worker: Any) -> None:
    """Share two heaps among all threads: glibc would give nearly each its own, some MB in all."""
    with contextlib.suppress(AttributeError, OSError):  # only glibc has it
        ctypes.CDLL(None).mallopt(M_ARENA_MAX, 2)


def post_worker_init(worker: Any) -> None:
    """Do what the first visitor would wait for; watch worker and database; say in the log if nothing can be sold."""
    if (
        getattr(worker.wsgi, "name", "") != "shop"
    ):  # the yardstick of the benchmarks is served in the same way
        return
    from shop.catalogue.unpriced import warn_of_missing_prices
    from shop.watch import start
    from shop.web.kept_parts import compile_pages

    compile_pages(worker.wsgi)
    with worker.wsgi.app_context():
        warn_of_missing_prices()
    start(worker.wsgi)
