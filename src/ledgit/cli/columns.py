"""Which columns a list of runs has, and what stands in them."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from ledgit.cli import render, text
from ledgit.errors import UsageError

if TYPE_CHECKING:
    from ledgit.repository import Run

ATTRIBUTES = (
    "id", "name", "experiment", "status", "start", "end", "duration", "user", "branch", "commit", "head", "tree",
    "dirty", "parent_run", "deleted",
)  # fmt: skip
_OIDS = ("id", "commit", "head", "tree", "parent_run")
KINDS = ("metrics", "params", "tags")
_KEYED = tuple(f"{kind}." for kind in KINDS)
_RIGHT = ("duration", "metrics")
# Beyond these a line is too long to be read; `--columns` and the other formats have everything.
_MOST_METRICS, _MOST_PARAMS = 8, 8
# One long text must not push the other columns out of sight where a pipe has no width.
_WIDEST = 60


class Chosen:
    """The columns of one list: what each is called, and whether anything was left out.

    Attributes:
        names: ``name``, ``metrics.accuracy``, ``params.lr``, …
        hidden: Names of informative columns that were left out for room.
    """

    def __init__(self, names: list[str], hidden: Sequence[str] = ()) -> None:
        self.names, self.hidden = names, list(hidden)


def choose(runs: Sequence[Run], wanted: str | None = None, available: list[str] | None = None) -> Chosen:
    """Choose columns: those *wanted*, else those that tell the runs apart.

    Args:
        runs: What is listed.
        wanted: Comma-separated names; ``metrics.*`` and other shell patterns; a leading ``+``
            adds to the usual ones; ``all``. A bare name is an attribute, else a metric or a param.
        available: What :func:`everything` gave for more runs than are at hand; then *runs* are looked at
            for the usual ones alone.

    Raises:
        UsageError: No run has such a column.
    """
    if wanted is None:
        return _informative(runs)
    words = [word.strip() for word in wanted.split(",") if word.strip()]
    if not words:
        raise UsageError(
            f"--columns is empty; name some of {', '.join(ATTRIBUTES)}, metrics.NAME, params.NAME, tags.NAME"
        )
    names: list[str] = []
    if words[0].startswith("+"):
        names += _informative(runs).names
        words[0] = words[0][1:]
    if available is None:
        available = everything(runs)
    for word in words:
        found = _matching(word, available)
        if not found and (runs or len(available) > len(ATTRIBUTES)):
            from difflib import get_close_matches

            bare = {name.partition(".")[2] or name: name for name in reversed(available)}
            near = [bare.get(name, name) for name in get_close_matches(word, [*available, *bare], n=2)]
            hint = f" (did you mean {' or '.join(dict.fromkeys(near))}?)" if near else ""
            raise UsageError(f"no listed run has a column {word!r}{hint}")
        names += found
    return Chosen(list(dict.fromkeys(names)))


def everything(runs: Iterable[Run]) -> list[str]:
    """Return every column these runs have, attributes first."""
    keys: dict[str, set[str]] = {kind: set() for kind in KINDS}
    for run in runs:
        for kind, known in keys.items():
            known.update(getattr(run, kind))
    return [*ATTRIBUTES, *(f"{kind}.{key}" for kind, known in keys.items() for key in sorted(known))]


def _matching(word: str, available: list[str]) -> list[str]:
    if word == "all":
        return available
    if word in available:
        return [word]
    for kind in KINDS:
        if f"{kind}.{word}" in available:
            return [f"{kind}.{word}"]
    if any(char in word for char in "*?["):
        from fnmatch import fnmatchcase

        return [
            name
            for name in available
            if fnmatchcase(name, word) or (name.startswith(_KEYED) and fnmatchcase(name.partition(".")[2], word))
        ]
    return []


def _informative(runs: Sequence[Run]) -> Chosen:
    alone = len(runs) == 1
    names = ["id", "name"]
    if len({run.experiment for run in runs}) > 1:
        names.append("experiment")
    if any(run.status != "FINISHED" for run in runs):
        names.append("status")
    names.append("start")
    metrics = _telling(runs, "metrics", alone=alone)
    params = _telling(runs, "params", alone=alone)
    tail = ["duration"] + [name for name in ("branch", "user") if len({_attribute(run, name) for run in runs}) > 1]
    if any(run.deleted for run in runs) and not all(run.deleted for run in runs):
        tail.append("deleted")
    shown = metrics[:3] + params[:5] + metrics[3:_MOST_METRICS] + params[5:_MOST_PARAMS]
    return Chosen(names + shown + tail, metrics[_MOST_METRICS:] + params[_MOST_PARAMS:])


def _telling(runs: Sequence[Run], kind: str, *, alone: bool) -> list[str]:
    """Return the keys of *kind* that differ, those most runs have first."""
    counts: dict[str, int] = {}
    first: dict[str, object] = {}
    differing: set[str] = set()
    for run in runs:
        for key, value in getattr(run, kind).items():
            counts[key] = counts.get(key, 0) + 1
            if key not in differing:
                old = first.setdefault(key, value)
                if old is not value and (old != value or type(old) is not type(value)):
                    differing.add(key)
    keys = [
        key
        for key, count in counts.items()
        if (alone or key in differing or count < len(runs)) and not key.startswith("system/")
    ]
    return [f"{kind}.{key}" for key in sorted(keys, key=lambda key: (-counts[key], key))]


def value(run: Run, name: str) -> object:
    """Return what stands in column *name* of *run*, as CSV has it; None where it has nothing."""
    kind, dot, key = name.partition(".")
    if dot and kind in KINDS:
        found: object = getattr(run, kind).get(key)
        return found
    return _attribute(run, name)


def _attribute(run: Run, name: str) -> object:
    if name in ("start", "end"):
        return text.moment(getattr(run, name))
    if name == "duration":
        return None if run.end is None else (run.end - run.start) / 1000
    found: object = getattr(run.code if name in ("branch", "tree", "dirty") else run, name)
    return found


def title(name: str) -> str:
    """Return the heading of a column in a text table."""
    kind, dot, key = name.partition(".")
    return text.clean(key) if dot and kind in KINDS else name


def text_columns(names: Sequence[str], runs: Sequence[Run] = ()) -> list[render.Column]:
    """Return how the named columns of *runs* are laid out: numbers to the right, and never cut."""
    titles = [title(name) for name in names]
    columns = []
    for name, short in zip(names, titles, strict=True):
        kind, _, key = name.partition(".")
        head = short if titles.count(short) == 1 else text.clean(name)  # a param and a metric of one name
        right = kind in _RIGHT or (kind == "params" and _numeric(runs, key))
        least = 0 if name == "id" else 20 if name == "name" else 10 if kind in ("tags", "params") and not right else 6
        columns.append(render.Column(head, right=right, least=least, whole=right or kind in ("start", "end", "status")))
    return columns


def _numeric(runs: Sequence[Run], param: str) -> bool:
    values = [run.params[param] for run in runs if param in run.params]
    return bool(values) and all(type(item) in (int, float) for item in values)


def cells(run: Run, names: Sequence[str], style: text.Style, now: float | None = None) -> list[str]:
    """Return the cells of one run for a text or Markdown table."""
    now = time.time() if now is None else now
    return [_cell(run, name, style, now) for name in names]


def _cell(run: Run, name: str, style: text.Style, now: float) -> str:
    if name in _OIDS:
        return render.Painted(str(value(run, name) or "")[:8], style.yellow)
    if name == "status":
        return render.Painted("LOST" if run.lost else text.clean(run.status), style.status(run.status))
    if name in ("start", "end"):
        return text.age(getattr(run, name), now)
    if name == "duration":
        if run.end is None:
            return text.duration(max(0, int(now * 1000) - run.start)) if run.status == "RUNNING" else ""
        return text.duration(run.end - run.start)
    if name in ("dirty", "deleted"):
        return name if value(run, name) else ""
    shown = value(run, name)
    if shown is None and name.startswith("params.") and name[7:] in run.params:
        return "None"  # a param that is None is another one than a param that was not logged
    return text.fit(text.scalar(shown), _WIDEST)
