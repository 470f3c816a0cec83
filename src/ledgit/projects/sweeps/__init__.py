"""Sweeps: one entry point, many parameters; a parent run and a run a trial.

::

    from ledgit.projects.sweeps import Sweep, SweepPlan

    plan = SweepPlan({"lr": "log(1e-4,1e-1)"}, entry_point="train", trials=50, metric="loss", jobs=2)
    for event in Sweep.start(ledgit.open(), plan).events():
        ...
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ledgit.projects.sweeps.coordinator import Event, Sweep, SweepResult
    from ledgit.projects.sweeps.local import LocalExecutor
    from ledgit.projects.sweeps.opening import stop
    from ledgit.projects.sweeps.overview import SweepStatus, list_sweeps, status
    from ledgit.projects.sweeps.plan import SweepPlan
    from ledgit.projects.sweeps.space import Space, parse_dimension
    from ledgit.projects.sweeps.trials import Trial, fold

_HOME = {
    "Event": "coordinator",
    "LocalExecutor": "local",
    "Space": "space",
    "Sweep": "coordinator",
    "SweepPlan": "plan",
    "SweepResult": "coordinator",
    "SweepStatus": "overview",
    "Trial": "trials",
    "fold": "trials",
    "list_sweeps": "overview",
    "parse_dimension": "space",
    "status": "overview",
    "stop": "opening",
}

__all__ = [
    "Event",
    "LocalExecutor",
    "Space",
    "Sweep",
    "SweepPlan",
    "SweepResult",
    "SweepStatus",
    "Trial",
    "fold",
    "list_sweeps",
    "parse_dimension",
    "status",
    "stop",
]


def __getattr__(name: str) -> object:
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module 'ledgit.projects.sweeps' has no attribute {name!r}")
    value: object = getattr(__import__(f"ledgit.projects.sweeps.{home}", fromlist=[name]), name)
    globals()[name] = value
    return value
