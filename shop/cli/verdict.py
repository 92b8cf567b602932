"""The answer to one question about a test invoice."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Verdict:
    """The answer to one question."""

    question: str
    verdict: str
    found: str

    def __str__(self) -> str:
        return f"{self.verdict + ':':<13} {self.question}: {self.found}"


def expected(question: str, found: str) -> Verdict:
    """It came as this shop expects."""
    return Verdict(question, "as expected", found)


def otherwise(question: str, found: str) -> Verdict:
    """It came in another way."""
    return Verdict(question, "otherwise", found)


def unseen(question: str, found: str) -> Verdict:
    """Nothing came that would tell."""
    return Verdict(question, "not seen", found)


def either(good: bool, question: str, found: str) -> Verdict:
    """One of the first two."""
    return expected(question, found) if good else otherwise(question, found)
