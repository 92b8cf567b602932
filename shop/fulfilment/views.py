"""Downloads."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import PurePosixPath

import structlog
from flask import Blueprint, Response, abort, make_response, render_template, request, url_for
from flask_babel import gettext, ngettext

from ..catalogue.storage import Bucket, Folder, StorageFailed, storage
from ..config import current_settings
from ..db import end_read, utcnow
from ..i18n import moment_text
from ..orders.models import Order, OrderStatus
from ..web.attachments import attachment, disposition, first_byte, mimetype_of
from .downloads import count_download, is_continued
from .files import report_file
from .goods import find_download
from .models import Delivery

bp = Blueprint("fulfilment", __name__)
log = structlog.get_logger()


@bp.get("/downloads/<token>")
def download(token: str) -> Response:
    """The file behind a signed link, always as an attachment: goods are not pages of this shop."""
    delivery = find_download(token)
    if delivery is None:
        abort(410)
    if not delivery.order.has_goods:
        return _refunded(delivery.order)
    now = utcnow()
    if delivery.downloads_end_at and delivery.downloads_end_at <= now:
        return _ended(delivery)
    place, file, order = storage(), delivery.file, delivery.order.number
    if problem := _problem(place, file, delivery.file_size):
        log.error("goods_missing", order=order, delivery=delivery.id)
        report_file(file, f"A buyer (order {order}) cannot download {file}: it {problem}.")
        abort(503)
    if isinstance(place, Folder):
        response = attachment(place.path(file))
        start = first_byte(response)
    else:
        response, start = _by_link(place, file), _first_byte_asked_for()
    with ExitStack() as unless_returned:
        unless_returned.callback(response.close)
        begins = request.method == "GET" and response.status_code in (200, 206, 303)
        if begins and not is_continued(delivery, start, now):
            if not count_download(delivery, now):
                return _ended(delivery)
            log.info("downloaded", order=order, delivery=delivery.id)
        unless_returned.pop_all()
    return response


def _problem(place: Folder | Bucket, file: str, size: int | None) -> str:
    end_read()  # the storage may be over the network
    try:
        return place.problem(file, size)
    except StorageFailed as error:
        log.error("storage_failed", error=str(error))
        abort(503)


def _by_link(place: Bucket, file: str) -> Response:
    """To the bucket, which hands the file out; a question that is not counted gets no link."""
    name = PurePosixPath(file).name
    headers = {"Cache-Control": "private, no-store"}
    if request.method == "HEAD":
        return Response(mimetype=mimetype_of(name), headers=headers)
    link = place.link(file, disposition=disposition(name), mimetype=mimetype_of(name))
    return Response(status=303, headers=headers | {"Location": link})


def _first_byte_asked_for() -> int:
    """Where the bucket's answer will begin: it is asked for the same range again."""
    asked = request.range
    return asked.ranges[0][0] if asked and len(asked.ranges) == 1 else 0


def _ended(delivery: Delivery) -> Response:
    """The page for a link that is genuine, and whose number of downloads or days is used up."""
    end, number = delivery.downloads_end_at, delivery.line.max_downloads or 0
    if end and end <= utcnow():
        title = gettext("The time for downloading this file is over")
        message = gettext("It could be downloaded until %(moment)s.", moment=moment_text(end))
    else:
        title = gettext("This file has been downloaded as often as was agreed")
        message = ngettext(
            "It could be downloaded %(num)s time.", "It could be downloaded %(num)s times.", number
        )
    advice = gettext(
        "If you need it again, write to us with the order number %(number)s: we can open it for you.",
        number=delivery.order.number,
    )
    return _closed(title, message, advice)


def _refunded(order: Order) -> Response:
    """The page for a link that is genuine, and whose order's money goes back."""
    done = order.status is OrderStatus.REFUNDED
    title = gettext("This order was refunded") if done else gettext("A refund of this order is due")
    message = gettext("Its goods cannot be opened or downloaded any more.")
    advice = gettext(
        "If something is not right, write to us with the order number %(number)s.",
        number=order.number,
    )
    return _closed(title, message, advice)


def _closed(title: str, message: str, advice: str) -> Response:
    if address := current_settings().shop_support_email:
        advice += " " + gettext("Our address is %(address)s.", address=address)
    page = render_template(
        "errors/error.html",
        code=410,
        title=title,
        message=message,
        advice=advice,
        home_url=url_for("catalogue.index"),
    )
    return make_response(page, 410)
