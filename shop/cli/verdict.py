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
    """The verdict on what came as this shop expects."""
    return Verdict(question, "as expected", found)


def otherwise(question: str, found: str) -> Verdict:
    """The verdict on what came in another way than this shop expects."""
    return Verdict(question, "otherwise", found)


def unseen(question: str, found: str) -> Verdict:
    """The verdict where nothing came that would answer the question."""
    return Verdict(question, "not seen", found)


def either(good: bool, question: str, found: str) -> Verdict:
    """The verdict `as expected` if all is good, else `otherwise`."""
    return expected(question, found) if good else otherwise(question, found)
