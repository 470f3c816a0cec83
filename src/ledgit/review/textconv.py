"""A run's files as ``git diff`` shows them: short, harmless, and the same text whenever the content is."""

from __future__ import annotations

import math

from ledgit.errors import RecordError
from ledgit.records.harmless import clean
from ledgit.records.wording import number

__all__ = ["LARGEST", "textconv"]

#: Bytes of a file that are looked at; of a larger one only that is said.
LARGEST = 64 << 20
_SPARK = 60


def textconv(data: bytes) -> str:
    """Return the lines that stand for *data*.

    Of a history: the metric, its points, least, greatest and last value, and a line of their course. Of JSON: a line
    a key, sorted. Of anything else: its lines, with control characters escaped. Never raises: Git would show nothing.
    """
    if len(data) > LARGEST:
        return f"more than {LARGEST >> 20} MiB\n"
    lines = None
    if data.startswith(b"step\ttimestamp\t"):
        lines = _history(data)
    elif data.lstrip()[:1] == b"{":
        lines = _json(data)
    if lines is None:
        lines = data.decode("utf-8", "replace").splitlines()
    return "".join("    ".join(clean(part) for part in line.split("\t")) + "\n" for line in lines)


def _history(data: bytes) -> list[str] | None:
    from ledgit.compare import sparkline
    from ledgit.records.history import decode_history

    try:
        name, points = decode_history(data)
    except RecordError:
        return None
    lines = [f"metric: {name}", f"points: {len(points)}"]
    if not len(points):
        return lines
    finite = [value for value in points.values if math.isfinite(value)]
    steps = list(points.steps)
    last, step, _ = points.latest()
    lines.append(f"steps: {min(steps)} to {max(steps)}")
    if finite:
        lines += [f"least: {number(min(finite))}", f"greatest: {number(max(finite))}"]
    if len(finite) < len(points):
        lines.append(f"no numbers: {len(points) - len(finite)}")
    return [*lines, f"last: {last!r} at step {step}", f"course: {sparkline(list(points.values), _SPARK)}"]


def _json(data: bytes) -> list[str] | None:
    from ledgit.review.in_kind import flatten

    rows = flatten(data, "x.json")
    return None if rows is None else [f"{name}: {value}" for name, value in sorted(rows.items())]
