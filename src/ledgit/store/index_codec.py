"""A run's state as bytes in the index, made so that a page of fifty is read in under 1 ms.

A list, not an object: the names of the fields would be read again for every run. The layout
belongs to the index's schema version and to nothing else. A run whose one line says all there is
has that line as its bytes.
"""

from __future__ import annotations

from math import isfinite, isnan
from typing import TYPE_CHECKING, Any

import orjson

from ledgit.records import Clocks, CodeRef, RunState, from_json, to_json
from ledgit.store.index_lean import state_of

if TYPE_CHECKING:
    from ledgit.records import Scalar

__all__ = ["CodecError", "decode_state", "encode_state", "is_short"]


class CodecError(Exception):
    """Bytes that :func:`encode_state` did not write: the index is damaged."""


def encode_state(state: RunState, *, short: bool = False) -> bytes:
    """Return *state* as bytes; *short*: it lacks what lines had no room for, see :func:`is_short`."""
    code = state.code
    data = orjson.dumps(
        [
            state.id,
            state.name,
            state.experiment,
            state.status,
            state.start,
            state.end,
            state.user,
            state.parent_run,
            [code.commit, code.tree, code.branch, code.dirty, code.patch_id, code.subtrees],
            {key: to_json(value) for key, value in state.params.items()},
            state.metrics if all(map(isfinite, state.metrics.values())) else _tagged(state.metrics),
            {key: [to_json(low), to_json(high)] for key, (low, high) in state.ranges.items()},
            state.tags,
            state.deleted,
            state.heads,
            state.commit,
            [state.clocks.default, state.clocks.keys],
            {key: [to_json(value) for value in values] for key, values in state.conflicts.items()},
            state.left,
            state.lost,
            state.problem,
            state.inputs,
        ]
    )
    return b" " + data if short else data


def is_short(data: bytes) -> bool:
    """Say whether what these bytes' ``left`` counts is missing: of a line, and of a state that was stored so."""
    return data[:1] in (b"{", b" ")


def _tagged(values: dict[str, float]) -> dict[str, Any]:
    return {key: to_json(value) for key, value in values.items()}


def decode_state(data: bytes) -> RunState:
    """Return the state that *data* holds.

    Raises:
        CodecError: It holds something else.
    """
    try:
        fields = orjson.loads(data)
        if type(fields) is dict:
            return state_of(fields)
        (run_id, name, experiment, status, start, end, user, parent, code, params, metrics, ranges, tags) = fields[:13]
        (deleted, heads, commit, clocks, conflicts, left, lost, problem, inputs) = fields[13:]
        return RunState(
            run_id,
            name,
            experiment,
            status,
            start,
            end,
            user,
            parent,
            CodeRef(*code),
            _plain(params),
            _plain(metrics),
            {key: (_scalar(low), _scalar(high)) for key, (low, high) in ranges.items()},
            tags,
            deleted,
            tuple(heads),
            commit,
            Clocks(tuple(clocks[0]), {key: tuple(clock) for key, clock in clocks[1].items()}),
            {key: tuple(map(_scalar, values)) for key, values in conflicts.items()} if conflicts else {},
            left,
            lost,
            problem,
            inputs=tuple(map(tuple, inputs)),
        )
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        raise CodecError(str(error)) from error


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    for key, value in values.items():
        if type(value) is dict:  # a NaN, an infinity or a large integer, all rare
            values[key] = from_json(value)
    return values


def _scalar(value: Any) -> Any:
    return from_json(value) if type(value) is dict else value


def number_of(value: Scalar) -> int | float | None:
    """Return the number that a param is compared and sorted by, None if it is none.

    Text that spells a number counts: what was imported from MLflow is text only.
    """
    kind = type(value)
    if kind is int:
        assert isinstance(value, int)
        return value if -(2**63) <= value < 2**63 else _float(value)
    if kind is float:
        return None if isnan(value) else value  # type: ignore[arg-type,return-value]
    if kind is str:
        assert isinstance(value, str)
        return _spelled(value)
    return None


def _spelled(text: str) -> int | float | None:
    if not text or len(text) > 40 or text[-1] not in "0123456789." or not text.isascii():
        return None
    if text[0] not in "0123456789+-." or "_" in text or text.isspace():
        return None
    try:
        return number_of(int(text))
    except ValueError:
        pass
    try:
        return float(text)
    except ValueError:
        return None


def _float(value: int) -> float:
    try:
        return float(value)
    except OverflowError:
        return float("inf") if value > 0 else float("-inf")
