"""What costs every test the same is done once for each process of tests."""

from __future__ import annotations

import copy
import gc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from jinja2.bccache import Bucket, BytecodeCache
from sqlalchemy import Engine
from sqlalchemy.engine.default import DefaultDialect
from sqlalchemy.util import LRUCache
from werkzeug.routing import Rule

from shop.config import ROOT, Settings
from shop.web import static
from shop.web.theme import theme


def pytest_collection_finish() -> None:
    """Leave what was imported and collected out of all later searches for garbage, which took longer each time."""
    gc.collect()
    gc.freeze()


class CompiledTemplates(BytecodeCache):
    """Kept in memory, because some tests give up the right to write files."""

    def __init__(self) -> None:
        self.kept = dict[str, bytes]()

    def load_bytecode(self, bucket: Bucket) -> None:
        if bucket.key in self.kept:
            bucket.bytecode_from_string(self.kept[bucket.key])

    def dump_bytecode(self, bucket: Bucket) -> None:
        self.kept[bucket.key] = bucket.bytecode_to_string()


@pytest.fixture(scope="session", autouse=True)
def _templates_are_compiled_once() -> None:
    """Not by each test's app anew, which took longer than most tests themselves."""
    Flask.jinja_options = {**Flask.jinja_options, "bytecode_cache": CompiledTemplates()}


@pytest.fixture(scope="session", autouse=True)
def _statements_are_compiled_once() -> None:
    """Not by each test's engine anew, which took as long as the rest of a test.

    SQLAlchemy keeps them for each engine and dialect; here, all dialects of a kind are the same one.
    """
    compiled = LRUCache[Any, Any](5000)
    Engine._compiled_cache = property(lambda _: compiled, lambda *_: None)  # type: ignore[assignment]
    DefaultDialect.__hash__ = lambda self: hash(type(self))  # type: ignore[method-assign]
    DefaultDialect.__eq__ = lambda self, other: type(self) is type(other)  # type: ignore[method-assign]


@pytest.fixture(scope="session", autouse=True)
def _routes_are_compiled_once() -> None:
    """Not by each test's app anew: what reads and builds an address is the same for the same rule."""
    compile_rule, known = Rule.compile, dict[tuple[object, ...], Rule]()

    def compile_once(rule: Rule) -> None:
        key = (rule.rule, rule.host, rule.subdomain, rule.merge_slashes, repr(rule.defaults))
        same = known.setdefault(key, rule)
        if same is rule:
            compile_rule(rule)
            return
        for name in ("_parts", "_trace", "_converters", "arguments"):
            setattr(rule, name, getattr(same, name))
        for name in ("_build", "_build_unknown"):
            setattr(rule, name, getattr(same, name).__func__.__get__(rule))

    Rule.compile = compile_once  # type: ignore[method-assign]


HEADERS = ("X-Content-Type-Options", "Cross-Origin-Resource-Policy")
"""What an app says of itself with each file."""
_serve_own: Callable[[Flask, Path, Settings], None] = static._serve


@pytest.fixture(scope="session", autouse=True)
def _static_files_are_made_once(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Not by each test's app anew, which took half of its start; `own_static_files` is for tests of just that."""
    elsewhere, made = tmp_path_factory.mktemp("static"), dict[tuple[str, ...], Any]()

    def serve(app: Flask, folder: Path, settings: Settings) -> None:
        if folder != ROOT / "static" or settings.shop_logo or theme(settings):
            _serve_own(app, folder, settings)
            return
        key = tuple(map(app.extensions["security_headers"].__getitem__, HEADERS))
        if key not in made:
            _serve_own(app, folder, settings.model_copy(update={"shop_data_dir": elsewhere}))
            made[key] = app.wsgi_app, app.jinja_env.globals["asset"]
            return
        kept, app.jinja_env.globals["asset"] = made[key]
        files = copy.copy(kept)
        files.application, app.wsgi_app = app.wsgi_app, files  # type: ignore[method-assign]

    static._serve = serve


@pytest.fixture
def own_static_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each app puts together its own style sheets, in its own data folder."""
    monkeypatch.setattr(static, "_serve", _serve_own)
