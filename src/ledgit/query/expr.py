"""The filter as a tree: what the parser makes and the compiler reads.

The parser lowers what is only spelling: ``BETWEEN`` is two comparisons, a date is the span of
milliseconds it covers, ``age < 7d`` stays a comparison of ``age`` with milliseconds.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ledgit.query.keys import Key

__all__ = ["Among", "And", "Compare", "Expr", "Membership", "Missing", "Not", "Number", "Or", "SomeInput"]

Number = int | float


@dataclass(frozen=True, slots=True)
class Compare:
    """*key* *op* *value*: ``= != < <= > >=``, and ``LIKE ILIKE`` (with text)."""

    key: Key
    op: str
    value: str | Number
    position: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Membership:
    """*key* is one of *values*; ``NOT IN`` is this in a :class:`Not`."""

    key: Key
    values: tuple[str | Number, ...]
    position: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Missing:
    """*key* ``IS NULL``: the run lacks it. With *nan*, ``IS NAN``: it has it, and it is NaN."""

    key: Key
    nan: bool = False
    position: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Among:
    """The run is one of those that *what* and *name* stand for; who they are is found out beforehand.

    Attributes:
        what: ``code``: runs whose code belongs to the revision or range *name*; ``ancestor``: runs
            nested, at any depth, below the run whose id is or begins with *name*.
    """

    what: str
    name: str
    position: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class SomeInput:
    """*item*, a condition about ``datasets.name``, ``digest`` or ``context``, holds of some data set of the run.

    It is unknown of a run none of whose data sets has such a thing, so that the opposite is too.
    """

    item: Compare | Membership | Not


@dataclass(frozen=True, slots=True)
class Not:
    """The opposite; what is unknown of a run that lacks the key stays unknown."""

    item: Expr


@dataclass(frozen=True, slots=True)
class And:
    """All of *items*."""

    items: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """At least one of *items*."""

    items: tuple[Expr, ...]


Expr = Compare | Membership | Missing | Among | SomeInput | Not | And | Or
