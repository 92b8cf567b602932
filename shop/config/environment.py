"""Reading the settings, from the environment and a `.env` file: all of them, or none when any is bad."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from dotenv import dotenv_values
from flask import current_app
from pydantic import ValidationError

from .settings import ROOT, Settings


class ConfigurationError(Exception):
    """The settings do not allow a start. `problems` has one line for each, saying what to do."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        lines = "\n".join(f"  - {problem}" for problem in problems)
        super().__init__(f"The shop cannot start until these settings are right:\n{lines}")


def load(environ: Mapping[str, str] | None = None, dotenv: Path | None = None) -> Settings:
    """The settings from `environ` (the process's own by default) over the `.env` file.

    Raises ConfigurationError, which names every missing and malformed setting at once.
    """
    environ = os.environ if environ is None else environ
    values: dict[str, str] = {}
    problems: list[str] = []
    path_to_dotenv = dotenv or ROOT / ".env"
    try:
        given = {**dotenv_values(path_to_dotenv), **environ}
    except (OSError, UnicodeDecodeError) as error:
        given = dict(environ)
        problems.append(f"{path_to_dotenv} cannot be read: {type(error).__name__}")
    for field in Settings.model_fields:
        name = field.upper()
        if text := (given.get(name) or "").strip():
            values[field] = text
        elif path := given.get(f"{name}_FILE"):
            try:
                values[field] = Path(path).read_text("utf-8").strip()
            except OSError as error:
                problems.append(f"{name}_FILE names a file that cannot be read: {error.strerror}")
            except ValueError:
                problems.append(f"{name}_FILE names a file that is not text")
    try:
        settings = Settings.model_validate(values)
    except ValidationError as error:
        problems += [_problem(e["loc"], e["msg"]) for e in error.errors()]
    if problems:
        raise ConfigurationError(problems)
    return settings


def unknown_names(environ: Mapping[str, str]) -> list[str]:
    """Variables that look like ours and are not: most likely a typing error worth a warning."""
    known = {name.upper() for name in Settings.model_fields}
    known |= {f"{name}_FILE" for name in known}
    return sorted(n for n in environ if n.startswith(("SHOP_", "CRYPTOCLOUD_")) and n not in known)


def current_settings() -> Settings:
    """The settings of the app at work."""
    settings: Settings = current_app.config["SETTINGS"]
    return settings


def _problem(location: tuple[int | str, ...], message: str) -> str:
    text = message.removeprefix("Value error, ")
    return f"{str(location[0]).upper()} {text[:1].lower()}{text[1:]}"
