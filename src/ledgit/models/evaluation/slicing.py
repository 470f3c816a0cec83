"""Metrics for parts of the data: by a column's values, by bins of a numeric one, by a mask.

A slice's metrics are named ``<metric>/<column>:<value>``, ``accuracy_score/sex:female``; names of metrics have no
``=`` (MLflow's rule, and Ledgit's). ``<metric>_gap/<column>`` is the difference between the best and the worst
slice, ``<metric>_worst/<column>`` what the worst one has.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from ledgit.compare import direction
from ledgit.errors import InvalidValue
from ledgit.models.evaluation.frame import Frame, missing, numpy
from ledgit.models.evaluation.scoring import Scored

__all__ = ["Slice", "find_slices", "slice_metrics", "slice_table"]

BINS = 4  # of a numeric column, by default: quarters
FEW = 20  # a numeric column with at most so many values is taken by value
MOST = 100  # slices of one column
MIDNIGHT = ("T00:00:00", "T00:00:00.000000", "T00:00:00.000000000")
_COUNTS = frozenset(
    ("example_count", "true_negatives", "false_positives", "false_negatives", "true_positives", "sum_on_target")
)
#: What is the data's and not the model's, or just a count: gaps of it say nothing about fairness.
_NO_GAP = _COUNTS | {"mean_on_target", "score"}


@dataclass(frozen=True)
class Slice:
    """Some rows.

    Attributes:
        column: What the rows are divided by: ``sex``, or ``sex/age`` for two columns.
        values: The name of the part for each of those columns.
        mask: Which rows.
        metrics: What the model reached on them.
    """

    column: str
    values: tuple[str, ...]
    mask: Any
    metrics: dict[str, float] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The part of a metric's name that tells the slice, ``sex:female``."""
        return "/".join(f"{column}:{value}" for column, value in zip(self.column.split("/"), self.values, strict=True))


def find_slices(given: Any, frame: Frame) -> list[Slice]:
    """Divide the rows.

    Args:
        given: A column's name, a list of names (a tuple of names in it: by all of them together), or
            name → how: None (by value; numbers of many values in quarters), a number of bins of equally many rows,
            a list of limits, a mask (one bool a row), or a function of the data that returns one.
        frame: The rows.

    Raises:
        InvalidValue: A column that is not there, or one of too many values; a mask that doesn't fit.
    """
    found: list[Slice] = []
    for name, columns, how in _wanted(given):
        parts = [_parts(column, how if len(columns) == 1 else None, frame) for column in columns]
        found += _crossed(name, parts)
    seen: set[str] = set()
    for one in found:
        if one.name in seen:
            raise InvalidValue("slices", one.column, "each column once")
        seen.add(one.name)
    return found


def slice_metrics(
    scored: Scored,
    slices: Sequence[Slice],
    measure: Callable[[Scored, Any], dict[str, float]],
    least: int = 1,
    directions: Mapping[str, str] | None = None,
) -> tuple[list[Slice], dict[str, float]]:
    """Measure each slice, and how far they are apart.

    Args:
        scored: All rows.
        slices: Their parts.
        measure: Gives the metrics of some rows, with the mask they were taken by.
        least: Slices of fewer rows have metrics, but don't count for gaps and the worst.
        directions: Metric → ``maximize`` or ``minimize``, where its name does not say.

    Returns:
        The slices with their metrics, and all that is to be logged.
    """
    done: list[Slice] = []
    logged: dict[str, float] = {}
    for one in slices:
        metrics = measure(scored.part(one.mask), one.mask)
        done.append(Slice(one.column, one.values, one.mask, metrics))
        logged.update({f"{metric}/{one.name}": value for metric, value in metrics.items() if metric not in _COUNTS})
        logged[f"example_count/{one.name}"] = float(one.mask.sum())
    for column in dict.fromkeys(one.column for one in done):
        counted = [one for one in done if one.column == column and one.metrics.get("example_count", 0) >= least]
        for metric in dict.fromkeys(name for one in counted for name in one.metrics):
            values = [one.metrics[metric] for one in counted if metric in one.metrics]
            if metric in _NO_GAP or len(values) < 2:
                continue
            logged[f"{metric}_gap/{column}"] = max(values) - min(values)
            way = direction(metric, directions)
            if way is not None:
                logged[f"{metric}_worst/{column}"] = min(values) if way == "maximize" else max(values)
    return done, logged


def slice_table(slices: Sequence[Slice], overall: Mapping[str, float]) -> dict[str, list[Any]]:
    """Return a table of all slices as columns; its first row is all the data."""
    names = list(dict.fromkeys([*overall, *(name for one in slices for name in one.metrics)]))
    rows = [("", "all", overall), *((one.column, "/".join(one.values), one.metrics) for one in slices)]
    table: dict[str, list[Any]] = {"slice": [row[0] for row in rows], "value": [row[1] for row in rows]}
    table.update({name: [row[2].get(name) for row in rows] for name in names})
    return table


def _wanted(given: Any) -> Iterator[tuple[str, tuple[str, ...], Any]]:
    """Yield a name, the columns and how they are divided, for each entry of ``slices=``."""
    if isinstance(given, str):
        given = [given]
    if isinstance(given, Mapping):
        for name, how in given.items():
            columns = tuple(how) if isinstance(how, tuple) and how and all(isinstance(x, str) for x in how) else None
            yield ("/".join(columns), columns, None) if columns else (str(name), (str(name),), how)
        return
    if not isinstance(given, Sequence):
        raise InvalidValue("slices", given, "a column's name, a list of names, or a mapping of names")
    for entry in given:
        columns = (entry,) if isinstance(entry, str) else tuple(entry) if isinstance(entry, list | tuple) else ()
        if not columns or not all(isinstance(column, str) for column in columns):
            raise InvalidValue("slices", entry, "a column's name, or a tuple of names")
        yield "/".join(columns), columns, None


def _parts(column: str, how: Any, frame: Frame) -> list[tuple[str, Any]]:
    """Return the parts of one column: what each is called, and which rows it has."""
    np = numpy()
    if (how is not None and not isinstance(how, int | list | tuple)) or _is_mask(np, how, len(frame)):
        return _masked(np, column, how, frame)
    values = frame.column(column)
    lost = missing(np, values)
    if values.dtype.kind in "mM":
        values = np.array([str(value) for value in values], dtype=object)
        if all(text.endswith(MIDNIGHT) for text in values[~lost]):
            values = np.array([text.partition("T")[0] for text in values], dtype=object)
    elif values.dtype.kind == "O":
        values = np.where(lost, None, values)  # pandas' NA can't even be compared
    if how is None:
        distinct = _distinct(values, lost)
        numeric = values.dtype.kind in "fiu"
        if numeric and len(distinct) > FEW:
            how = BINS
        elif len(distinct) > MOST:
            raise InvalidValue(
                f"the column {column!r}", f"one of {len(distinct):,} values",
                f"one of at most {MOST}; give a mask, or slice by a column with fewer",
            )  # fmt: skip
        else:
            labels = _labels([_text(value) for value in distinct])
            parts = [(label, _equal(np, values, value)) for label, value in zip(labels, distinct, strict=True)]
            return [(name, mask & ~lost) for name, mask in parts] + _lost(lost)
    try:
        numbers = np.where(lost, np.nan, values).astype(float)
    except (TypeError, ValueError):
        raise InvalidValue(f"the column {column!r}", "text", "numbers where it is divided in bins") from None
    return _binned(np, column, numbers, how) + _lost(lost)


def _binned(np: Any, column: str, numbers: Any, how: Any) -> list[tuple[str, Any]]:
    known = numbers[~np.isnan(numbers)]
    if isinstance(how, int):
        if not 1 < how <= MOST:
            raise InvalidValue(f"the bins of {column!r}", how, f"a number from 2 to {MOST}")
        cuts = np.unique(np.quantile(known, [step / how for step in range(1, how)])) if len(known) else np.array([])
    else:
        try:
            cuts = np.array([float(limit) for limit in how])
        except (TypeError, ValueError):
            raise InvalidValue(f"the limits of {column!r}", how, "numbers") from None
        if len(cuts) == 0 or not (np.diff(cuts) > 0).all():
            raise InvalidValue(f"the limits of {column!r}", how, "rising numbers")
    if len(cuts) == 0:
        return []
    bins = np.digitize(numbers, cuts)
    texts = [f"{cut:g}".replace("+", "") for cut in cuts]
    if len(set(texts)) < len(texts):
        texts = [repr(float(cut)).replace("+", "") for cut in cuts]
    names = [f"below {texts[0]}", *(f"{low}..{high}" for low, high in pairwise(texts)),
             f"from {texts[-1]}"]  # fmt: skip
    masks = [(bins == number) & ~np.isnan(numbers) for number in range(len(names))]
    return [(name, mask) for name, mask in zip(names, masks, strict=True) if mask.any()]


def _masked(np: Any, name: str, how: Any, frame: Frame) -> list[tuple[str, Any]]:
    given = how(frame.data) if callable(how) else how
    mask = np.asarray(given)
    if mask.dtype == object and not missing(np, mask).any():
        mask = mask.astype(bool)
    if mask.shape != (len(frame),) or mask.dtype != bool:
        raise InvalidValue(f"the mask {name!r}", given, f"one bool for each of the {len(frame):,} rows")
    return [(text, part) for text, part in (("true", mask), ("false", ~mask)) if part.any()]


def _is_mask(np: Any, how: Any, rows: int) -> bool:
    return isinstance(how, list | tuple) and len(how) == rows and all(isinstance(x, bool | np.bool_) for x in how)


def _crossed(name: str, parts: Sequence[list[tuple[str, Any]]]) -> list[Slice]:
    found: list[tuple[tuple[str, ...], Any]] = [((), None)]
    for one in parts:
        found = [
            ((*values, value), mask if before is None else before & mask)
            for values, before in found
            for value, mask in one
        ]
    column = "/".join(_clean(part) for part in name.split("/")) if len(parts) > 1 else _clean(name)
    return [Slice(column, values, mask) for values, mask in found if mask is not None and mask.any()]


def _lost(mask: Any) -> list[tuple[str, Any]]:
    return [("missing", mask)] if mask.any() else []


def _distinct(values: Any, lost: Any) -> list[Any]:
    found = set(values[~lost].tolist())
    try:
        return sorted(found)
    except TypeError:
        return sorted(found, key=str)


def _equal(np: Any, values: Any, value: Any) -> Any:
    """Return which rows have *value*: text is compared as it is, where NumPy would cut off NULs at its end."""
    if values.dtype.kind == "O":
        return np.array([bool(one == value) for one in values], dtype=bool)
    return np.asarray(values == value, dtype=bool)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return str(value)


def _labels(texts: list[str]) -> list[str]:
    """Return names for values that a metric's name can have, no two of them alike."""
    from hashlib import sha256

    cleaned = [_clean(text) for text in texts]
    twice = {name for name in cleaned if cleaned.count(name) > 1} | {"missing"}
    return [
        f"{name}-{sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()[:4]}" if name in twice else name
        for name, text in zip(cleaned, texts, strict=True)
    ]


def _clean(text: str) -> str:
    """Return *text* without what a metric's name can't have, and without what divides its parts."""
    kept = "".join(char if char.isalnum() or char in "_-. " else "_" for char in text.strip())
    return kept[:60] or "empty"
