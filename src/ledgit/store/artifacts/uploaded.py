"""What a push did with artifacts."""

from __future__ import annotations

__all__ = ["Left", "Planned", "Uploaded"]


class Left:
    """Artifacts that are only in this clone.

    Attributes:
        runs: How many runs need them.
        objects: How many objects.
        bytes: Their size together.
    """

    __slots__ = ("bytes", "objects", "runs")

    def __init__(self, runs: int = 0, objects: int = 0, size: int = 0) -> None:
        self.runs, self.objects, self.bytes = runs, objects, size

    def __bool__(self) -> bool:
        return self.objects > 0

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Left) and str(self) == str(other)

    def __hash__(self) -> int:
        return hash(str(self))

    def __str__(self) -> str:
        return f"{self.runs} {self.objects} {self.bytes}"

    def __repr__(self) -> str:
        return f"Left({self.runs}, {self.objects}, {self.bytes})"

    @classmethod
    def parse(cls, text: str) -> Left:
        """Read what :meth:`__str__` wrote; anything else is nothing."""
        try:
            runs, objects, size = map(int, text.split())
        except ValueError:
            return cls()
        return cls(runs, objects, size)


class Planned:
    """An object that a push would send.

    Attributes:
        oid: Its id.
        path: Where the first run that needs it has it.
        runs: Ids of those that do.
        bytes: Its size.
    """

    __slots__ = ("bytes", "oid", "path", "runs")

    def __init__(self, oid: str, path: str, runs: list[str], size: int) -> None:
        self.oid, self.path, self.runs, self.bytes = oid, path, runs, size

    def __repr__(self) -> str:
        return f"Planned({self.oid!r}, {self.path!r}, {self.runs!r}, {self.bytes!r})"


class Uploaded:
    """What went to the artifact remote.

    Attributes:
        remote: Its address, without credentials; "" where there is none.
        sent: How many objects were sent.
        bytes: Their size together.
        here: What is only in this clone, because there is no remote or it took nothing.
        held: Runs whose objects could not be sent: id → why.
        absent: Runs that need objects which are neither here nor there: id → a path.
        trouble: Why runs that have landed could not be looked after; the next push tries again.
        planned: What would be sent, of a push that only asks.
        again: Runs whose objects somebody was deleting: they were sent again, and a later push looks once more.
    """

    __slots__ = ("absent", "again", "bytes", "held", "here", "planned", "remote", "sent", "trouble")

    def __init__(self) -> None:
        self.remote = ""
        self.sent = 0
        self.bytes = 0
        self.here = Left()
        self.held: dict[str, str] = {}
        self.absent: dict[str, str] = {}
        self.trouble = ""
        self.planned: list[Planned] = []
        self.again: set[str] = set()
