"""The scenes of the crash tests: each leads up to what a process is doing when it dies."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import select, update

from shop.attention.models import AttentionItem
from shop.db import db, transaction
from shop.outbox.models import OutboxMail
from shop.sandbox.invoices import Action
from tests.support.crashing import Task
from tests.support.stage import Stage

SWEEP = Task(command=("jobs", "run", "sweep"))
MAILS = Task(command=("jobs", "run", "mails"))
BY = ("--reason", "a test", "--who", "tester")
DAY_AND_HOUR = 25 * 60


def checkout(stage: Stage) -> Task:
    """The buyer sends the form."""
    return stage.fills_the_form()


def checkout_free(stage: Stage) -> Task:
    """The same with a cart that costs nothing, while the provider is away."""
    stage.sandbox.turn({"api": "down"})
    return stage.fills_the_form_for_nothing()


def checkout_refused(stage: Stage) -> Task:
    """The same, and the provider says no."""
    stage.sandbox.turn({"api": "406"})
    return stage.fills_the_form()


def check_with_a_refused_key(stage: Stage) -> Task:
    """The buyer has the payment checked, and the provider refuses the API key."""
    stage.orders()
    stage.sandbox.turn({"api": "401"})
    return stage.presses("check")


def pay_again(stage: Stage) -> Task:
    """The invoice has run out, and the buyer starts a new payment."""
    _runs_out(stage)
    return stage.presses("pay")


def postback(stage: Stage) -> Task:
    """The buyer has paid, and the provider says so."""
    invoice = stage.orders()
    stage.pays(invoice)
    return stage.postback(invoice)


def forged_postback(stage: Stage) -> Task:
    """The buyer has paid, the provider's postback is lost, and a forged one comes."""
    invoice = stage.orders()
    stage.pays(invoice)
    return stage.postback(invoice, token="a.forged.token")


def second_postback(stage: Stage) -> Task:
    """The goods are bought, and the first invoice, which had run out, is paid as well."""
    first = _paid_the_second(stage)
    stage.pays(first, Action.LATE)
    return stage.postback(first)


def check(stage: Stage) -> Task:
    """The buyer has paid, the postback is lost, and the buyer has the payment checked."""
    stage.pays(stage.orders())
    return stage.presses("check")


def sweep_of_a_lost_call(stage: Stage) -> Task:
    """A web process has died during its call, and the sweep comes upon it."""
    stage.dies(stage.fills_the_form(), "before_call")
    stage.waits(3)
    return SWEEP


def sweep_of_a_lost_answer(stage: Stage) -> Task:
    """The same after the provider had made the invoice; API v2 tells of it."""
    stage.dies(stage.fills_the_form(), "after_call")
    stage.waits(3)
    return SWEEP


def sweep_of_an_unknown_invoice(stage: Stage) -> Task:
    """The same, and somebody has paid it; API v1 tells of it in a postback only."""
    stage.dies(stage.fills_the_form(), "after_call")
    orphan_is_paid(stage)
    stage.waits(6)
    return SWEEP


def sweep_of_a_given_up_invoice(stage: Stage) -> Task:
    """The answer was lost, the buyer has started anew, and then the first invoice is paid."""
    stage.sandbox.turn({"api": "reset"})
    stage.fills_the_form()
    stage.sends_the_form()
    (orphan,) = stage.sandbox.invoices()
    stage.sandbox.turn({"api": "up"})
    stage.looks()
    stage.buyer.presses("pay")
    stage.pays(orphan.id)
    stage.tells(orphan.id)
    stage.waits(1)
    return SWEEP


def sweep_of_a_paid_invoice(stage: Stage) -> Task:
    """The buyer has paid, the postback is lost, and the sweep asks."""
    stage.pays(stage.orders())
    stage.waits(1)
    return SWEEP


def sweep_of_a_short_payment(stage: Stage) -> Task:
    """The same with a tenth missing."""
    stage.pays(stage.orders(), Action.SHORT)
    stage.waits(1)
    return SWEEP


def sweep_without_an_answer(stage: Stage) -> Task:
    """The buyer has paid, the postback is lost, the sweep asks, and the provider is down."""
    task = sweep_of_a_paid_invoice(stage)
    stage.sandbox.turn({"api": "down"})
    return task


def sweep_at_the_end(stage: Stage) -> Task:
    """Nobody has paid and the day is over; the provider has closed the invoice."""
    stage.orders()
    stage.waits(DAY_AND_HOUR)
    return SWEEP


def sweep_at_the_end_without_invoice(stage: Stage) -> Task:
    """The day is over for an order whose invoice was refused."""
    checkout_refused(stage)
    stage.sends_the_form()
    stage.sandbox.turn({"api": "up"})
    stage.waits(DAY_AND_HOUR)
    return SWEEP


def sweep_with_an_alarm(stage: Stage) -> Task:
    """Something waits for a person, whom no mail has told yet."""
    _paid_twice(stage)
    return SWEEP


def sweep_with_nothing_to_do(stage: Stage) -> Task:
    """All is done."""
    _bought(stage)
    stage.sweeps()
    return SWEEP


def sweep_after_a_clock_was_ahead(stage: Stage) -> Task:
    """The mail with the goods was queued while the clock was a day ahead, and it is right now."""
    _bought(stage)
    with stage.app.app_context(), transaction() as session:
        session.execute(
            update(OutboxMail).values(next_try_at=stage.clock.now() + timedelta(days=1))
        )
    return SWEEP


def mail(stage: Stage) -> Task:
    """The goods are handed over, and their mail is sent."""
    _bought(stage)
    return MAILS


def cancel(stage: Stage) -> Task:
    """A person cancels an order that nobody has paid."""
    stage.orders()
    return Task(command=("orders", "cancel", stage.number(), *BY))


def confirm(stage: Stage) -> Task:
    """A person vouches for an order's money."""
    stage.orders()
    return Task(command=("orders", "confirm", stage.number(), "--transaction", "4711", *BY))


def refund(stage: Stage) -> Task:
    """A person notes that money has gone back."""
    _bought(stage)
    return Task(command=("orders", "refund", stage.number(), "--transaction", "4711", *BY))


def reissue(stage: Stage) -> Task:
    """A buyer's licence key was damaged, and a person gives another one."""
    _bought(stage)
    return Task(command=("orders", "reissue", stage.number(), "--line", "2", *BY))


def erase(stage: Stage) -> Task:
    """A buyer who has got everything asks to be forgotten."""
    _bought(stage)
    stage.waits(3)
    stage.sweeps()  # so that no mail is on its way
    return Task(command=("privacy", "erase", stage.buyer.email, *BY))


def resolve(stage: Stage) -> Task:
    """A person has seen to what waited for one."""
    _paid_twice(stage)
    stage.sweeps()
    with stage.app.app_context():
        item = db.session.scalars(select(AttentionItem.id)).one()
    return Task(command=("attention", "resolve", str(item), *BY))


def replay(stage: Stage) -> Task:
    """A person has a postback acted upon once more."""
    return Task(command=("postbacks", "replay", _bought(stage)))


def add_keys(stage: Stage) -> Task:
    """A person puts keys into stock, while somebody buys."""
    stage.orders()
    file = stage.settings.shop_data_dir / "keys.txt"
    file.write_text("NEW-1\nNEW-2\n")
    return Task(command=("keys", "add", stage.slugs[1], str(file)))


def set_rates(stage: Stage) -> Task:
    """A person sets a rate, while somebody buys."""
    stage.orders()
    return Task(command=("rates", "set", "EUR=1.1"))


def import_products(stage: Stage) -> Task:
    """A person imports a product, while somebody buys."""
    stage.orders()
    file = stage.settings.shop_data_dir / "products.yaml"
    file.write_text(
        "products:\n- {slug: new, title: New, summary: A new one, prices: {USD: 5}, delivery: {text: It}}\n"
    )
    return Task(command=("products", "import", str(file)))


def import_addresses(stage: Stage) -> Task:
    """A person has an old address lead to a product, while somebody buys."""
    stage.orders()
    file = stage.settings.shop_data_dir / "addresses.csv"
    file.write_text(f"/old/,/products/{stage.slugs[0]}\n")
    return Task(command=("products", "addresses", "import", str(file)))


def orphan_is_paid(stage: Stage) -> None:
    """The invoice whose answer was lost is paid, and the provider's postback arrives."""
    (orphan,) = stage.sandbox.invoices()
    stage.pays(orphan.id)
    stage.tells(orphan.id)


def _bought(stage: Stage) -> str:
    invoice = stage.orders()
    stage.pays(invoice)
    stage.tells(invoice)
    return invoice


def _runs_out(stage: Stage) -> str:
    invoice = stage.orders()
    stage.pays(invoice, Action.EXPIRE)
    stage.looks()
    stage.buyer.presses("check")
    return invoice


def _paid_the_second(stage: Stage) -> str:
    """Two payments for an order, the second of them paid; the first one's invoice."""
    first = _runs_out(stage)
    stage.looks()
    stage.buyer.presses("pay")
    second = stage.buyer.shown[-1]
    stage.pays(second)
    stage.tells(second)
    return first


def _paid_twice(stage: Stage) -> None:
    first = _paid_the_second(stage)
    stage.pays(first, Action.LATE)
    stage.tells(first)
