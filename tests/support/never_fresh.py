"""The shop as it would be if it believed every page that it keeps: for a control that has to fail."""

from shop.catalogue.version import VersionReader

VersionReader.current = lambda self: "always the same"  # type: ignore[method-assign]

from wsgi import app  # noqa: E402  # after the protection is gone

__all__ = ["app"]
