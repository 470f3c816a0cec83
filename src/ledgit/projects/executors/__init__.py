"""Where trials run: this machine, Dask, Slurm, Ray."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ledgit.projects.executors.making import make_executor
    from ledgit.projects.executors.orders import Code, TrialOrder, TrialReport, code_of
    from ledgit.projects.executors.protocol import RemoteExecutor, WorkerLost
    from ledgit.projects.executors.taking import Taken, take_in
    from ledgit.projects.executors.work import run_trial

_HOME = {
    "Code": "orders",
    "RemoteExecutor": "protocol",
    "Taken": "taking",
    "TrialOrder": "orders",
    "TrialReport": "orders",
    "WorkerLost": "protocol",
    "code_of": "orders",
    "make_executor": "making",
    "run_trial": "work",
    "take_in": "taking",
}

__all__ = [
    "Code",
    "RemoteExecutor",
    "Taken",
    "TrialOrder",
    "TrialReport",
    "WorkerLost",
    "code_of",
    "make_executor",
    "run_trial",
    "take_in",
]


def __getattr__(name: str) -> object:
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module 'ledgit.projects.executors' has no attribute {name!r}")
    value: object = getattr(__import__(f"ledgit.projects.executors.{home}", fromlist=[name]), name)
    globals()[name] = value
    return value
