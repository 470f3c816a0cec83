"""What a run's line in the ledger says, as a record: for a run whose commit is not in this clone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ledgit.records.inputs import InputRecord
from ledgit.records.record import RunRecord
from ledgit.records.run import CodeInfo, RunInfo

if TYPE_CHECKING:
    from ledgit.records.state import RunState

__all__ = ["outline"]


def outline(state: RunState) -> RunRecord:
    """Return the run *state* as a record without histories, environment, artifacts and command.

    Of its data sets it has what lists have: names, digests and contexts.
    """
    code = state.code
    info = RunInfo(
        id=state.id,
        name=state.name,
        experiment=state.experiment,
        status=state.status,
        start=state.start,
        end=state.end,
        user=state.user,
        parent_run=state.parent_run,
        deleted=state.deleted,
        code=CodeInfo(
            commit=code.commit,
            tree=code.tree,
            branch=code.branch,
            dirty=code.dirty,
            patch_id=code.patch_id,
            subtrees=code.subtrees,
        ),
    )
    return RunRecord(
        info,
        params=dict(state.params),
        metrics=dict(state.metrics),
        tags=dict(state.tags),
        inputs=[InputRecord(name, digest, context=context) for name, digest, context in state.inputs],
        clocks=state.clocks,
    )
