"""What became of the objects of an upload or a download."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ledgit.errors import LedgitError

__all__ = ["Moved"]


class Moved:
    """What became of the objects of an upload or a download.

    Attributes:
        done: Those that are there now, sent or fetched by this call.
        failed: Those that are not: id → why, one sentence with the remote's address.
        errors: The same as errors of :mod:`ledgit.errors`.
        bytes: How many bytes were moved.
    """

    __slots__ = ("bytes", "done", "errors")

    def __init__(self) -> None:
        self.done: list[str] = []
        self.errors: dict[str, LedgitError] = {}
        self.bytes = 0

    @property
    def failed(self) -> dict[str, str]:
        """Return why, for those that failed."""
        return {oid: str(error) for oid, error in self.errors.items()}

    def __repr__(self) -> str:
        return f"Moved(done={len(self.done)}, failed={self.failed}, bytes={self.bytes})"
