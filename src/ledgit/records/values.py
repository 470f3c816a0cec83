"""Records of a few values, for what runs beside training.

The snapshot of a run's code is taken by a thread while training goes on, so what it imports
holds training up, and where nothing else did yet, dataclasses and typing would be 20 ms of that.
Worse, they may not be imported beside other code at all: dataclasses looks typing up in
``sys.modules``, and a ``@dataclass`` that another thread defines while typing is half imported
fails (Python 3.11).
"""

from __future__ import annotations

__all__ = ["Values"]


class Values:
    """Named values (``__slots__`` has the names), equal to others of the class that have the same."""

    __slots__: tuple[str, ...] = ()

    def _values(self) -> tuple[object, ...]:
        return tuple(getattr(self, name) for name in self.__slots__)

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self._values() == other._values()

    __hash__ = None  # type: ignore[assignment]  # they may hold dicts

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={getattr(self, name)!r}" for name in self.__slots__)
        return f"{type(self).__name__}({shown})"
