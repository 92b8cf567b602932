"""Every component in every state on one page, for those who work on how the shop looks.

It is there in development only.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from flask import Blueprint, current_app, render_template
from flask.typing import ResponseReturnValue
from wtforms.fields.choices import SelectChoice

from .catalogue.storefront.addresses import address_at_hand
from .catalogue.storefront.pages import Card, ChoiceLink, Picture, currency_links
from .checkout.forms import CheckoutForm
from .money import Money
from .orderpage.states import PageState

bp = Blueprint("components", __name__)


@bp.get("/components")
def components() -> ResponseReturnValue:
    """Show every component, with made-up goods."""
    return render_template(
        "development/components.html",
        form=_form(),
        wrong_form=_form(email="buyer@", errors=True),
        cart=_cart(),
        cards=_cards(),
        currency_links=currency_links(address_at_hand("/components")),
        choices=[ChoiceLink("The chosen", "#", True), ChoiceLink("Another", "#", False)],
        listing=SimpleNamespace(last=3, number=2, previous="#", next="#"),
        states=list(PageState),
    )


def _form(*, email: str = "", errors: bool = False) -> CheckoutForm:
    form = CheckoutForm(
        formdata=None, data={"email": email, "currency": "USD"}, prefix=f"{errors}-"
    )
    form.currency.choices = [SelectChoice("USD", "10.00 USD"), SelectChoice("EUR", "9.20 EUR")]
    if errors:
        form.email.errors = form.currency.errors = form.comment.errors = [
            "What is wrong, and what to do"
        ]
    return form


def _cart() -> Any:
    lines = [
        SimpleNamespace(quantity=quantity, title=title, total=Money(minor, "USD"))
        for quantity, title, minor in ((1, "A short title", 1000), (12, "A title " * 9, 1234500))
    ]
    return SimpleNamespace(lines=lines, total=Money(1235500, "USD"))


def _cards() -> list[Card]:
    asset: Any = current_app.jinja_env.globals["asset"]
    picture = Picture("A made-up picture", 180, 180, asset("img/touch-icon.png"), "")
    return [
        _card("In stock", price=Money(1000, "USD")),
        _card("The last few", price=Money(1000, "USD"), left=3),
        _card("Sold out", price=Money(1000, "USD"), sold_out=True),
        _card("With a picture", price=Money(1000, "USD"), image=picture),
        _card("Not sold in this currency"),
        _card("Not sold at all", unpriced=True),
    ]


def _card(title: str, **values: Any) -> Card:
    given: dict[str, Any] = {"price": None, "image": None, "left": None}
    given |= {"unpriced": False, "sold_out": False} | values
    return Card(slug="x", title=title, summary="What it is, in one sentence.", url="#", **given)
