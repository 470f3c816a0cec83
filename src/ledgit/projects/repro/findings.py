"""What differs between a run and its repetition: the five classes, and one finding of one class."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["CLASSES", "CODE", "DATA", "ENVIRONMENT", "HARDWARE", "RANDOMNESS", "Finding", "listed"]

CODE, DATA, ENVIRONMENT, HARDWARE, RANDOMNESS = "code", "data", "environment", "hardware", "randomness"
#: In the order in which they are looked at, and told.
CLASSES = (CODE, DATA, ENVIRONMENT, HARDWARE, RANDOMNESS)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it was.

    Attributes:
        kind: One of `CLASSES`.
        text: What differs, in a line: the old first, then the new.
        differs: Whether it does. What can't be told, and what differs where the command does not look (a package
            that it does not import), is told but blames nothing.
    """

    kind: str
    text: str
    differs: bool = True

    def to_dict(self) -> dict[str, object]:
        """Return it for JSON."""
        return {"class": self.kind, "text": self.text, "differs": self.differs}


def listed(items: list[str], most: int = 4) -> str:
    """Return the first of *items* as a list in a sentence, and how many more there are."""
    more = len(items) - most
    return ", ".join(items[:most]) + (f" and {more:,} more" if more > 0 else "")
