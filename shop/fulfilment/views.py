"""Downloads."""

from __future__ import annotations

import structlog
from flask import Blueprint, Response, abort, make_response, render_template, request, url_for
from flask_babel import gettext, ngettext

from ..db import utcnow
from ..i18n import moment_text
from ..web.attachments import attachment, first_byte
from .downloads import count_download, is_continued
from .goods import find_download, goods_path
from .models import Delivery
from .service import report_missing_file

bp = Blueprint("fulfilment", __name__)
log = structlog.get_logger()


@bp.get("/downloads/<token>")
def download(token: str) -> Response:
    """The file behind a signed link, always as an attachment: goods are not pages of this shop."""
    delivery = find_download(token)
    if delivery is None:
        abort(410)
    now = utcnow()
    if delivery.downloads_end_at and delivery.downloads_end_at <= now:
        return _ended(delivery)
    path, order = goods_path(delivery), delivery.order.number
    if not path.is_file():
        log.error("goods_missing", order=order, delivery=delivery.id)
        report_missing_file(delivery)
        abort(503)
    response = attachment(path)
    begins = request.method == "GET" and response.status_code in (200, 206)
    if begins and not is_continued(delivery, first_byte(response), now):
        if not count_download(delivery, now):
            response.close()
            return _ended(delivery)
        log.info("downloaded", order=order, delivery=delivery.id)
    return response


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
    page = render_template(
        "errors/error.html",
        code=410,
        title=title,
        message=message,
        advice=advice,
        home_url=url_for("catalogue.index"),
    )
    return make_response(page, 410)
