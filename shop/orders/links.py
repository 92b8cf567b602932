"""The order link: a signed token that a mail can carry again and a copied database cannot forge."""

from __future__ import annotations

from itsdangerous import BadData, URLSafeSerializer

from ..config import current_settings
from ..i18n import prefix_of
from ..signing import accepted_keys
from .models import Order
from .queries import find_order


def order_token(order: Order) -> str:
    """The secret part of the order's address."""
    # The number, because it is random: keys count up, and would tell how much is sold.
    return _serializer().dumps([order.number, order.link_version])


def find_order_by_token(token: str) -> Order | None:
    """The order that the token opens; None for a forged, outdated or foreign one alike."""
    order, version = _read(token)
    return order if order and order.link_version == version else None


def find_order_by_old_token(token: str) -> Order | None:
    """The order that an outdated token once opened. The caller must know the visitor by something else."""
    order, version = _read(token)
    return order if order and order.link_version != version else None


def _read(token: str) -> tuple[Order | None, int]:
    try:
        number, version = _serializer().loads(token)
    except (BadData, ValueError, TypeError):
        return None, 0
    return find_order(number), version


def order_path(order: Order) -> str:
    """The order page's address in the language in which the order was placed."""
    return f"{prefix_of(order.language)}/orders/{order_token(order)}"


def order_url(order: Order) -> str:
    """The order page's address in full, for mails: it starts with the configured public address."""
    return current_settings().shop_public_url + order_path(order)


def _serializer() -> URLSafeSerializer:
    return URLSafeSerializer(accepted_keys(), salt="order-link")
