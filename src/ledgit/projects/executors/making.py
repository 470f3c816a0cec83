"""One place that knows all kinds of executors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ledgit.errors import UsageError
from ledgit.projects.executors.terms import OPTIONS, Terms

if TYPE_CHECKING:
    from collections.abc import Mapping
    from concurrent.futures import Executor

    from ledgit.projects.executors.protocol import RemoteExecutor

__all__ = ["KINDS", "make_executor"]

KINDS = ("local", "dask", "slurm", "ray")


def make_executor(kind: str, options: Mapping[str, Any] | None = None) -> Executor:
    """Return an executor for trials.

    Args:
        kind: ``local``, ``dask``, ``slurm`` or ``ray``.
        options: What that kind takes; values may be text, as from a command line.

            - ``local``: ``jobs``.
            - all others: ``code``, the remote that workers fetch the code from (default: it goes by value); ``push``,
              the remote that they push runs to (default: runs come back); ``limit``, the size of large artifacts up
              to which they come back as well (default 64M; others go to the artifact remote); ``scratch``, a folder
              on the workers.
            - ``dask``: ``scheduler``; ``resources`` (``GPU=1,MEM=4``).
            - ``slurm``: ``jobs``, ``folder``, ``cluster`` (``slurm`` or ``local``), and whatever else submitit's
              ``update_parameters`` takes: ``partition``, ``timeout_min``, ``mem_gb``, ``gpus_per_node``, ….
            - ``ray``: ``address`` (``auto`` by default), ``jobs``, ``cpus`` and ``gpus`` of a trial.

    Raises:
        UsageError: There is no such kind, or it takes no such option.
        MissingDependency: Its library is not installed.
        Unreachable: Nobody answers where it is said to be.
    """
    given = {key: value for key, value in (options or {}).items() if value is not None}
    if kind == "local":
        from ledgit.projects.sweeps.local import LocalExecutor

        return LocalExecutor(**_checked(kind, given, {"jobs": int}))
    if kind in KINDS:
        terms = Terms.taken_from(given)
        executor = _make(kind, given)
        executor.terms = terms
        return executor
    raise UsageError(f"there is no executor {kind!r}: it is one of {', '.join(KINDS)}")


def _make(kind: str, given: dict[str, Any]) -> RemoteExecutor:
    if kind == "dask":
        from ledgit.projects.executors.dask import DaskExecutor

        return DaskExecutor(**_checked(kind, {"scheduler": "", **given}, {"scheduler": str, "resources": resources}))
    if kind == "slurm":
        from ledgit.projects.executors.slurm import SlurmExecutor

        return SlurmExecutor(**given)
    from ledgit.projects.executors.ray import RayExecutor

    return RayExecutor(**_checked(kind, given, {"address": str, "jobs": int, "cpus": float, "gpus": float}))


def _checked(kind: str, given: Mapping[str, Any], known: Mapping[str, Any]) -> dict[str, Any]:
    unknown = sorted(given.keys() - known.keys())
    if unknown:
        names = [*sorted(known), *(OPTIONS if kind != "local" else ())]
        raise UsageError(f"executor {kind!r} has no option {unknown[0]!r}: it has {', '.join(names)}")
    found = {}
    for name, value in given.items():
        try:
            found[name] = known[name](value)
        except (TypeError, ValueError):
            wanted = "a number" if known[name] in (int, float) else "text"
            raise UsageError(f"option {name!r} of executor {kind!r} is {value!r}, expected {wanted}") from None
    return found


def resources(given: str | Mapping[str, float]) -> dict[str, float]:
    """Return ``GPU=1,MEM=4`` as names and amounts.

    Raises:
        UsageError: It is something else.
    """
    if not isinstance(given, str):
        return dict(given)
    found = {}
    for item in filter(None, given.split(",")):
        name, _, amount = item.partition("=")
        try:
            found[name.strip()] = float(amount)
        except ValueError:
            raise UsageError(f"resources are {given!r}, expected something like GPU=1,MEM=4") from None
    return found
