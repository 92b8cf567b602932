"""Downloads."""

from __future__ import annotations

import structlog
from flask import Blueprint, Response, abort, send_file
from sqlalchemy import update

from ..db import rows_changed, transaction
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
    path, delivery_id, order = goods_path(delivery), delivery.id, delivery.order.number
    if not path.is_file():
        log.error("goods_missing", order=order, delivery=delivery_id)
        report_missing_file(delivery)
        abort(503)
    with transaction() as session:
        rows_changed(
            session,
            update(Delivery)
            .where(Delivery.id == delivery_id)
            .values(downloads=Delivery.downloads + 1),
        )
    log.info("downloaded", order=order, delivery=delivery_id)
    response = send_file(path, as_attachment=True, download_name=path.name, max_age=0)
    response.headers["Cache-Control"] = "private, no-store"
    return response
