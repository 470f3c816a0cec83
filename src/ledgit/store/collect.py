"""The thread beside a fresh run: snapshot of the code, environment, identity."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from ledgit.errors import LedgitError
from ledgit.store.facts import environment_facts
from ledgit.store.journal import encode

if TYPE_CHECKING:
    from ledgit.git import Snapshot
    from ledgit.store.active import ActiveRun

__all__ = ["collect"]

#: Seconds before the snapshot gets a ref of its own. What a run that ends sooner needs is
#: reachable from HEAD or was written this moment, and its own ref takes over.
_PROTECT_AFTER = 0.05


def collect(run: ActiveRun, stop: threading.Event) -> None:
    """Record what the run's code and environment are; never raises.

    Only git commands and small reads: no import of pygit2, no long hold of the interpreter.
    """
    from ledgit.store.active import now_ms

    try:
        _facts(run, stop)
    except (LedgitError, OSError) as error:
        run.note_problem(f"the code could not be recorded: {error}")
    except Exception as error:  # noqa: BLE001 - this thread must not print a traceback into training
        run.note_problem(f"the code could not be recorded: {type(error).__name__}: {error} ({now_ms()})")


def _facts(run: ActiveRun, stop: threading.Event) -> None:
    from ledgit.git import SnapshotOptions, identity, protect, take_snapshot
    from ledgit.store.active import now_ms

    repo = run.repo
    run._append(encode("env", {"at": now_ms(), "env": environment_facts(repo.work_tree)}))
    config = repo.config()
    options = SnapshotOptions.from_config(config, scratch=run.directory)
    mode = config.get("ledgit.identity") or "full"
    name, email = identity(repo, mode)
    facts: dict[str, Any] = {
        "identity": mode,
        "name": name,
        "email": email,
        "threshold": config.get_int("ledgit.artifactThreshold", 256 * 1024),
    }
    resumed = bool(run._start_record.get("resumed"))
    snapshot = None if resumed else take_snapshot(repo, options)
    if snapshot is not None:
        facts["code"] = _code(snapshot)
    run._append(encode("code", {"at": now_ms(), **facts}))
    if snapshot is not None and snapshot.tree and not stop.wait(_PROTECT_AFTER):
        ref = f"refs/ledgit/active/{run.id}"
        protect(repo, ref, snapshot, f"snapshot: {run.name}\n", name, email, run.start // 1000)
        run._append(encode("protected", {"at": now_ms(), "ref": ref}))


def _code(snapshot: Snapshot) -> dict[str, Any]:
    return {
        "commit": snapshot.commit,
        "tree": snapshot.tree,
        "branch": snapshot.branch,
        "upstream": snapshot.upstream,
        "dirty": snapshot.dirty,
        "operation": snapshot.operation,
        "submodules": snapshot.submodules,
        "left_out": [list(item) for item in snapshot.left_out],
    }
