"""The operator's own templates; one that cannot be used gives way to the shop's, so that it goes on selling."""

from __future__ import annotations

from collections.abc import Callable

import structlog
from jinja2 import Environment, FileSystemLoader, TemplateNotFound, TemplateSyntaxError

from ..config import Settings
from .own_files import UnreadableFile, own_text

log = structlog.get_logger()

SUFFIXES = (".html", ".txt", ".xml")
"""Of the shop's own. What an editor leaves beside them is nobody's template."""


class OwnTemplates(FileSystemLoader):
    """The folder of templates in the data folder, in which one may be garbage."""

    def __init__(self, settings: Settings) -> None:
        self.folder = settings.shop_data_dir / "templates"
        super().__init__(self.folder)

    def get_source(
        self, environment: Environment, template: str
    ) -> tuple[str, str, Callable[[], bool]]:
        """The template, or TemplateNotFound, at which the next folder is looked into."""
        try:
            found = super().get_source(environment, template)
            environment.compile(found[0], template)
        except TemplateNotFound:
            raise
        except (OSError, UnicodeDecodeError, TemplateSyntaxError) as error:
            log.error("template_unreadable", template=template, error=type(error).__name__)
            raise TemplateNotFound(template) from None
        return found

    def unusable(self, environment: Environment) -> list[str]:
        """What is wrong with those that the shop does without."""
        problems = []
        for name in self.list_templates():
            try:
                environment.compile(own_text(self.folder / name) or "", name)
            except UnreadableFile as error:
                problems.append(str(error))
            except TemplateSyntaxError as error:
                problems.append(f"{self.folder / name}, line {error.lineno}: {error.message}")
        return problems

    def list_templates(self) -> list[str]:
        """The names of all that look like templates."""
        return [name for name in super().list_templates() if name.endswith(SUFFIXES)]
