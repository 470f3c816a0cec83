"""The errors that others are kinds of; see :mod:`ledgit.errors`, which has them all."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Conflict", "LedgitError", "LedgitWarning", "NotFound", "UsageError"]


class LedgitError(Exception):
    """Base of every error this package raises on purpose."""

    exit_code = 1


class LedgitWarning(UserWarning):
    """Something went wrong that a training need not die of; it is recorded and said once."""


class UsageError(LedgitError):
    """The call itself is wrong."""

    exit_code = 2

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message

    def __str__(self) -> str:
        return self.message


class NotFound(LedgitError):
    """Nothing has this name."""

    exit_code = 3
    kind = "object"
    #: What to do where nothing is like it: a clause.
    then = ""

    def __init__(self, ref: str, near: Sequence[str] = ()) -> None:
        super().__init__(ref, tuple(near))
        self.ref, self.near = ref, tuple(near)

    def __str__(self) -> str:
        hint = f" (did you mean {' or '.join(self.near[:3])}?)" if self.near else self.then and f"; {self.then}"
        return f"no {self.kind} matches {self.ref!r}{hint}"


class Conflict(LedgitError):
    """What is already there forbids it."""

    exit_code = 4

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message

    def __str__(self) -> str:
        return self.message
