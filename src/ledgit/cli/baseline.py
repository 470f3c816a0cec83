"""Which run to compare with when only one was named."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ledgit.errors import UsageError

if TYPE_CHECKING:
    from ledgit.repository import Repository, Run

# How far back to look in the experiment.
_MOST = 500


def baseline(repository: Repository, run: Run) -> tuple[Run, str]:
    """Return the run to compare *run* with, and why it is that one.

    A repetition (``ledgit repro``) is compared with the run that it repeats. Else it is the newest
    run of the code that *run*'s code was made from: the same commit if *run* had uncommitted
    changes, else the commit before. Where there is none, the run before it in the experiment.
    Repetitions of other runs are passed over.

    Raises:
        UsageError: There is no earlier run.
    """
    from ledgit.store.checkout import parent_commit

    repeated = repository.index.get(run.tags["ledgit.repro"]) if "ledgit.repro" in run.tags else None
    if repeated is not None:
        return repository.run(repeated.id), "the run that it repeats"
    earlier = [
        other
        for other in repository.runs.experiment(run.experiment).sort("-start_time").limit(_MOST)
        if other.id != run.id
        and (other.start, other.id) < (run.start, run.id)
        and not {"ledgit.repro", "ledgit.repro.by"} & other.tags.keys()
    ]
    if not earlier:
        raise UsageError(f"there is no run before {run.name} in experiment {run.experiment}; name two runs")
    if run.code.commit:
        base = run.code.commit if run.code.dirty else parent_commit(repository.repo, run.code.commit)
        for other in earlier:
            if base and other.code.commit == base and not (other.code.dirty and run.code.dirty):
                return other, f"the newest run of {base[:12]}, the code it was made from"
    return earlier[0], f"the run before it in {run.experiment}"
