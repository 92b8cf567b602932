"""The operator's own templates; one that cannot be used gives way to the shop's, so that it goes on selling."""

from __future__ import annotations

from collections.abc import Callable

import structlog
from jinja2 import Environment, FileSystemLoader, TemplateNotFound, TemplateSyntaxError

log = structlog.get_logger()


class OwnTemplates(FileSystemLoader):
    """A folder of templates in which one may be garbage."""

    def get_source(
        self, environment: Environment, template: str
    ) -> tuple[str, str, Callable[[], bool]]:
        """The template, or TemplateNotFound, at which the next folder is looked into."""
        try:
            found = super().get_source(environment, template)
            environment.parse(found[0], template)
        except TemplateNotFound:
            raise
        except (OSError, UnicodeDecodeError, TemplateSyntaxError) as error:
            log.error("template_unreadable", template=template, error=type(error).__name__)
            raise TemplateNotFound(template) from None
        return found
