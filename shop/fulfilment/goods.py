"""What the buyer sees of a delivery, on the order page and in the mail; and the download link."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from itsdangerous import BadData, URLSafeTimedSerializer
from markupsafe import Markup, escape

from ..catalogue.markdown import plain, render
from ..catalogue.models import DeliveryKind
from ..catalogue.storage import storage
from ..config import current_settings
from ..db import utcnow
from ..i18n import prefix_of, readable_size
from ..orders.models import Order
from ..signing import accepted_keys
from .downloads import is_over, terms_left
from .models import Delivery, DeliveryState
from .queries import deliveries_of, find_delivery

LINK_SECONDS = 7 * 24 * 3600
"""How long a download link works; the order page makes a new one each time it is opened."""


@dataclass(frozen=True)
class Goods:
    """One line's goods, or one of its files, ready to be shown."""

    title: str
    part: int
    """Which of the line's files it is. Pages and mails say with the first one what is about the whole line."""
    kind: DeliveryKind
    state: DeliveryState
    text: Markup
    plain_text: str
    markdown: bool
    """Whether the text was Markdown; else each of its letters, blanks and line ends counts."""
    keys: Sequence[str]
    download_url: str | None
    button: str
    """Where the order page's own download button posts to; empty if downloads are unlimited: a link will do."""
    file_name: str | None
    file_size: str | None
    terms: str
    """What is left of the file's downloads, where they are limited."""


def goods_of(order: Order) -> list[Goods]:
    """What the order hands over; nothing before it is paid, nor once its money goes back."""
    deliveries = deliveries_of(order.id) if order.has_goods else []
    return [goods_in(delivery, order) for delivery in deliveries]


def goods_in(delivery: Delivery, order: Order) -> Goods:
    """What one delivery hands over, ready to be shown."""
    ready = delivery.state is DeliveryState.DELIVERED
    text, file = (delivery.text, delivery.file) if ready else ("", "")
    now = utcnow()
    path = download_path(delivery, order) if file and not is_over(delivery, now) else ""
    return Goods(
        title=delivery.line.title,
        part=delivery.part,
        kind=delivery.kind,
        state=delivery.state,
        text=render(text) if delivery.markdown else escape(text),
        plain_text=plain(text) if delivery.markdown else text,
        markdown=delivery.markdown,
        keys=[key.value for key in delivery.keys],
        download_url=current_settings().shop_public_url + path if path else None,
        button=path if delivery.line.max_downloads is not None else "",
        file_name=PurePosixPath(file).name if file else None,
        file_size=_size(delivery) if file else None,
        terms=terms_left(delivery, now) if file else "",
    )


def _size(delivery: Delivery) -> str | None:
    size = delivery.file_size
    if size is None:
        size = storage().known_size(delivery.file)
    return None if size is None else readable_size(size)


def download_url(delivery: Delivery, order: Order) -> str:
    """A signed, expiring link to the file, for this order's link version only."""
    return current_settings().shop_public_url + download_path(delivery, order)


def download_path(delivery: Delivery, order: Order) -> str:
    """The download link without its host."""
    return f"{prefix_of(order.language)}/downloads/{download_token(delivery, order)}"


def download_token(delivery: Delivery, order: Order) -> str:
    """The secret part of the link."""
    which = [order.number, delivery.line.position, order.link_version]
    return str(_serializer().dumps(which if delivery.part == 1 else [*which, delivery.part]))


def find_download(token: str) -> Delivery | None:
    """The delivery that a download link opens; None when it is forged, too old or called in.

    The caller must look whether the order still has its goods.
    """
    try:
        which, made_at = _serializer().loads(token, return_timestamp=True)
        number, position, version, *parts = which  # a first file's token names no part
    except (BadData, ValueError, TypeError):
        return None
    if made_at.timestamp() < time.time() - LINK_SECONDS:
        return None  # a token from the future opens: we made it while our clock was ahead
    delivery = find_delivery(number, position, *parts)
    if delivery is None or delivery.state is not DeliveryState.DELIVERED or not delivery.file:
        return None
    return delivery if delivery.order.link_version == version else None


def _serializer() -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(accepted_keys(), salt="download-link")
