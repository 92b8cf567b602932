"""The operator's own templates; the shipped one takes the place of one that cannot be used: the shop sells on."""

from __future__ import annotations

from collections.abc import Callable

import structlog
from jinja2 import Environment, FileSystemLoader, TemplateNotFound, TemplateSyntaxError
from jinja2.meta import find_referenced_templates

from ..config import ROOT, Settings
from .own_files import UnreadableFile, own_text

log = structlog.get_logger()

SHIPPED = ROOT / "templates"
NOT_ASKED_FOR = "has the name of no template that the shop has, and none of yours includes it: templates/ has the names"
SUFFIXES = (".html", ".txt", ".xml")
"""The endings of the shop's own templates; files with other endings, such as editors leave, are no templates."""


class OwnTemplates(FileSystemLoader):
    """Loads the operator's templates from the data folder; any of them may be garbage."""

    def __init__(self, settings: Settings) -> None:
        self.folder = settings.shop_data_dir / "templates"
        super().__init__(self.folder)
        self.in_use = False
        """Whether a page or a mail has been made of one."""

    def get_source(
        self, environment: Environment, template: str
    ) -> tuple[str, str, Callable[[], bool]]:
        """The template; TemplateNotFound if it cannot be used, so that the next folder is tried."""
        try:
            found = super().get_source(environment, template)
            environment.compile(found[0], template)
        except TemplateNotFound:
            raise
        except (OSError, UnicodeDecodeError, TemplateSyntaxError) as error:
            log.error("template_unreadable", template=template, error=type(error).__name__)
            raise TemplateNotFound(template) from None
        self.in_use = True
        return found

    def unusable(self, environment: Environment) -> list[str]:
        """What is wrong with the templates that cannot be used, and which ones nothing asks for."""
        problems, asked_for = [], set(FileSystemLoader(SHIPPED).list_templates())
        names = self.list_templates()
        for name in names:
            try:
                source = own_text(self.folder / name) or ""
                environment.compile(source, name)
                # None stands for a name that is worked out while the page is made: it may be any.
                named = [*find_referenced_templates(environment.parse(source))]
                asked_for.update(names if None in named else filter(None, named))
            except UnreadableFile as error:
                problems.append(str(error))
            except TemplateSyntaxError as error:
                problems.append(f"{self.folder / name}, line {error.lineno}: {error.message}")
        unused = [str(self.folder / name) for name in names if name not in asked_for]
        return [*problems, *(f"{path} {NOT_ASKED_FOR}" for path in unused)]

    def list_templates(self) -> list[str]:
        """The names of all files that look like templates."""
        return [name for name in super().list_templates() if name.endswith(SUFFIXES)]
