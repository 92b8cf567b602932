"""Colours as the operator writes them, and whether people can read what stands on them (WCAG 2.2)."""

from __future__ import annotations

import re

HEX = re.compile(r"#[0-9a-f]{6}")
WHITE, BLACK = "#ffffff", "#000000"
READABLE = 4.5
"""The contrast that text needs at least."""


def contrast(one: str, other: str) -> float:
    """How well two colours stand out against each other: from 1, the same, to 21."""
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def mix(one: str, other: str, share: float) -> str:
    """`one` with this share of `other` in it."""
    pairs = zip(_channels(one), _channels(other), strict=True)
    return "#" + "".join(f"{round(a + (b - a) * share):02x}" for a, b in pairs)


def towards(colour: str, other: str, against: str, least: float = READABLE) -> str:
    """`colour` with as little of `other` in it as makes it stand out `against` a third one."""
    steps = (mix(colour, other, step / 20) for step in range(21))
    return next((step for step in steps if contrast(step, against) >= least), other)


def _channels(colour: str) -> list[int]:
    return [int(colour[i : i + 2], 16) for i in (1, 3, 5)]


def _luminance(colour: str) -> float:
    parts = [channel / 255 for channel in _channels(colour)]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
