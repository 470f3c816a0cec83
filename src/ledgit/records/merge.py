"""Merging records: what the heads of one run hold together.

The law is the one by which `state.join` joins their ledger lines. What lines do not have is merged
so that it does not matter either in which order the heads come: histories by the union of their
points and of the objects that hold more of them, artifacts by the clock of their path, data sets by their union.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ledgit.errors import RecordError
from ledgit.records.artifacts import ArtifactRecord
from ledgit.records.basics import FINISHED
from ledgit.records.clock import Clock, Clocks
from ledgit.records.environment import Environment, encode_environment
from ledgit.records.history import Points, union
from ledgit.records.inputs import InputRecord, encode_inputs
from ledgit.records.names import stored_paths
from ledgit.records.record import ARTIFACT_CLOCK, RunRecord, make_entry
from ledgit.records.run import RunInfo, encode_run
from ledgit.records.scalars import Scalar
from ledgit.records.state import RunState, join_heads

__all__ = ["merge_records", "param_conflicts"]


def merge_records(records: Sequence[RunRecord]) -> RunRecord:
    """Return the record of several heads of one run, in any order.

    Key by key the greatest (Lamport counter, clone, value) counts and a removed key stays removed;
    of params the first writer's. A metric whose history is here has the latest value of the union
    of its points, which a later clock can't change. Of what never changes (command, code,
    environment), should it differ all the same, the greatest bytes count.

    Artifacts get the places that their paths together have (`stored_paths`), which may be others
    than in a single head: their contents must be looked up by path and digest.

    Raises:
        RecordError: There are no records, or of several runs.
    """
    if not records or any(record.info.id != records[0].info.id for record in records):
        raise RecordError("run", "records of none or of several runs can't be merged")
    if len(records) == 1:
        return records[0]
    state = _joined(records)
    histories = _histories(records)
    latest = {name: points.latest()[0] for name, points in histories.items() if name in state.metrics and len(points)}
    return RunRecord(
        info=_info(records, state),
        params=state.params,
        metrics={**state.metrics, **latest},
        histories=histories,
        tags=state.tags,
        inputs=_inputs(records),
        environment=_environment(records),
        artifacts=_artifacts(records),
        clocks=_clocks(records, state),
        full=tuple(sorted({item for record in records for item in record.full})),
    )


def param_conflicts(records: Sequence[RunRecord]) -> dict[str, tuple[Scalar, ...]]:
    """Return the params that differ between *records*: all values, the one that counts first."""
    return _joined(records).conflicts if len(records) > 1 else {}


def _joined(records: Sequence[RunRecord]) -> RunState:
    return join_heads([make_entry(record) for record in records])


def _info(records: Sequence[RunRecord], state: RunState) -> RunInfo:
    info = max((record.info for record in records), key=_constant)
    return replace(
        info,
        name=state.name,
        experiment=state.experiment,
        status=state.status,
        end=state.end,
        deleted=state.deleted,
        reduced=any(record.info.reduced for record in records),
    )


def _constant(info: RunInfo) -> bytes:
    """Return the bytes of what no edit changes."""
    return encode_run(replace(info, name="", experiment="", status=FINISHED, end=None, deleted=False, reduced=False))


def _histories(records: Sequence[RunRecord]) -> dict[str, Points]:
    histories: dict[str, Points] = {}
    for record in records:
        for name, points in record.histories.items():
            known = histories.get(name)
            histories[name] = points.sorted_unique() if known is None else union(known, points)
    return {name: histories[name] for name in sorted(histories)}


def _inputs(records: Sequence[RunRecord]) -> list[InputRecord]:
    """Return all data sets; in the order they were logged if all heads agree on it."""
    first = records[0].inputs
    if all(record.inputs == first for record in records):
        return list(first)
    by_bytes = {encode_inputs([item]): item for record in records for item in record.inputs}
    return [by_bytes[key] for key in sorted(by_bytes)]


def _environment(records: Sequence[RunRecord]) -> Environment | None:
    known = [record.environment for record in records if record.environment is not None]
    return max(known, key=encode_environment) if known else None


def _artifacts(records: Sequence[RunRecord]) -> list[ArtifactRecord]:
    best: dict[str, tuple[tuple[object, ...], ArtifactRecord]] = {}
    for record in records:
        for artifact in record.artifacts:
            clock = record.clocks.get(ARTIFACT_CLOCK + artifact.path)
            rank = (clock, artifact.digest, artifact.size, artifact.stored, artifact.nfiles or -1)
            if artifact.path not in best or rank > best[artifact.path][0]:
                best[artifact.path] = rank, artifact
    places = stored_paths(best)
    return [_placed(best[path][1], places[path]) for path in sorted(best)]


def _placed(artifact: ArtifactRecord, place: str) -> ArtifactRecord:
    return replace(artifact, file=None if place == artifact.path else place)


def _clocks(records: Sequence[RunRecord], state: RunState) -> Clocks:
    """Return the joined clocks, with those of the artifacts, which lines do not have."""
    clocks = state.clocks.copy()
    newest: dict[str, Clock] = {}
    for record in records:
        keys = {ARTIFACT_CLOCK + artifact.path for artifact in record.artifacts}
        keys.update(key for key in record.clocks.keys if key.startswith(ARTIFACT_CLOCK))
        for key in keys:
            newest[key] = max(newest.get(key, (0, "")), record.clocks.get(key))
    for key in sorted(newest):
        if newest[key] != clocks.default:
            clocks.set(key, newest[key])
    return clocks
