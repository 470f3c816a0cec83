"""Lists that come in pages."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeVar

from ledgit.errors import InvalidValue

__all__ = ["PagedList", "page"]

T = TypeVar("T")


class PagedList(list[T]):
    """A page of a list; *token* asks for the next one, and is None after the last."""

    def __init__(self, items: Iterable[T], token: str | None = None) -> None:
        super().__init__(items)
        self.token = token

    def to_list(self) -> list[T]:
        """Return the items without the token."""
        return list(self)


def page(items: Sequence[T], most: int | None, token: str | None) -> PagedList[T]:
    """Return the page of at most *most* items that *token* asks for.

    Raises:
        InvalidValue: *most* is no number of items, or *token* none that a page gave.
    """
    if most is not None and (type(most) is not int or most < 1):
        raise InvalidValue("max_results", most, "a whole number, 1 or more")
    start = 0
    if token:
        if not (token.isascii() and token.isdigit()):
            raise InvalidValue("page_token", token, "a token that a page before gave")
        start = int(token)
    end = len(items) if most is None else start + most
    return PagedList(items[start:end], str(end) if end < len(items) else None)
