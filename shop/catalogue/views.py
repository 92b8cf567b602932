"""The shop window: the same for everybody, so without session, cookie or token."""

from __future__ import annotations

from flask import (
    Blueprint,
    Response,
    abort,
    make_response,
    render_template,
    request,
    send_from_directory,
    url_for,
)

from ..config import current_settings
from . import pages, queries
from .images import NAME
from .images import media as media_folder

bp = Blueprint("catalogue", __name__)


@bp.get("/", strict_slashes=False)  # else `GET http://host:99` is redirected, and to that port
def index() -> Response:
    """Everything for sale."""
    currency = pages.chosen_currency()
    page = render_template(
        "catalogue/index.html",
        cards=pages.cards(queries.all_offers(currency), currency),
        currency=currency,
        currency_links=pages.currency_links(url_for("catalogue.index"), currency),
    )
    return _public(page)


@bp.get("/products/<slug>")
def product(slug: str) -> Response:
    """One product."""
    currency = pages.chosen_currency()
    offer = queries.find_offer(slug, currency)
    if offer is None:
        abort(404)
    page = render_template(
        "catalogue/product.html",
        product=pages.product_page(offer, queries.images_of(offer.id)),
        currency=currency,
        currency_links=pages.currency_links(url_for("catalogue.product", slug=slug), currency),
    )
    return _public(page)


@bp.get("/media/<name>")
def media(name: str) -> Response:
    """A product image; its name holds its content's hash, so it may be kept for ever."""
    if not NAME.fullmatch(name):
        abort(404)
    folder = media_folder(current_settings().shop_data_dir)
    response = send_from_directory(folder, name, mimetype="image/webp", max_age=31_536_000)
    response.cache_control.public = True
    response.cache_control.immutable = True
    return response


def _public(page: str) -> Response:
    """A page that anybody may keep, and must ask about before using it again."""
    response = make_response(page)
    response.headers["Cache-Control"] = "public, max-age=0, must-revalidate"
    response.add_etag()
    response.make_conditional(request)
    return response
