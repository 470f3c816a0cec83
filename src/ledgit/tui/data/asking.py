"""What a person is asked, and what is wrong with an answer."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["Choice", "Problem"]


class Choice(NamedTuple):
    """One item of a list to pick from.

    Attributes:
        key: What the caller gets.
        text: What stands in the list.
        detail: Said beside it, muted.
    """

    key: str
    text: str
    detail: str = ""


class Problem(NamedTuple):
    """What is wrong with a typed line.

    Attributes:
        position: Offset of the character that is wrong; -1 where it is the whole line.
        text: One short sentence.
    """

    position: int
    text: str
