"""A ledger line taken into the index as it is, without becoming an entry and a state first.

Nearly every run has one head, and its line says all there is. Such a line is checked here, its
values go straight into the run's row, and the line itself is kept as the run's document: taking
in 100,000 runs then costs a third. A line with anything unusual (tagged numbers, a newer version,
a tombstone) goes the long way, which also finds the words for what is wrong with it. Both ways
give the same answers; a property test compares them.
"""

from __future__ import annotations

from typing import Any

from orjson import JSONDecodeError, loads

from ledgit.records import STATUSES, Clocks, CodeRef, RunState, is_commit_id, is_run_id, is_time
from ledgit.records.basics import DEFAULT_EXPERIMENT, FINISHED
from ledgit.records.line import VERSION

__all__ = ["inputs_of", "lean", "run_of", "state_of"]

_MAX = 65_536
_HEX = frozenset(b"0123456789abcdef")
_HEX_TEXT = "0123456789abcdef"
_NOTHING: dict[str, Any] = {}
_SCALARS = frozenset({str, int, float, bool, type(None)})
_FLOATS = frozenset({float})
_TEXTS = frozenset({str})
_WHOLE = frozenset({int})
_LEFT_OUT = frozenset({"params", "metrics", "tags", "ranges", "inputs", "state", "past"})
_OIDS: set[str] = set()
_MOST_OIDS = 20_000


def run_of(line: bytes) -> str:
    """Return the id of the run that *line* is about if it begins as Ledgit writes it, else nothing."""
    # {"id":"<32 digits>","head":"<40 digits>",
    if line[:7] == b'{"id":"' and line[39:49] == b'","head":"' and line[89:91] == b'",':
        run = line[7:39]
        if _HEX.issuperset(run):
            return run.decode("ascii")
    return ""


def lean(line: bytes, run: str) -> dict[str, Any] | None:
    """Return what *line* says if it is a plain line of *run* that needs nothing but itself, else None.

    What had no room in the line may be missing: ``left`` tells. Texts that were cut and subtrees
    that were left out are not plain, since a row has them in columns of their own.
    """
    if len(line) > _MAX:
        return None
    try:
        data = loads(line)
        return data if _is_plain(line, data, run) else None
    except (JSONDecodeError, TypeError, AttributeError):  # what is unusual may be anything
        return None


def _is_plain(line: bytes, data: dict[str, Any], run: str) -> bool:
    get = data.get
    version, head, end, parent = get("v", VERSION), get("head"), get("end"), get("parent_run")
    params, metrics, tags = get("params", _NOTHING), get("metrics", _NOTHING), get("tags", _NOTHING)
    left, ranges, state = get("left", _NOTHING), get("ranges", _NOTHING), get("state", _NOTHING)
    return (
        get("id") == run
        and "purged" not in data
        and type(version) is int
        and version <= VERSION
        and type(head) is str
        and line[49:89] == head.encode()  # a second one further on is no plain thing
        and not head.strip(_HEX_TEXT)
        and is_time(get("start"))
        and type(get("name", "")) is str
        and type(get("experiment", "")) is str
        and type(get("user", "")) is str
        and get("status", FINISHED) in STATUSES
        and (end is None or is_time(end))
        and (parent is None or is_run_id(parent))
        and type(get("deleted", False)) is bool
        and ("past" not in data or _is_past(data["past"]))
        and ("inputs" not in data or _is_inputs(data["inputs"]))
        and ("clock" not in data or _is_clock(data["clock"]))
        and type(params) is dict
        and type(metrics) is dict
        and type(tags) is dict
        and type(left) is dict
        and type(ranges) is dict
        and type(state) is dict
        and _is_code(get("code", _NOTHING))
        and _SCALARS.issuperset(map(type, params.values()))
        and _FLOATS.issuperset(map(type, metrics.values()))
        and _TEXTS.issuperset(map(type, tags.values()))
        and (not left or (_LEFT_OUT.issuperset(left) and _WHOLE.issuperset(map(type, left.values()))))
        and (not ranges or all(map(_is_range, ranges.values())))
        and (not state or all(map(_is_clock, state.values())))
    )


def _is_past(past: Any) -> bool:
    return (
        type(past) is list
        and all(type(oid) is str and 16 <= len(oid) <= 64 and not oid.strip(_HEX_TEXT) for oid in past)
        and (not past or is_commit_id(past[0]))
    )


def _is_clock(clock: Any) -> bool:
    return (
        type(clock) is list
        and len(clock) in (2, 3)
        and type(clock[0]) is int
        and type(clock[1]) is str
        and (len(clock) == 2 or type(clock[2]) is str)
    )


def _is_inputs(inputs: Any) -> bool:
    return type(inputs) is list and all(
        type(one) is list and len(one) == 3 and _TEXTS.issuperset(map(type, one)) for one in inputs
    )


def _is_range(pair: Any) -> bool:
    return type(pair) is list and len(pair) == 2 and type(pair[0]) is float and type(pair[1]) is float


def _is_code(code: Any) -> bool:
    if type(code) is not dict:
        return False
    get = code.get
    branch, subtrees = get("branch"), get("subtrees", _NOTHING)
    return (
        _is_oid(get("commit"))
        and _is_oid(get("tree"))
        and _is_oid(get("patch_id"))
        and (branch is None or type(branch) is str)
        and type(get("dirty", False)) is bool
        and type(subtrees) is dict
        and (not subtrees or all(map(is_commit_id, subtrees.values())))
    )


def _is_oid(oid: Any) -> bool:
    """Say whether *oid* is None or a commit's id; thousands of runs share theirs."""
    if oid is None or oid in _OIDS:
        return True
    if not is_commit_id(oid):
        return False
    if len(_OIDS) >= _MOST_OIDS:
        _OIDS.clear()
    _OIDS.add(oid)
    return True


def state_of(data: dict[str, Any]) -> RunState:
    """Return the state that a line's *data* gives, which :func:`lean` has let pass."""
    get = data.get
    code, clock, head = get("code", _NOTHING), get("clock", (0, "")), data["head"]
    past = get("past")
    return RunState(
        data["id"],
        get("name", ""),
        get("experiment", DEFAULT_EXPERIMENT),
        get("status", FINISHED),
        data["start"],
        get("end"),
        get("user", ""),
        get("parent_run"),
        CodeRef(
            code.get("commit"),
            code.get("tree"),
            code.get("branch"),
            code.get("dirty", False),
            code.get("patch_id"),
            code.get("subtrees", {}),
        ),
        get("params", {}),
        get("metrics", {}),
        {key: (low, high) for key, (low, high) in get("ranges", _NOTHING).items()},
        get("tags", {}),
        get("deleted", False),
        (head,),
        past[0] if past else head,
        Clocks((clock[0], clock[1]), {key: (item[0], item[1]) for key, item in get("state", _NOTHING).items()}),
        {},
        get("left", {}),
        inputs=inputs_of(data) if "inputs" in data else (),
    )


def inputs_of(data: dict[str, Any]) -> tuple[tuple[str, str, str], ...]:
    """Return the data sets that a plain line has, each once, sorted."""
    return tuple(sorted({(name, digest, context) for name, digest, context in data["inputs"]}))
