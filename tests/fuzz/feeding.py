"""One input given to one decoder: what it may do, and for how long."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from tests.fuzz.targets import TARGETS

from ledgit.errors import LedgitError

LONGEST = 5.0
"""Seconds of processor time an input of at most 64 KiB may take; some hundred times what the slowest takes."""


class Hang(BaseException):
    """A decoder did not come to an end."""


def feed(name: str, data: bytes) -> None:
    """Give *data* to a decoder; a `LedgitError` of at most a few lines is an answer.

    Raises:
        Exception: What a decoder must not raise.
        Hang: It takes too long.
    """
    try:
        with _limited():
            TARGETS[name](data)
    except LedgitError as error:
        said = str(error)
        assert said.strip(), "an error without words"
        assert len(said) < 200_000, "an error as long as its input"


@contextmanager
def _limited() -> Iterator[None]:
    def stop(_number: int, _frame: FrameType | None) -> None:
        raise Hang(f"more than {LONGEST} s")

    before = signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, LONGEST)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)
