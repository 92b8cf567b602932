"""The shop window: the same for everybody, so without session, cookie or token."""

from __future__ import annotations

from dataclasses import replace

import structlog
from flask import (
    Blueprint,
    Response,
    abort,
    redirect,
    render_template,
    request,
    send_from_directory,
)
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException

from ...config import current_settings
from ...web.caching import public
from ...web.canonical import in_full
from ...web.errors import http_error
from .. import former, queries
from ..images import NAME
from ..images import media as media_folder
from ..queries import StoredCategory
from ..version import made_of_catalogue
from . import pages
from .addresses import (
    LAST_PAGE,
    ListAddress,
    address_at_hand,
    currency_asked,
    start_of,
    typed_query,
)
from .linked_data import linked_product
from .listing import Choice, Sort, list_page
from .search import terms as terms_of

log = structlog.get_logger()

bp = Blueprint("catalogue", __name__)
bp.add_app_template_global(currency_asked)  # the header of every page keeps it


@bp.get("/", strict_slashes=False)  # else `GET http://host:99` is redirected, and to that port
@public(made_of_catalogue)
def index() -> ResponseReturnValue:
    """Everything for sale; or what an address of another system, such as `/?p=12`, was for."""
    if former.AT_HOME & request.args.keys() and (moved := former.page_of(request)):
        return redirect(moved, 301)
    address = address_at_hand(start_of("catalogue.index"))
    return _list("catalogue/index.html", address, Choice(), queries.categories_for_sale())


@bp.app_errorhandler(404)
@bp.app_errorhandler(
    410
)  # `/downloads/rain` is no download link of ours, and was a product in another system
def not_here(error: HTTPException) -> ResponseReturnValue:
    """The page that had this address in the shop that it moved from; else there is none."""
    moved = former.page_of(request) if request.method in ("GET", "HEAD") else None
    return redirect(moved, 301) if moved else http_error(error)


@bp.get("/categories/<slug>")
@public(made_of_catalogue)
def category(slug: str) -> str:
    """What is for sale in one category."""
    categories = queries.categories_for_sale()
    found = next((each for each in categories if each.slug == slug), None)
    if found is None:
        abort(404)
    address = address_at_hand(start_of("catalogue.category", "slug") + slug)
    choice = Choice(category=slug)
    return _list("catalogue/category.html", address, choice, categories, category=found)


@bp.get("/search")
@public(made_of_catalogue)
def search() -> str:
    """What is found for the words that were typed."""
    address = address_at_hand(start_of("catalogue.search"), typed_query())
    terms = tuple(terms_of(address.typed)) if address.typed else None
    return _list(
        "catalogue/search.html", address, Choice(terms=terms), queries.categories_for_sale()
    )


def _list(
    template: str,
    address: ListAddress,
    choice: Choice,
    categories: list[StoredCategory],
    **more: object,
) -> str:
    if not 1 <= address.page <= LAST_PAGE:
        abort(404)
    found = list_page(choice, address.currency, address.sort, address.page)
    if address.page > 1 and not found.offers:
        abort(404)
    return render_template(
        template,
        listing=pages.list_view(address, found, categories),
        typed=address.typed,
        currency=address.currency,
        currency_links=pages.currency_links(address),
        **more,
    )


@bp.get("/products/<slug>")
@public(made_of_catalogue)
def product(slug: str) -> str:
    """One product."""
    address = address_at_hand(start_of("catalogue.product", "slug") + slug)
    offer = queries.find_offer(slug, address.currency)
    if offer is None:
        abort(404)
    images, files = queries.pictures_and_files(offer)
    product = pages.product_page(offer, images, files, address.currency)
    url = in_full(address.url(sort=Sort.SHOP))
    return render_template(
        "catalogue/product.html",
        product=product,
        url=url,
        linked_data=linked_product(product, url),
        currency=address.currency,
        currency_links=pages.currency_links(replace(address, sort=Sort.SHOP)),
    )


@bp.get("/media/<name>")
def media(name: str) -> Response:
    """A product image; its name holds its content's hash, so it may be kept for ever."""
    if not NAME.fullmatch(name):
        abort(404)
    folder = media_folder(current_settings().shop_data_dir)
    try:
        response = send_from_directory(folder, name, mimetype="image/webp", max_age=31_536_000)
    except OSError as error:
        log.error("picture_unreadable", name=name, error=type(error).__name__)
        abort(404)
    response.cache_control.public = True
    response.cache_control.immutable = True
    return response
