"""The decoders that are fed, by name: each module of ``feeds_…`` adds some."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ledgit.errors import LedgitError

CORPUS = Path(__file__).parent / "corpus"
Feed = Callable[[bytes], object]
TARGETS: dict[str, Feed] = {}
"""A decoder by its name, which is its folder's in the corpus. It returns, or raises a `LedgitError`."""
STEERS = "[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]"
"""What steers a terminal."""


def target(function: Feed) -> Feed:
    """Add a decoder."""
    TARGETS[function.__name__] = function
    return function


def seeds(name: str) -> list[bytes]:
    """Return the kept inputs of a decoder, crashers of the past among them."""
    return [path.read_bytes() for path in sorted((CORPUS / name).glob("*"))]


def text_of(data: bytes) -> str:
    """Return text as a command line or a web client could give it: no lone surrogates but those of bytes."""
    return data.decode("utf-8", "surrogateescape")


class NotForIt(LedgitError):
    """What is fed is nothing for this decoder."""
