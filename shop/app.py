"""The shop put together: this file says what it is made of, and decides nothing."""

from __future__ import annotations

import os

from flask import Flask
from jinja2 import ChoiceLoader, FileSystemLoader, StrictUndefined

from . import cli, db, failpoints, i18n, schema, signing
from .catalogue import version
from .catalogue.former import AT_HOME
from .catalogue.storefront.addresses import READ
from .catalogue.storefront.views import bp as catalogue_pages
from .checkout.views import bp as checkout_pages
from .config import ROOT, ConfigurationError, Settings, load, unknown_names
from .fulfilment.views import bp as download_pages
from .mail import warn_of_no_server
from .ops import logs
from .ops.health import bp as health_pages
from .ops.journal import has_lines
from .ops.vitals import worker_words
from .orderpage.views import bp as order_pages
from .outbox.queries import waiting_words
from .payments.gateway import EXTENSION, open_gateway
from .payments.views import bp as postback_pages
from .site.texts import warn_of_unfinished
from .site.views import bp as site_pages
from .unusable import OWN_DATA_DIR, user
from .web import errors, filters, former, kept_parts, own_templates, page_cache, security, static


def create_app(settings: Settings | None = None) -> Flask:
    """The shop, ready to serve; ConfigurationError when the settings do not allow it."""
    settings = settings or load()
    _open_data_dir(settings)
    app = Flask(
        "shop",
        static_folder=None,  # web/static.py serves it
        instance_path=str(settings.shop_data_dir),
    )
    app.config.update(SETTINGS=settings, SECRET_KEY=settings.secret_key.get_secret_value())
    own = own_templates.OwnTemplates(settings)
    app.jinja_loader = ChoiceLoader([own, FileSystemLoader(own_templates.SHIPPED)])
    kept_parts.init_app(app, lambda: own.in_use)
    app.jinja_env.undefined = StrictUndefined
    app.ensure_sync = lambda function: function  # type: ignore[method-assign, assignment]  # none is async
    app.url_map.merge_slashes = False  # its redirects repeat the port that the visitor named
    app.extensions[EXTENSION] = open_gateway(settings)
    app.extensions["vitals"] = {"worker": worker_words, "mail": waiting_words}
    app.extensions["has_sold"] = has_lines
    app.extensions["jobs"] = _run_job

    failpoints.arm(settings.shop_failpoints)
    logs.configure(settings)
    logs.init_app(app)
    db.init_app(app, settings.database)
    schema.init_app(app)
    signing.init_app(app, settings)
    version.init_app(app, settings)
    i18n.init_app(app, settings)
    page_cache.init_app(app, reads=READ, never_with={*AT_HOME, *i18n.KEPT} - READ)
    security.init_app(app, settings)
    former.init_app(app)
    errors.init_app(app)
    filters.init_app(app, settings)
    static.init_app(app, ROOT / "static", settings)
    for blueprint in (
        catalogue_pages,
        checkout_pages,
        order_pages,
        postback_pages,
        download_pages,
        site_pages,
        health_pages,
    ):
        app.register_blueprint(blueprint)
    if settings.development:
        from .components import bp as component_pages

        app.register_blueprint(component_pages)
    cli.init_app(app)

    warn_of_unfinished(settings)
    warn_of_no_server(settings)
    for name in unknown_names(os.environ):
        logs.log.warning("unknown_setting", setting=name)
    return app


def _run_job(name: str) -> None:
    from . import jobs  # the worker's: a web process only wakes it

    jobs.run(name)


def _open_data_dir(settings: Settings) -> None:
    try:
        settings.shop_data_dir.mkdir(parents=True, exist_ok=True)
        os.listdir(settings.shop_data_dir)
    except OSError as error:
        what = f"SHOP_DATA_DIR, {settings.shop_data_dir}, cannot be used by the user {user()} "
        raise ConfigurationError([f"{what}({error.strerror}). {OWN_DATA_DIR}"]) from None
