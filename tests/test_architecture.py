"""Rules that no single test would notice when they are broken: who may do what, where."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Enum

from shop.config import ROOT
from shop.db import Base
from shop.orders.links import order_token
from shop.web.security import FROM_ELSEWHERE, SAFE_METHODS, csrf
from tests.buyer import Buyer
from tests.factories import make_open_order, make_product

SHOP = ROOT / "shop"
TEMPLATES = ROOT / "templates"

BY_TOKEN = {
    "checkout.update_cart",
    "checkout.submit",
    "orderpage.check",
    "orderpage.pay",
    "checkout.change",
    "orderpage.search",
    "orderpage.mail_again",
    "orderpage.correct_address",
    "orderpage.ask_for_proof",
}
"""Routes that change something and demand a CSRF token."""

BY_ORIGIN = {"checkout.add_to_cart", "checkout.submit_one", "fulfilment.begin"}
"""… that only look at where the form comes from, because their page is the same for everybody, or because
there is no cookie that another site could make use of."""

BY_SIGNATURE = {"payments.postback"}
"""… that other people's servers call, with a signature."""

BY_NOTHING = {"orderpage.returned_by_post"}
"""… that change nothing: what is posted there is asked for again by GET."""

DATA = '<script type="application/ld+json">'
"""What browsers do not run: facts for search engines."""

READERS = {
    "catalogue.category",
    "catalogue.index",
    "catalogue.media",
    "catalogue.product",
    "site.robots",
    "catalogue.search",
    "site.sitemap",
    "components.components",  # in development only
    "checkout.cart",
    "checkout.checkout",
    "orderpage.order",
    "orderpage.order_status",  # asks the provider, at most every ten seconds
    "orderpage.payment_success",  # likewise
    "orderpage.payment_fail",
    "orderpage.find",
    "orderpage.address",
    "orderpage.prove",
    "fulfilment.download",
    "fulfilment.file",  # counts
    "site.legal_page",
    "ops.healthz",
    "ops.readyz",
}
"""Routes that anybody may open as often as they like: nothing is bought, paid or lost by it."""


@pytest.fixture
def engine() -> str:
    return "sqlite"


def test_every_route_has_been_considered(app: Flask) -> None:
    """A new one fails this until somebody has said which of the lists above it belongs to."""
    writing = {
        rule.endpoint
        for rule in app.url_map.iter_rules()
        if not (rule.methods or set()) <= SAFE_METHODS
    }
    reading = {rule.endpoint for rule in app.url_map.iter_rules()} - writing

    assert writing == BY_TOKEN | BY_ORIGIN | BY_SIGNATURE | BY_NOTHING
    assert reading == READERS


def test_a_route_either_reads_or_writes(app: Flask) -> None:
    """A view that does both would be asked for its token on one way in only."""
    for rule in app.url_map.iter_rules():
        methods = rule.methods or set()
        assert not {"GET", "POST"} <= methods, rule
        assert not methods & {"PUT", "PATCH", "DELETE"}, rule


def test_only_the_listed_routes_are_spared_the_token(app: Flask) -> None:
    spared = {
        endpoint
        for endpoint, view in app.view_functions.items()
        if f"{view.__module__}.{view.__name__}" in csrf._exempt_views
    }

    assert spared == BY_ORIGIN | BY_SIGNATURE | BY_NOTHING
    assert not csrf._exempt_blueprints
    assert app.config["WTF_CSRF_ENABLED"]
    assert app.config["WTF_CSRF_CHECK_DEFAULT"]


def test_only_what_is_proven_or_changes_nothing_is_spared_the_look_at_the_origin(
    app: Flask,
) -> None:
    spared = {name for name, view in app.view_functions.items() if view in FROM_ELSEWHERE}

    assert spared == BY_SIGNATURE | BY_NOTHING


def test_without_a_token_nothing_happens(app: Flask) -> None:
    with app.app_context():
        slug, token = make_product().slug, link(app)
    buyer = Buyer(app)
    buyer.puts_into_cart(slug)
    buyer.opens("/cart")

    for endpoint, path in paths(app, token):
        for wrong in (
            {},
            {"csrf_token": ""},
            {"csrf_token": "forged"},
            {"csrf_token": of_another(app)},
        ):
            answer = buyer.browser.post(path, data={"remove": slug} | wrong)
            assert "open too long" in (answer.text + messages(buyer)), endpoint
    assert slug in buyer.opens("/cart").text


def test_a_get_does_nothing(app: Flask) -> None:
    with app.app_context():
        token = link(app)

    for _, path in paths(app, token):
        answer = app.test_client().get(f"{path}?csrf_token=x")
        assert answer.status_code in (200, 303, 405)  # some have a page with their form there
        if answer.status_code != 405:
            assert path in ("/cart", "/checkout", "/orders/find", f"/orders/{token}/address")


def link(app: Flask) -> str:
    return order_token(make_open_order(app)[0])


def paths(app: Flask, token: str) -> list[tuple[str, str]]:
    rules = [rule for rule in app.url_map.iter_rules() if rule.endpoint in BY_TOKEN]
    return [(rule.endpoint, rule.rule.replace("<token>", token)) for rule in rules]


def of_another(app: Flask) -> str:
    """A genuine token, of another browser's session."""
    other = Buyer(app)
    with app.app_context():
        slug = make_product().slug
    other.puts_into_cart(slug)
    found = re.search(r'name="csrf_token" value="([^"]+)"', other.opens("/cart").text)
    assert found
    return found[1]


def messages(buyer: Buyer) -> str:
    return buyer.opens("/cart").text


def templates(*folders: str) -> Iterator[Path]:
    for path in sorted(TEMPLATES.rglob("*.*")):
        if not folders or path.relative_to(TEMPLATES).parts[0] in folders:
            yield path


def pages() -> Iterator[tuple[str, str]]:
    """Templates of pages. Mails are none: their programs know no style sheets."""
    for path in templates():
        name = path.relative_to(TEMPLATES).as_posix()
        if not name.startswith("email/"):
            yield name, path.read_text("utf-8")


DRAWN_BY_US = 'viewBox="0 0 24 24" aria-hidden="true">{{ shapes[name]|safe }}</svg>'
"""The icons' shapes are a table in the macro itself; no data gets there."""


def test_no_template_switches_escaping_off() -> None:
    for path in templates():
        text = path.read_text("utf-8").replace(DRAWN_BY_US, "")
        assert not re.search(r"\|\s*safe\b|autoescape|\bMarkup\b", text), path


def test_every_template_is_escaped_or_plain_text() -> None:
    """Flask escapes by the name's ending; a template with another one would not be."""
    for path in templates():
        assert path.suffix in (".html", ".xml", ".txt"), path
        assert path.suffix != ".txt" or "email" in path.parts, path


def test_no_page_has_inline_scripts_styles_or_handlers() -> None:
    for name, text in pages():
        assert not re.search(r"<style\b|\sstyle\s*=|javascript:", text, re.I), name
        assert not re.search(r"<[^>]*\son[a-z]+\s*=\s*[\"']", text, re.I), name
        for script in re.findall(r"<script\b[^>]*>", text):
            assert " src=" in script or script == DATA, name


def test_every_attribute_is_quoted() -> None:
    """Escaping does not help where a value stands without quotes."""
    for name, text in pages():
        assert not re.search(r"<[^>]*\s[a-z-]+=\{\{", text), name


def test_public_templates_hold_no_token_and_no_session() -> None:
    for name, text in pages():
        if name.startswith(("catalogue/", "errors/")) or name == "base.html":
            assert not re.search(r"csrf_token|session|get_flashed_messages", text), name


def test_every_form_that_is_sent_holds_a_token_but_those_whose_origin_is_looked_at() -> None:
    for name, text in pages():
        if name.startswith("sandbox/"):
            continue
        for form in re.findall(r'<form[^>]*method="post".*?</form>', text, re.S):
            # One without a cookie leaves it out in a branch.
            if "checkout.add_to_cart" not in form and name != "fulfilment/_button.html":
                assert re.search(r"csrf_token", form), name


def sources() -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(SHOP.rglob("*.py")):
        name = path.relative_to(ROOT).as_posix()
        yield name, ast.parse(path.read_text("utf-8"))


def imports(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


def contracts() -> list[dict[str, Any]]:
    """The import contracts in pyproject.toml."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    return list(settings["contracts"])


def layers() -> list[set[str]]:
    """The packages, from above."""
    (order,) = [each["layers"] for each in contracts() if each["type"] == "layers"]
    return [set(re.findall(r"shop\.(\w+)", layer)) for layer in order]


OUTSIDE_THE_ORDER = {"__init__", "migrations", "sandbox"}


def test_every_package_has_its_place_in_the_order() -> None:
    """The contract says nothing about one that it does not name, which may then import what it likes."""
    there = {path.stem for path in SHOP.glob("*.py")} | {
        path.parent.name for path in SHOP.glob("*/*.py")
    }

    assert set().union(*layers()) == there - OUTSIDE_THE_ORDER


def test_every_package_and_the_sandbox_are_kept_apart_both_ways() -> None:
    """Neither contract says anything about a package that it does not name."""
    sides = ("source_modules", "forbidden_modules")
    pairs = [[each[side] for side in sides] for each in contracts() if each["type"] == "forbidden"]
    (kept_out,) = [others for ours, others in pairs if ours == ["shop.sandbox"]]
    (kept_away,) = [ours for ours, others in pairs if others == ["shop.sandbox"]]

    packages = sorted(f"shop.{package}" for package in set().union(*layers()))
    assert kept_out == kept_away == packages


def test_no_package_names_a_page_of_one_above(app: Flask) -> None:
    """Imports are looked at by the contract; a string would be an import that nobody sees."""
    height = {package: -at for at, layer in enumerate(layers()) for package in layer}
    named = 0
    for name, tree in sources():
        here = name.removesuffix(".py").split("/")[1]
        for node in ast.walk(tree):
            view = app.view_functions.get(node.value) if isinstance(node, ast.Constant) else None
            if view and "/sandbox/" not in name:
                there = view.__module__.split(".")[1]
                assert height[there] <= height[here], f"{name}:{node.lineno} names {node.value}"
                named += 1
    assert named > 20


def test_models_know_no_web_framework() -> None:
    found = 0
    for name, tree in sources():
        if name.endswith("/models.py"):
            found += 1
            for module in imports(tree):
                assert module.partition(".")[0] not in ("flask", "werkzeug", "wtforms"), name
    assert found >= 5


READ_THE_ENVIRONMENT = {
    "shop/config/environment.py",
    "shop/sandbox/settings.py",
    # These two only compare its names with the known ones, to warn of a misspelt setting.
    "shop/app.py",
    "shop/doctor/settings.py",
}


def test_an_order_has_a_status_and_everything_else_of_ours_a_state_in_our_own_spelling() -> None:
    columns = [column for table in Base.metadata.tables.values() for column in table.columns]

    named = {str(each) for each in columns if re.search(r"stat(e|us)", each.name)}
    assert named == {
        "orders.status",
        *("payments.state", "stock_holds.state", "deliveries.state", "outbox_mails.state"),
        *("payments.provider_status", "postbacks.claimed_status"),  # said by the provider
    }
    ours = {word for each in columns if isinstance(each.type, Enum) for word in each.type.enums}
    assert "cancelled" in ours
    assert "canceled" not in ours


def test_nothing_but_the_settings_reads_the_environment() -> None:
    reading = {
        name
        for name, tree in sources()
        for node in ast.walk(tree)
        if (isinstance(node, ast.Attribute) and node.attr in ("environ", "environb", "getenv"))
        and isinstance(node.value, ast.Name)
        and node.value.id == "os"
    }

    assert reading <= READ_THE_ENVIRONMENT
    for name, tree in sources():
        if name in ("shop/app.py", "shop/doctor/settings.py"):
            text = ast.unparse(tree)
            assert text.count("os.environ") == text.count("unknown_names(os.environ)"), name


def test_nothing_prints_or_runs_programs_or_evaluates() -> None:
    forbidden = {"print", "eval", "exec", "breakpoint", "__import__"}
    for name, tree in sources():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id not in forbidden, f"{name}:{node.lineno}"
        assert not {"subprocess", "pickle", "marshal"} & set(imports(tree)), name


def test_money_is_never_a_float() -> None:
    """Seconds and chances may be; amounts, prices and rates may not."""
    for name, tree in sources():
        if "/sandbox/" in name or name.startswith(("shop/ops/", "shop/failpoints")):
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id != "float", f"{name}:{node.lineno}"


def test_one_place_makes_an_order_paid() -> None:
    callers = {
        name
        for name, tree in sources()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "mark_paid"
    }

    assert callers == {"shop/payments/settling.py"}


def test_only_the_transaction_commits() -> None:
    for name, tree in sources():
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and node.attr == "commit":
                assert name == "shop/db.py", f"{name}:{node.lineno}"


def test_calls_go_one_way() -> None:
    """The contracts stand in pyproject.toml."""
    linter = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run(
        [str(linter), "--no-cache"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
