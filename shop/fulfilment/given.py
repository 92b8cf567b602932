"""How often each part of a file has been given to its buyer: a limit on its downloads is counted by that.

A file is counted in up to 256 blocks, and each may be given as often as was agreed. Pieces that come by any
connections and in any order are one download, as long as no block comes twice. Downloads that break off and
begin again may repeat half of the blocks, once: too few for another copy, even one without its first byte.
"""

from __future__ import annotations

from collections.abc import Sequence

MOST_BLOCKS = 256


def block_size(size: int) -> int:
    """How many bytes of a file of this size are one block."""
    return max(-(-size // MOST_BLOCKS), 1)


def blocks(start: int, stop: int, size: int) -> range:
    """The blocks in which these bytes lie."""
    block = block_size(size)
    return range(start // block, -(-stop // block))


def may_give(given: Sequence[int], wanted: range, most: int) -> bool:
    """Whether these blocks may be given once more: within what was agreed, or out of the blocks to spare."""
    again = sum(given[block] >= most for block in wanted)
    return not again or _beyond(given, most) + again <= len(given) // 2


def copies_left(given: Sequence[int], most: int) -> int:
    """How many whole copies may still be begun."""
    left = most - min(given, default=0)
    while left > 0 and _beyond(given, most - left) > len(given) // 2:
        left -= 1
    return max(left, 0)


def copies_given(given: Sequence[int]) -> int:
    """How many copies the blocks that were given amount to; half a copy does not count."""
    return -(-(sum(given) - len(given) // 2) // max(len(given), 1))


def is_unfinished(given: Sequence[int], most: int) -> bool:
    """Whether something of the last copy has not been given yet."""
    return any(times < most for times in given)


def _beyond(given: Sequence[int], most: int) -> int:
    """How many blocks were given beyond `most` times, each counted as often as that happened."""
    return sum(max(times - most, 0) for times in given)
