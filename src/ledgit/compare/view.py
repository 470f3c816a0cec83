"""What a comparison needs to know of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

Value = str | int | float | bool | None


class Missing:
    """The cell of a run that lacks the key: not the same as a value of ``None``."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "MISSING"

    def __bool__(self) -> bool:
        return False


MISSING = Missing()
Cell = Value | Missing


@dataclass(frozen=True, slots=True)
class ArtifactFacts:
    """An artifact as it is compared: by what is in it, not by when it was written."""

    digest: str
    size: int


@dataclass(frozen=True, slots=True)
class InputFacts:
    """A data set as it is compared.

    Attributes:
        name: What people call it.
        digest: Of its content; "" if none was recorded.
        kind: How the digest was made; "" if that is not known.
        context: What it was used for.
        size: Bytes; None where it is not known.
        rows: Rows, or the length of an array; None likewise.
    """

    name: str
    digest: str
    kind: str = ""
    context: str = ""
    size: int | None = None
    rows: int | None = None

    def to_dict(self) -> dict[str, object]:
        """Return it for JSON."""
        return {
            "name": self.name,
            "digest": self.digest,
            "kind": self.kind or None,
            "context": self.context or None,
            "size": self.size,
            "rows": self.rows,
        }


@dataclass(frozen=True, slots=True)
class RunView:
    """One run, flattened for comparison.

    Attributes:
        id: 32 hex digits.
        name: What people call it.
        params: Typed values as logged.
        metrics: Latest values.
        tags: Labels; the note is one of them.
        artifacts: By path.
        environment: ``python``, ``platform``, … and ``packages.<name>`` to version.
        inputs: Data sets, as `input_facts` makes them.
        code: ``commit``, ``branch``, ``tree``, ``dirty``, ``patch_id``, ``entry point``, ``command``.
    """

    id: str
    name: str
    params: Mapping[str, Value] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    artifacts: Mapping[str, ArtifactFacts] = field(default_factory=dict)
    environment: Mapping[str, Value] = field(default_factory=dict)
    inputs: Sequence[InputFacts] = ()
    code: Mapping[str, Value] = field(default_factory=dict)
