"""Downloads."""

from __future__ import annotations

from functools import partial
from pathlib import PurePosixPath

import structlog
from flask import (
    Blueprint,
    Response,
    abort,
    make_response,
    redirect,
    render_template,
    request,
    url_for,
)
from flask.typing import ResponseReturnValue
from flask_babel import gettext, ngettext

from ..catalogue.storage import BUCKET_LINK_SECONDS, Bucket, Folder, StorageFailed, storage
from ..config import current_settings
from ..db import end_read, utcnow
from ..i18n import moment_text
from ..orders.models import Order, OrderStatus
from ..web.attachments import attachment, disposition, mimetype_of
from ..web.security import csrf
from .downloads import Giving, UsedUp, is_over, take_whole, unfinished_words
from .files import report_file
from .goods import download_token, find_download, goods_in
from .models import Delivery

bp = Blueprint("fulfilment", __name__)
log = structlog.get_logger()

LOOKING_AHEAD = ("Sec-Purpose", "Purpose", "X-Purpose", "X-Moz")
"""Headers by which browsers say that nobody has asked for the page yet: `prefetch`, or `preview`."""


@bp.get("/downloads/<token>")
def download(token: str) -> Response:
    """The file behind a signed link. If its downloads are limited, a page with a button instead: programs that
    only look where a link leads, such as a mailbox's scanner, a preview or a crawler, do not press it."""
    delivery = _delivery_of(token)
    if closed := _why_not(delivery):
        return closed
    if delivery.line.max_downloads is None:
        return _hand_out(delivery)
    return _ended(delivery) if is_over(delivery, utcnow()) else make_response(_page(delivery))


@bp.post("/downloads/<token>")
@csrf.exempt  # mails lead here, to browsers without our cookie; the link is the secret: see web/security.py
def begin(token: str) -> ResponseReturnValue:
    """Answer the button: lead on to the file, at an address from which programs can continue a download."""
    delivery = _delivery_of(token)
    if closed := _why_not(delivery):
        return closed
    if isinstance(storage(), Bucket):
        return _hand_out(delivery)
    fresh = download_token(
        delivery, delivery.order
    )  # it lasts as long as any new link, even if the mail's is about to end
    return redirect(url_for("fulfilment.file", token=fresh), 303)


@bp.get("/downloads/<token>/file")
def file(token: str) -> ResponseReturnValue:
    """The file itself, as an attachment: goods are not pages of this shop."""
    delivery = _delivery_of(token)
    if closed := _why_not(delivery):
        return closed
    if isinstance(storage(), Bucket):
        return redirect(url_for("fulfilment.download", token=token), 303)
    return _hand_out(delivery)


def _delivery_of(token: str) -> Delivery:
    delivery = find_download(token)
    if delivery is None:
        abort(410)
    return delivery


def _why_not(delivery: Delivery) -> Response | None:
    """The page for a genuine link that opens nothing, because of a refund or its last day; else None."""
    if not delivery.order.has_goods:
        return _refunded(delivery.order)
    end = delivery.downloads_end_at
    return _ended(delivery) if end and end <= utcnow() else None


def _hand_out(delivery: Delivery) -> Response:
    if any(request.headers.get(name, "").startswith("pre") for name in LOOKING_AHEAD):
        abort(503)  # the browser asks again when somebody opens the page
    place, file, order = storage(), delivery.file, delivery.order.number
    if problem := _problem(place, file, delivery.file_size):
        log.error("goods_missing", order=order, delivery=delivery.id)
        report_file(file, f"A buyer (order {order}) cannot download {file}: it {problem}.")
        abort(503)
    try:
        if isinstance(place, Folder):
            response = attachment(place.path(file), partial(Giving, delivery))
        else:
            response = _by_link(place, delivery)
    except UsedUp:
        return _ended(delivery)
    if request.method != "HEAD" and response.status_code < 304:
        log.info("downloaded", order=order, delivery=delivery.id)
    return response


def _problem(place: Folder | Bucket, file: str, size: int | None) -> str:
    end_read()  # the storage may be over the network
    try:
        return place.problem(file, size)
    except StorageFailed as error:
        log.error("storage_failed", error=str(error))
        abort(503)


def _by_link(place: Bucket, delivery: Delivery) -> Response:
    """Lead to the bucket, which hands the file out and counts nothing; a HEAD request gets no link."""
    name = PurePosixPath(delivery.file).name
    headers = {"Cache-Control": "private, no-store"}
    if request.method == "HEAD":
        return Response(mimetype=mimetype_of(name), headers=headers)
    size = delivery.file_size if delivery.file_size is not None else place.size(delivery.file) or 0
    seconds = BUCKET_LINK_SECONDS
    if delivery.line.max_downloads is None:
        Giving(delivery, _first_byte_asked_for(size), size, size)
    else:
        seconds = take_whole(delivery, size, BUCKET_LINK_SECONDS)
    link = place.link(
        delivery.file, disposition=disposition(name), mimetype=mimetype_of(name), seconds=seconds
    )
    if delivery.line.max_downloads is None:
        return Response(status=303, headers=headers | {"Location": link})
    # No redirect: browsers refuse one that leads from a form to another host (CSP's form-action).
    return make_response(_page(delivery, link), 200, headers | {"Refresh": f"0; url={link}"})


def _first_byte_asked_for(size: int) -> int:
    """The first byte of the bucket's answer: the browser sends its Range header there as well."""
    asked = request.range
    first = asked.ranges[0][0] if asked and len(asked.ranges) == 1 else 0
    return (
        max(first + size, 0) if first < 0 else min(first, size)
    )  # the last so many, or from there


def _page(delivery: Delivery, link: str = "") -> str:
    """The page with the button; with a `link`, the page after it, which leads to the file."""
    return render_template(
        "fulfilment/download.html", item=goods_in(delivery, delivery.order), link=link
    )


def _ended(delivery: Delivery) -> Response:
    """The page for a genuine link whose downloads or days are used up."""
    end, number = delivery.downloads_end_at, delivery.line.max_downloads or 0
    if end and end <= utcnow():
        title = gettext("The time for downloading this file is over")
        message = gettext("It could be downloaded until %(moment)s.", moment=moment_text(end))
    else:
        title = gettext("This file has been downloaded as often as was agreed")
        message = ngettext(
            "It could be downloaded %(num)s time.", "It could be downloaded %(num)s times.", number
        )
        message += " " + unfinished_words(delivery)
    advice = gettext(
        "If you need it again, write to us with the order number %(number)s: we can open it for you.",
        number=delivery.order.number,
    )
    return _closed(title, message, advice)


def _refunded(order: Order) -> Response:
    """The page for a genuine link to an order whose money goes back."""
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
    )
    return make_response(page, 410)
