"""kill -9 at every point where something is half done: what is left, and what the next sweep makes of it.

Real processes die, by SIGKILL. In the quick tier each is forked from a warm parent; in the long tier
also gunicorn, and commands in interpreters of their own, die at every point.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cache
from itertools import product
from pathlib import Path

import pytest
from sqlalchemy import select, text

from shop import create_app
from shop.checkout import service as checkout
from shop.db import db
from shop.payments import settling
from shop.payments.cryptocloud import InvoiceInfo, InvoiceStatus
from shop.payments.models import Payment, PaymentState
from tests.conftest import make_settings
from tests.support import scenes
from tests.support.crashing import Fresh, Nursery, Task, own_clock
from tests.support.ledger import tally
from tests.support.live_sandbox import running_sandbox
from tests.support.mutants import Killed, dies_here, mutant
from tests.support.postgres import postgres_database
from tests.support.processes import ROOT
from tests.support.promises import Promise
from tests.support.stage import Stage

OPERATOR = "operator@shop.example"
MORE = {"SHOP_ALERT_EMAIL": OPERATOR}
FORKED, FRESH = "forked", "fresh"


@dataclass(frozen=True)
class Crash:
    """A process dies at any of these points of a scene; what is left, and what becomes of it."""

    name: str
    """The crash point, as docs/states.md numbers it."""
    scene: Callable[[Stage], Task]
    points: str
    left: str
    """Where order and newest payment stand when the process is dead; "-": there is none."""
    sweeps: tuple[float, ...]
    """When the sweeps run, each so many minutes after what came before it."""
    then: str
    """Where order and payment stand after them, when the buyer has sent the form again."""
    page: str
    """What the order page says then."""
    meanwhile: Callable[[Stage], None] | None = None
    during: str = "up"
    """How the provider answers the first sweep."""
    told: frozenset[str] = field(default=frozenset())
    """What waits for a person in the end."""
    end: str = "delivered"
    """What the order page says when the buyer has done everything it asks for."""
    again: bool = False
    """The person who gave the command gives it once more, after the sweeps."""
    api: str = "12"
    """Under which versions of the provider's API this can happen."""


def dies(
    name: str,
    scene: Callable[[Stage], Task],
    points: str,
    left: str,
    sweeps: tuple[float, ...],
    then: str,
    page: str,
    told: str = "",
    **more: object,
) -> Crash:
    return Crash(
        name, scene, points, left, sweeps, then, page, told=frozenset(told.split()), **more
    )  # type: ignore[arg-type]


# fmt: off
CRASHES = (
    # A web process, from the form to the pay page.
    dies("K1", scenes.checkout, "before_order inside_order",
         "-", (), "pending open", "waiting"),
    dies("K2", scenes.checkout, "after_order before_call",
         "pending creating", (3,), "pending abandoned", "failed"),
    dies("K4", scenes.checkout, "after_call",
         "pending creating", (3,), "pending abandoned", "failed", api="1"),
    dies("K4", scenes.checkout, "after_call",
         "pending creating", (1,), "pending open", "waiting", api="2"),
    dies("K5", scenes.checkout, "before_bind inside_bind after_invoice_noted",
         "pending creating", (3,), "pending abandoned", "failed", api="1"),
    dies("K5", scenes.checkout, "before_bind inside_bind after_invoice_noted",
         "pending creating", (1,), "pending open", "waiting", api="2"),
    dies("K1", scenes.checkout_free, "before_order inside_order",
         "-", (), "fulfilled free", "delivered", during="down"),
    dies("K2", scenes.checkout_free, "after_order before_delivery inside_delivery after_key_noted",
         "paid free", (0,), "fulfilled free", "delivered", during="down"),
    dies("K6", scenes.checkout_free, "after_delivery",
         "fulfilled free", (0,), "fulfilled free", "delivered", during="down"),
    dies("K6", scenes.checkout, "after_bind",
         "pending open", (), "pending open", "waiting"),
    dies("K2", scenes.checkout_refused, "before_call_failed inside_call_failed",
         "pending creating", (3,), "pending abandoned", "failed"),
    dies("K6", scenes.checkout_refused, "after_call_failed",
         "pending failed", (1,), "pending failed", "busy"),
    dies("K7", scenes.pay_again, "before_start_payment inside_start_payment",
         "expired cancelled", (3,), "expired cancelled", "expired"),
    dies("K7", scenes.pay_again, "after_start_payment before_call",
         "pending creating", (3,), "pending abandoned", "failed"),
    dies("K7", scenes.pay_again, "after_call",
         "pending creating", (3,), "pending abandoned", "failed", api="1"),
    dies("K7", scenes.pay_again, "after_call",
         "pending creating", (3,), "pending open", "waiting", api="2"),
    # A web process, when it learns of money.
    dies("K8", scenes.postback, "before_inbox inside_inbox after_paid_noted",
         "pending open", (1,), "fulfilled paid", "delivered"),
    dies("K9", scenes.postback, "after_inbox",
         "pending open", (0,), "fulfilled paid", "delivered"),
    dies("K11", scenes.postback, "before_settle inside_settle",
         "pending open", (0,), "fulfilled paid", "delivered"),
    dies("K12", scenes.postback, "after_settle before_delivery inside_delivery after_key_noted",
         "paid paid", (0,), "fulfilled paid", "delivered"),
    dies("K12", scenes.postback, "after_delivery",
         "fulfilled paid", (0,), "fulfilled paid", "delivered"),
    dies("K8", scenes.second_postback, "before_inbox inside_inbox",
         "fulfilled paid", (3,), "fulfilled paid", "delivered", "paid_twice"),
    dies("K11", scenes.second_postback, "after_inbox before_settle inside_settle after_settle",
         "fulfilled paid", (0,), "fulfilled paid", "delivered", "paid_twice"),
    dies("K8", scenes.forged_postback, "before_nudge inside_nudge after_nudge",
         "pending open", (1,), "fulfilled paid", "delivered"),
    dies("K11", scenes.check, "before_claim_check inside_claim_check after_claim_check"
         " after_paid_noted",
         "pending open", (1,), "fulfilled paid", "delivered"),
    dies("K11", scenes.check_with_a_refused_key,
         "before_attention inside_attention after_attention",
         "pending open", (1,), "pending open", "waiting", "key_refused", during="401"),
    dies("K23", scenes.checkout, "after_call",
         "pending creating", (6,), "pending abandoned", "failed", "unmatched_invoice",
         meanwhile=scenes.orphan_is_paid, api="1"),
    dies("K23", scenes.checkout, "after_call",
         "pending creating", (1, 1), "fulfilled paid", "delivered",
         meanwhile=scenes.orphan_is_paid, api="2"),
    # The worker.
    dies("K13", scenes.mail, "before_mail_claim inside_mail_claim after_mail_claim before_send"
         " after_send before_mail_sent inside_mail_sent after_mail_sent",
         "fulfilled paid", (3,), "fulfilled paid", "delivered"),
    dies("K13", scenes.sweep_with_an_alarm, "before_alert inside_alert after_alert",
         "fulfilled paid", (3,), "fulfilled paid", "delivered", "paid_twice"),
    dies("K14", scenes.sweep_of_a_lost_call, "before_lost_call inside_lost_call",
         "pending creating", (0,), "pending abandoned", "failed"),
    dies("K14", scenes.sweep_of_a_lost_call, "after_lost_call",
         "pending unknown", (0,), "pending abandoned", "failed"),
    dies("K14", scenes.sweep_of_a_lost_answer, "before_bind inside_bind",
         "pending unknown", (0,), "pending open", "waiting", api="2"),
    dies("K14", scenes.sweep_of_a_lost_answer, "after_bind",
         "pending open", (0,), "pending open", "waiting", api="2"),
    dies("K14", scenes.sweep_of_an_unknown_invoice, "before_judge inside_judge after_judge",
         "pending abandoned", (0,), "pending abandoned", "failed", "unmatched_invoice", api="1"),
    dies("K14", scenes.sweep_of_a_given_up_invoice, "before_match inside_match",
         "pending open", (0, 1), "fulfilled open", "delivered", api="2"),
    dies("K14", scenes.sweep_of_a_given_up_invoice, "after_match before_judge",
         "pending open", (0,), "fulfilled open", "delivered", api="2"),
    dies("K14", scenes.sweep_of_a_paid_invoice, "before_claim inside_claim",
         "pending open", (0,), "fulfilled paid", "delivered"),
    dies("K14", scenes.sweep_of_a_paid_invoice, "after_claim before_settle inside_settle",
         "pending open", (1,), "fulfilled paid", "delivered"),
    dies("K14", scenes.sweep_of_a_paid_invoice, "after_settle before_delivery inside_delivery",
         "paid paid", (0,), "fulfilled paid", "delivered"),
    # With API v1, which tells no figures, a part is known to be one after five minutes only.
    dies("K14", scenes.sweep_of_a_short_payment, "inside_settle",
         "pending open", (1,), "pending partial", "partial", api="2"),
    dies("K14", scenes.sweep_without_an_answer,
         "before_check_again inside_check_again after_check_again",
         "pending open", (1,), "fulfilled paid", "delivered"),
    dies("K15", scenes.sweep_at_the_end, "before_settle inside_settle",
         "pending open", (0,), "expired cancelled", "expired"),
    # What is overdue comes before all else that is due, and is watched on, should the money come late.
    dies("K15", scenes.sweep_at_the_end, "after_settle before_claim inside_claim after_claim",
         "expired cancelled", (0,), "expired cancelled", "expired"),
    dies("K15", scenes.sweep_at_the_end_without_invoice, "before_expire inside_expire",
         "pending failed", (0,), "expired failed", "expired"),
    dies("K15", scenes.sweep_at_the_end_without_invoice, "after_expire",
         "expired failed", (0,), "expired failed", "expired"),
    dies("K14", scenes.sweep_with_nothing_to_do,
         "before_job_run inside_job_run after_job_run before_rations inside_rations after_rations"
         " before_forget inside_forget after_forget"
         " before_watch_again inside_watch_again after_watch_again",
         "fulfilled paid", (0,), "fulfilled paid", "delivered"),
    dies("K14", scenes.sweep_after_a_clock_was_ahead, "before_clock inside_clock after_clock",
         "fulfilled paid", (0,), "fulfilled paid", "delivered"),
    # A person at the command line.
    dies("K20", scenes.cancel, "before_cancel inside_cancel",
         "pending open", (1,), "pending open", "waiting"),
    dies("K20", scenes.cancel, "before_cancel inside_cancel",
         "pending open", (1,), "cancelled cancelled", "cancelled", again=True, end="cancelled"),
    dies("K20", scenes.cancel, "after_cancel",
         "cancelled cancelled", (1,), "cancelled cancelled", "cancelled", end="cancelled"),
    dies("K20", scenes.confirm, "before_confirm inside_confirm",
         "pending open", (1,), "fulfilled paid", "delivered", again=True),
    dies("K20", scenes.confirm, "after_confirm",
         "paid paid", (0,), "fulfilled paid", "delivered"),
    dies("K20", scenes.refund, "before_refund inside_refund",
         "fulfilled paid", (0,), "refunded paid", "refunded", again=True, end="refunded"),
    dies("K20", scenes.refund, "after_refund",
         "refunded paid", (0,), "refunded paid", "refunded", end="refunded"),
    dies("K20", scenes.reissue, "before_reissue inside_reissue",
         "fulfilled paid", (0,), "fulfilled paid", "delivered", again=True),
    dies("K20", scenes.reissue, "after_reissue",
         "fulfilled paid", (0,), "fulfilled paid", "delivered"),
    dies("K20", scenes.erase, "before_erase inside_erase after_erased_noted",
         "fulfilled paid", (0,), "fulfilled paid", "delivered", again=True),
    dies("K20", scenes.erase, "after_erase",
         "fulfilled paid", (0,), "fulfilled paid", "delivered"),
    dies("K20", scenes.resolve, "before_resolve inside_resolve",
         "fulfilled paid", (0,), "fulfilled paid", "delivered", again=True),
    dies("K20", scenes.resolve, "after_resolve",
         "fulfilled paid", (0,), "fulfilled paid", "delivered"),
    dies("K20", scenes.replay, "before_replay inside_replay after_replay",
         "fulfilled paid", (0,), "fulfilled paid", "delivered"),
    dies("K20", scenes.add_keys, "before_keys inside_keys after_keys",
         "pending open", (1,), "pending open", "waiting", again=True),
    dies("K20", scenes.set_rates, "before_rates inside_rates after_rates",
         "pending open", (1,), "pending open", "waiting", again=True),
    dies("K20", scenes.import_products, "before_import inside_import after_import",
         "pending open", (1,), "pending open", "waiting", again=True),
    dies("K20", scenes.import_addresses, "before_addresses inside_addresses after_addresses",
         "pending open", (1,), "pending open", "waiting", again=True),
)
# fmt: on

NOT_HERE = {
    "K1c": "the commit is done and its answer is lost: test_the_database_is_cut_off.py",
    "K3": "nobody can tell it from K2 or K4, and it leaves what K2 leaves",
    "K10": "does not exist: the provider is asked before it is answered",
    "K16": "does not exist: status and stock are one transaction, so this is `inside_expire`",
    "K17": "a migration is no use case of the shop: it has no failpoints",
    "K18": "does not exist: the operator makes the secrets",
    "K19": "does not exist: the operator makes the backups",
    "K21": "gunicorn kills a worker in its call: the same as K4; and test_killed_processes.py",
    "K22": "does not exist: only wake-ups, which are hints, are kept outside the database",
    "K24": "the machine loses power: test_power_loss.py",
}
"""Crash points without a line above, and why."""

ELSEWHERE = {
    "books": "dies in a test of its own, below: it has something to do only when the books are wrong",
    **dict.fromkeys(
        ("mail_again", "mail_link", "address", "bounce", "proof", "limits"),
        "dies in tests/checkout/test_a_buyer_minds_the_mail.py: no money and no goods move",
    ),
    **dict.fromkeys(
        ("download", "link"),
        "dies in tests/fulfilment/test_download_links.py: no money and no goods move",
    ),
    "put_back": "dies in tests/fulfilment/test_what_was_given_counts.py: no money and no goods move",
    **dict.fromkeys(
        ("spent_key", "journal_mark", "unknown_invoice", "ask_again"),
        "dies in tests/books/test_journal_is_compared.py: it does again what the journal says was done",
    ),
    "withdraw_keys": "dies in tests/books/test_journal_is_compared.py: no money and no goods move",
    "look": "writes nothing that stays: it finds out what putting keys into stock would say",
    "probe": "writes nothing that stays: it finds out whether the database can be written to",
}
"""Transactions without a line above, and why."""


@pytest.fixture(scope="module")
def theatres(request: pytest.FixtureRequest) -> Iterator[Callable[[str], Stage]]:
    """The stage on each engine, made when it is first wanted; each scene begins with an empty shop."""
    with ExitStack() as stack:

        @cache
        def theatre(engine: str) -> Stage:
            folder = request.getfixturevalue("tmp_path_factory").mktemp("crashes")
            if engine == "sqlite":
                url = f"sqlite:///{folder}/shop.db"
                shutil.copyfile(request.getfixturevalue("sqlite_template"), folder / "shop.db")
            else:
                url = stack.enter_context(
                    postgres_database(*request.getfixturevalue("postgres_template"))
                )
            return stack.enter_context(running_stage(folder, url))

        yield theatre


@contextmanager
def running_stage(folder: Path, database_url: str) -> Iterator[Stage]:
    with running_sandbox() as sandbox:
        provider = sandbox.settings
        settings = make_settings(
            folder / "data",
            database_url,
            cryptocloud_api_url=provider.public_url,
            cryptocloud_pay_hosts=provider.pay_origins(),
            shop_alert_email=OPERATOR,
        )
        app = create_app(settings)
        with Nursery(settings, folder / "nursery.log", **MORE) as nursery:
            yield Stage(app, settings, sandbox, nursery)
        with app.app_context():
            db.engine.dispose()


@pytest.fixture
def stage(
    engine: str, theatres: Callable[[str], Stage], request: pytest.FixtureRequest
) -> Iterator[Stage]:
    """The stage at the beginning of a scene, by the API's version and by how processes are made."""
    stage = theatres(engine)
    api, how = getattr(request, "param", ("1", FORKED))
    with own_clock(stage.clock):
        stage.begin(Fresh(stage.settings, MORE) if how == FRESH else stage.living, api)
        yield stage


def cases() -> Iterator[object]:
    """Every crash at each of its points, under each version of the API, on each engine.

    The quick tier takes one point of every third line of the table, by turns on both engines; the
    long tier adds all others and, again by turns, processes started afresh.
    """
    for turn, engine in enumerate(("sqlite", "postgresql")):
        for number, crash in enumerate(CRASHES):
            for point, api, how in product(crash.points.split(), crash.api, (FORKED, FRESH)):
                first = (point, api, how) == (crash.points.split()[0], crash.api[0], FORKED)
                if how == FRESH and (api != crash.api[0] or number % 2 != turn):
                    continue
                yield pytest.param(
                    engine,
                    (api, how),
                    crash,
                    point,
                    id=f"{engine}-{crash.name}-{crash.scene.__name__}-{point}-v{api}-{how}",
                    marks=[] if first and number % 6 == 2 * turn else [pytest.mark.long],
                )


@pytest.mark.promise(4, 5)
@pytest.mark.parametrize(
    ("engine", "stage", "crash", "point"), cases(), indirect=["engine", "stage"]
)
def test_a_process_that_dies_there_loses_and_doubles_nothing(
    stage: Stage, crash: Crash, point: str, promise: Promise
) -> None:
    task = crash.scene(stage)
    stage.dies(task, point)
    assert stage.state() == crash.left

    if crash.meanwhile:
        crash.meanwhile(stage)
    stage.sandbox.turn({"api": crash.during})
    for minutes in crash.sweeps:
        stage.sweeps(minutes)
        stage.sandbox.turn({"api": "up"})
    if crash.again:
        assert stage.lives(*task.command).code == 0
    stage.sends_the_form()

    promise.cases += stage.kills
    assert (stage.state(), stage.looks()) == (crash.then, crash.page)
    assert tally(promise, [*stage.found(), *stage.lies()]) == []
    assert stage.attention() == crash.told
    assert stage.goes_on() == crash.end
    stage.sweeps(3)
    assert tally(promise, [*stage.found(), *stage.lies()]) == []
    assert stage.unsent() == []


@pytest.mark.promise(4)
@pytest.mark.parametrize("engine", ["sqlite", pytest.param("postgresql", marks=pytest.mark.long)])
@pytest.mark.parametrize("point", ["before_books", "inside_books", "after_books"])
def test_a_check_of_the_books_that_dies_is_done_again(
    stage: Stage, point: str, promise: Promise
) -> None:
    with stage.app.app_context(), db.engine.begin() as connection:
        connection.execute(text("UPDATE products SET available = available + 1"))

    stage.dies(scenes.SWEEP, point)
    stage.sweeps(1)

    promise.cases += stage.kills
    assert stage.attention() == {"wrong_stock"}
    assert stage.unsent() == []


def test_every_point_at_which_the_shop_can_die_is_in_the_table() -> None:
    """Whoever writes a new transaction says what repairs it, or this fails."""
    code = "".join(path.read_text() for path in (ROOT / "shop").rglob("*.py"))
    names = {*re.findall(r'\btransaction\("(\w+)"[,)]', code)} - set(ELSEWHERE)
    points = {f"{when}_{name}" for name in names for when in ("before", "inside", "after")}
    points |= set(re.findall(r'\bfailpoint\("(\w+)"\)', code))
    kinds = set(re.findall(r'\bjournal\.note\("(\w+)"', code)) - set(ELSEWHERE)
    points |= {f"after_{kind}_noted" for kind in kinds}

    listed = {point for crash in CRASHES for point in crash.points.split()}

    assert listed == points
    assert len(listed) >= 24


def test_every_crash_point_has_a_line_or_a_reason_for_having_none() -> None:
    names = {crash.name for crash in CRASHES}

    assert names.isdisjoint(NOT_HERE)
    assert names | set(NOT_HERE) - {"K1c"} == {f"K{number}" for number in range(1, 25)}
    states = (ROOT / "docs" / "states.md").read_text("utf-8")
    assert set(re.findall(r"\bK\d+c?\b", states)) == names | set(NOT_HERE)


# The controls: with a protection taken away, a death leaves something that the checks find.

only_sqlite = pytest.mark.parametrize("engine", ["sqlite"])


@only_sqlite
def test_control_a_free_order_that_is_settled_after_its_commit_is_found(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No sweep would come back to it: it has no payment, and nobody would ever pay it."""
    later = mutant(
        checkout._write, "settle_free(session, lock_order(session, order.id), now)", "pass"
    )
    monkeypatch.setattr(checkout, "_write", later)
    stage.fills_the_form_for_nothing()
    dies_here(monkeypatch, "after_order")

    with pytest.raises(Killed):
        stage.sends_the_form()

    assert "free_not_given" in str(stage.found())


@only_sqlite
def test_control_an_order_committed_before_its_payment_is_found(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    makes = "new_payment(session, order, 1, now)"
    alone = mutant(checkout._write, makes, 'NewPayment(0, order.id, "none", order.total, "")')
    later = (
        '    with transaction("payment") as session:\n'
        "        new_payment(session, order, 1, utcnow())\n    log.info("
    )
    split = mutant(checkout.place_order, "    log.info(", later)
    monkeypatch.setattr(checkout, "_write", alone)
    monkeypatch.setattr("shop.checkout.views.place_order", split)
    stage.fills_the_form()
    dies_here(monkeypatch, "before_payment")

    with pytest.raises(Killed):
        stage.sends_the_form()
    stage.sweeps(3)

    assert "has no payment, so nobody can pay it" in str(stage.found())


@only_sqlite
def test_control_a_payment_that_is_settled_twice_is_found(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    unguarded = mutant(settling.settle, "if payment.state is PaymentState.PAID:", "if False:")
    stage.pays(stage.orders())
    stage.tells(stage.buyer.shown[-1])
    move = Payment.move

    def careless(payment: Payment, state: PaymentState) -> None:
        if payment.state is not state:
            move(payment, state)

    with stage.app.app_context():
        payment = db.session.scalars(select(Payment)).one()
        paid = InvoiceInfo(InvoiceStatus.PAID)
        assert not settling.settle(payment.order_id, payment.id, paid)
        assert stage.found() == []
        monkeypatch.setattr(Payment, "move", careless)
        unguarded(payment.order_id, payment.id, paid)

    assert "was paid 1 times, not 2" in str(stage.found())


@only_sqlite
def test_control_goods_planned_after_the_commit_that_settles_are_found(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    nothing = mutant(settling.complete, "plan_deliveries(session, order, note=", "str(object=")
    end = "    return order.status is OrderStatus.PAID"
    later = '    with transaction("plan") as session:\n        plan_deliveries(session, order)\n'
    monkeypatch.setattr(settling, "complete", nothing)
    monkeypatch.setattr("shop.payments.checking.settle", mutant(settling.settle, end, later + end))
    invoice = stage.orders()
    stage.pays(invoice)
    dies_here(monkeypatch, "before_plan")

    with pytest.raises(Killed):
        stage.tells(invoice)
    stage.sweeps()

    found = str(stage.found())
    assert "goods_missing" in found
    assert "mail_missing" in found
