"""Reading the ledger's lines, which anybody may have written."""

from __future__ import annotations

from ledgit.errors import NewerFormat, RecordError
from ledgit.records.basics import DEFAULT_EXPERIMENT, FINISHED, STATUSES, CodeRef, is_commit_id, is_run_id, is_time
from ledgit.records.clock import GREATEST, Clock
from ledgit.records.line import VERSION, Entry
from ledgit.records.scalars import from_json

TYPE_CHECKING = False  # typing takes 3 ms to import
if TYPE_CHECKING:
    from typing import Any

__all__ = ["decode_entry"]

_MAX_FOREIGN = 65_536
_HEX = "0123456789abcdef"
_FIELDS = "id head v start name experiment status end user parent_run deleted code clock state past left purged"
_KNOWN = frozenset(_FIELDS.split()) | {"metrics", "params", "tags", "ranges", "inputs"}


def decode_entry(line: bytes, where: str = "ledger") -> Entry:
    """Return the entry of one line, or of entry.json; ``raw`` keeps the bytes.

    Raises:
        RecordError: it does not decode.
        NewerFormat: it needs a newer Ledgit.
    """
    from orjson import JSONDecodeError, loads

    line = line.rstrip(b"\n")
    if len(line) > _MAX_FOREIGN:
        raise RecordError(where, f"has a line of {len(line)} bytes")
    try:
        data = loads(line)
    except JSONDecodeError as error:
        raise RecordError(where, f"has a line that is no JSON: {error}") from None
    if type(data) is not dict:
        raise RecordError(where, "has a line that is no JSON object")
    run_id = data.get("id")
    start = data.get("start")
    if not is_run_id(run_id) or not is_time(start):
        raise RecordError(where, "has a line without a valid id and start")
    try:
        version = data.get("v", VERSION)
        if type(version) is not int:
            raise _Bad("v")
        if _typed(data.get("purged", False), bool, "purged"):
            return Entry(run_id, start, purged=True, raw=line)
        if version > VERSION:
            raise NewerFormat(where, version, VERSION)
        return _entry(run_id, start, version, data, line)
    except _Bad as bad:
        raise RecordError(where, f"run {run_id[:8]} has an impossible {bad.args[0]}") from None
    except RecordError as error:
        if isinstance(error, NewerFormat):
            raise
        raise RecordError(where, f"run {run_id[:8]} has an impossible value: {error.reason}") from None


class _Bad(Exception):
    """A field with an impossible value; the argument is its name."""


def _entry(run_id: str, start: int, version: int, data: dict[str, Any], raw: bytes) -> Entry:
    code = _mapping(data, "code")
    state: dict[str, Clock] = {}
    cut: dict[str, str] = {}
    for key, item in _mapping(data, "state").items():
        state[key] = _clock(item, "state")
        if len(item) > 2:
            cut[key] = _typed(item[2], str, "state")
    head = data.get("head", "")
    if type(head) is not str or (head and not is_commit_id(head)):
        raise _Bad("head")
    past = data.get("past", [])
    if type(past) is not list or not all(
        type(oid) is str and 16 <= len(oid) <= 64 and not oid.strip(_HEX) for oid in past
    ):
        raise _Bad("past")
    if past and not is_commit_id(past[0]):
        raise _Bad("past")
    status = data.get("status", FINISHED)
    if status not in STATUSES:
        raise _Bad("status")
    end = data.get("end")
    if end is not None and not is_time(end):
        raise _Bad("end")
    parent = data.get("parent_run")
    if parent is not None and not is_run_id(parent):
        raise _Bad("parent_run")
    ranges = {}
    for key, pair in _mapping(data, "ranges").items():
        if type(pair) is not list or len(pair) != 2:
            raise _Bad("ranges")
        ranges[key] = (_number(pair[0], "ranges"), _number(pair[1], "ranges"))
    return Entry(
        id=run_id,
        start=start,
        v=version,
        head=head,
        name=_typed(data.get("name", ""), str, "name"),
        experiment=_typed(data.get("experiment", DEFAULT_EXPERIMENT), str, "experiment"),
        status=status,
        end=end,
        user=_typed(data.get("user", ""), str, "user"),
        parent_run=parent,
        deleted=_typed(data.get("deleted", False), bool, "deleted"),
        code=CodeRef(
            commit=_oid(code.get("commit")),
            tree=_oid(code.get("tree")),
            branch=None if code.get("branch") is None else _typed(code["branch"], str, "code"),
            dirty=_typed(code.get("dirty", False), bool, "code"),
            patch_id=_oid(code.get("patch_id")),
            subtrees={path: _subtree(oid) for path, oid in _mapping(code, "subtrees").items()},
        ),
        params={
            key: from_json(value) if type(value) in (dict, list) else value
            for key, value in _mapping(data, "params").items()
        },
        metrics={
            key: value if type(value) is float else _number(value, "metrics")
            for key, value in _mapping(data, "metrics").items()
        },
        ranges=ranges,
        tags={key: _typed(value, str, "tags") for key, value in _mapping(data, "tags").items()},
        clock=_clock(data.get("clock", [0, ""]), "clock"),
        state=state,
        cut=cut,
        past=tuple(past),
        inputs=_inputs(data.get("inputs")),
        left={key: _typed(value, int, "left") for key, value in _mapping(data, "left").items()},
        extra={key: value for key, value in data.items() if key not in _KNOWN},
        raw=raw,
    )


def _inputs(value: Any) -> tuple[tuple[str, str, str], ...]:
    if value is None:
        return ()
    if type(value) is not list:
        raise _Bad("inputs")
    found: set[tuple[str, str, str]] = set()
    for item in value:
        if type(item) is not list or len(item) != 3 or not all(type(text) is str for text in item):
            raise _Bad("inputs")
        found.add((item[0], item[1], item[2]))
    return tuple(sorted(found))


def _typed(value: Any, kind: type, name: str) -> Any:
    if type(value) is not kind:
        raise _Bad(name)
    return value


def _mapping(data: dict[str, Any], name: str) -> dict[str, Any]:
    value = data.get(name)
    if value is None:
        return {}
    if type(value) is not dict:
        raise _Bad(name)
    return value


def _clock(item: Any, name: str) -> Clock:
    if type(item) is not list or len(item) not in (2, 3) or type(item[0]) is not int or type(item[1]) is not str:
        raise _Bad(name)
    if not 0 <= item[0] <= GREATEST:
        raise _Bad(name)
    return item[0], item[1]


def _number(value: Any, name: str) -> float:
    if type(value) is int:
        return float(value)
    number = from_json(value)
    if type(number) is not float:
        raise _Bad(name)
    return number


def _subtree(value: Any) -> str:
    if not is_commit_id(value):
        raise _Bad("code")
    return value


def _oid(value: Any) -> str | None:
    if value is None:
        return None
    if not is_commit_id(value):
        raise _Bad("code")
    return value
