"""The operator's colours, as a part of the style sheet: no page carries a style of its own."""

from __future__ import annotations

import structlog

from ..colour import BLACK, WHITE, mix, towards
from ..config import PAPER, Settings
from .own_files import UnreadableFile, own_text

log = structlog.get_logger()

DARK_SURFACE = "#17201f"
"""The dark scheme's `--surface`, as static/css/tokens.css has it."""
STANDS_OUT = 7.0
OWN_STYLES = "theme.css"


def theme(settings: Settings) -> str:
    """What is added to the shop's style sheet: the accent's tokens, then the operator's own rules."""
    accent = _accent_tokens(settings.shop_accent) if settings.shop_accent else ""
    try:
        return accent + (own_styles(settings) or "")
    except UnreadableFile as error:  # the shop sells in its own colours
        log.error("theme_unreadable", note=str(error))
        return accent


def own_styles(settings: Settings) -> str | None:
    """The operator's own rules; None where there are none. Raises UnreadableFile."""
    return own_text(settings.shop_data_dir / OWN_STYLES)


def palette(accent: str) -> tuple[dict[str, str], dict[str, str]]:
    """The accent's tokens in the light and in the dark scheme; text on each of them can be read."""
    light = {
        "accent": accent,
        "accent-hover": mix(accent, BLACK, 0.25),
        "accent-soft": towards(mix(PAPER, accent, 0.12), WHITE, accent),
        "on-accent": WHITE,
    }
    bright = towards(accent, WHITE, DARK_SURFACE, STANDS_OUT)
    dark = {
        "accent": bright,
        "accent-hover": mix(bright, WHITE, 0.35),
        "accent-soft": towards(mix(DARK_SURFACE, accent, 0.3), BLACK, bright),
        "on-accent": towards(mix(accent, BLACK, 0.6), BLACK, bright),
    }
    return light, dark


def _accent_tokens(accent: str) -> str:
    light, dark = palette(accent)
    return (
        "@layer tokens {\n"
        f"@media screen {{ :root {{ {_declared(light)} }} }}\n"
        "@media screen and (prefers-color-scheme: dark) {"
        f" :root {{ {_declared(dark)} }} }}\n}}\n"
    )


def _declared(tokens: dict[str, str]) -> str:
    return " ".join(f"--{name}: {value};" for name, value in tokens.items())
