"""What readers show of active runs, without touching them.

A journal may hold millions of points, and ``ledgit ls`` must not read them all each time: a
summary remembers how far each part was read, and goes on from there. Whoever keeps the
summary (the index) may lose it at any time.
"""

from __future__ import annotations

import os
from math import isnan
from typing import Any

import orjson

from ledgit.errors import LedgitError
from ledgit.records.clock import Clocks
from ledgit.records.history import Points
from ledgit.records.run import CodeRef
from ledgit.records.scalars import from_json
from ledgit.records.state import RunState
from ledgit.store.folder import Folder
from ledgit.store.journal import parse_lines, part_names, read_blocks
from ledgit.store.lock import DEAD, LOST, REMOTE, liveness

_VERSION = 5

__all__ = ["active_ids", "live_runs", "summarize"]


def active_ids(folder: Folder) -> list[str]:
    """Return the ids of the runs that have a journal, alive or dead."""
    try:
        return sorted(name for name in os.listdir(folder.active) if not name.startswith("."))
    except OSError:
        return []


def live_runs(folder: Folder, cache: dict[str, bytes] | None = None) -> list[RunState]:
    """Return every run that has a journal, as readers show it.

    Args:
        folder: Ledgit's folder.
        cache: Summaries by run id, read and updated; pass the same one again to read only
            what was appended since.
    """
    found = []
    ids = active_ids(folder)
    if cache is not None:
        for gone in cache.keys() - set(ids):
            del cache[gone]
    for run_id in ids:
        state, summary = summarize(folder.active_dir(run_id), cache.get(run_id) if cache is not None else None)
        if cache is not None:
            cache[run_id] = summary
        if state is not None:
            found.append(state)
    return found


def summarize(directory: str, previous: bytes | None = None) -> tuple[RunState | None, bytes]:
    """Fold the journal in *directory*, starting from the summary *previous*.

    Returns:
        The run (None if no start record could be read, or one that says what none of ours does) and the new summary.
    """
    try:
        return _summarize(directory, previous)
    except (ValueError, TypeError, LookupError, AttributeError, LedgitError):
        return None, b""  # of another Ledgit, or damaged: `doctor` tells of it, the other runs are listed


def _summarize(directory: str, previous: bytes | None) -> tuple[RunState | None, bytes]:
    fold: dict[str, Any] = _restore(previous)
    offsets: dict[str, int] = fold["offsets"]
    try:
        names = part_names(directory)
    except OSError:
        names = []
    for name in names:
        offset = offsets.get(name, 0)
        try:
            with open(os.path.join(directory, name), "rb") as file:
                if offset:
                    file.seek(offset)
                block = b""
                for block in read_blocks(file):
                    offset += len(block)
                    _fold_block(fold, name, block)
        except OSError:
            continue
        # The last record may still be on its way: it is read again next time.
        offsets[name] = offset - len(block)
    state = _state(directory, fold)
    return state, orjson.dumps(fold, option=orjson.OPT_NON_STR_KEYS)


def _fold_block(fold: dict[str, Any], part: str, data: bytes) -> None:
    histories: dict[str, Points] = {}
    events, _, last = parse_lines(data, histories, fold["clocks"].get(part, 0))
    fold["last"] = max(fold["last"], last)
    _fold_points(fold["metrics"], histories)
    for at, kind, item in events:
        fold["clocks"][part] = at
        _fold_event(fold, kind, item, [at, part])


def _restore(previous: bytes | None) -> dict[str, Any]:
    if previous:
        try:
            restored = orjson.loads(previous)
            if isinstance(restored, dict) and restored.get("v") == _VERSION:
                return restored
        except ValueError:
            pass
    empty: dict[str, Any] = {key: {} for key in ("offsets", "clocks", "when", "metrics", "params", "tags")}
    return {"v": _VERSION, "last": 0, "start": None, "end": None, "inputs": [], **empty}


def _fold_points(metrics: dict[str, list[Any]], histories: dict[str, Points]) -> None:
    for key, points in histories.items():
        value, step, time = points.latest()
        low, high = points.minmax()
        old = metrics.get(key)
        # Floats are kept as text: JSON has no NaN, and every bit must come back.
        if old is None:
            metrics[key] = [step, time, repr(value), repr(low), repr(high)]
            continue
        if (step, time, value) >= (old[0], old[1], float(old[2])):
            old[0], old[1], old[2] = step, time, repr(value)
        old[3] = repr(min(low, float(old[3])))
        old[4] = repr(max(high, float(old[4])))


def _fold_event(fold: dict[str, Any], kind: str, item: dict[str, Any], when: list[Any]) -> None:
    """Apply an event; *when* is its time and part, by which a finalized journal's events are ordered."""
    if kind == "start":
        fold["start"] = fold["start"] or item
    elif kind == "params":
        for key, value in item["values"].items():
            before = fold["when"].get(f"params.{key}")
            if before is None or when < before:
                fold["when"][f"params.{key}"] = when
                fold["params"][key] = value
    elif kind == "tags":
        fold["tags"].update(
            (key, value) for key, value in item["values"].items() if _is_newer(fold, f"tags.{key}", when)
        )
    elif kind == "untag":
        if _is_newer(fold, f"tags.{item['key']}", when):
            fold["tags"].pop(item["key"], None)
    elif kind == "input":
        one = [str(item["input"].get(key, "")) for key in ("name", "digest", "context")]
        if one not in fold["inputs"]:
            fold["inputs"].append(one)
    elif kind == "field" and fold["start"]:
        if _is_newer(fold, item["field"], when):
            fold["start"][item["field"]] = item["value"]
    elif kind == "code":
        fold["code"] = {**(fold.get("code") or {}), "user": item.get("name", ""), **(item.get("code") or {})}
    elif kind == "patch":
        fold["code"] = {**(fold.get("code") or {}), "patch_id": item.get("patch_id")}
    elif kind == "end" and _is_newer(fold, "end", when):
        fold["end"] = item


def _is_newer(fold: dict[str, Any], key: str, when: list[Any]) -> bool:
    """Whether nothing newer was said about *key*: parts are read one after the other, some of it twice."""
    if when < fold["when"].get(key, when):
        return False
    fold["when"][key] = when
    return True


def _latest(logged: list[Any], known: list[Any] | None) -> float:
    """Return a metric's latest value: of this session, or of the commits that it goes on from.

    Args:
        logged: Step, time and value (as text) of the session's latest point.
        known: The same of the commits' one.
    """
    value = float(logged[2])
    if known is None or (logged[0], logged[1]) > (known[0], known[1]):
        return value
    before = float(known[2])
    if (logged[0], logged[1]) < (known[0], known[1]) or isnan(value):
        return before
    return value if isnan(before) else max(value, before)


def _state(directory: str, fold: dict[str, Any]) -> RunState | None:
    start = fold["start"]
    if start is None:
        return None
    alive = liveness(directory, str(start.get("host", "")), str(start.get("boot", "")))
    status, lost = "RUNNING", False
    if start.get("detached") and alive in (DEAD, LOST):
        # Open between two calls of ``ledgit record``: nobody holds it, and that is fine.
        alive = REMOTE
    if fold["end"] is not None:
        status = str(fold["end"]["status"])
    elif alive == DEAD:
        status = "KILLED"
    elif alive == LOST:
        lost = True
    code = fold.get("code") or {}
    end = max(int((fold["end"] or {}).get("end", fold["last"])), int(start["start"]))
    known: dict[str, list[Any]] = start.get("last") or {}
    metrics = {key: _latest(item, known.get(key)) for key, item in fold["metrics"].items()}
    clock = (1, str(start.get("clone", "")))
    return RunState(
        id=str(start["id"]),
        name=str(start["name"]),
        experiment=str(start["experiment"]),
        status=status,
        start=int(start["start"]),
        end=None if status == "RUNNING" else end,
        user=str(code.get("user", "")),
        parent_run=start.get("parent_run"),
        code=CodeRef(
            commit=code.get("commit"),
            tree=code.get("tree"),
            branch=code.get("branch"),
            dirty=bool(code.get("dirty")),
            patch_id=code.get("patch_id"),
            subtrees=code.get("subtrees") or {},
        ),
        params={key: from_json(value) for key, value in fold["params"].items()},
        metrics=metrics,
        ranges={key: (float(item[3]), float(item[4])) for key, item in fold["metrics"].items()},
        tags=dict(fold["tags"]),
        deleted=bool(start.get("deleted", False)),
        heads=(),
        commit=None,
        # What the session itself said, removed tags among it: the rest is the resumed commit's to say.
        clocks=Clocks(clock, {key: clock for key in fold["when"] if not key.startswith("params.")}),
        conflicts={},
        left={},
        lost=lost,
        inputs=tuple(sorted((name, digest, context) for name, digest, context in fold["inputs"])),
    )
