"""The thread beside a fresh run: its command line, snapshot of the code, environment, identity."""

from __future__ import annotations

# Everything is imported here, also what others import in their functions: see importing in store/syncer.py.
import subprocess  # noqa: F401

from ledgit.errors import LedgitError
from ledgit.git import identity, protect, take_snapshot
from ledgit.records.redact import redact_command
from ledgit.store.artifacts import threshold  # noqa: F401
from ledgit.store.facts import environment_facts
from ledgit.store.given import code_facts, snapshot_options
from ledgit.store.journal import encode, now_ms
from ledgit.store.packs import list_pack
from ledgit.store.patchid import patch_id_of, record_patch_id

TYPE_CHECKING = False
if TYPE_CHECKING:
    import threading
    from typing import Any

    from ledgit.store.active import ActiveRun

__all__ = ["collect"]

#: Seconds before the snapshot gets a ref of its own. What a run that ends sooner needs is
#: reachable from HEAD or in a pack with a ``.keep``, and its own ref takes over.
_PROTECT_AFTER = 0.05


def collect(run: ActiveRun, command: list[str], stop: threading.Event) -> None:
    """Record what the run's command, code and environment are; never raises.

    Only git commands and small reads: no import of pygit2, no long hold of the interpreter.
    """
    try:
        run._record_command(redact_command(command))
        _facts(run, stop)
    except (LedgitError, OSError) as error:
        run.note_problem(f"the code could not be recorded: {error}")
    except Exception as error:
        run.note_problem(f"the code could not be recorded: {type(error).__name__}: {error}")


def _facts(run: ActiveRun, stop: threading.Event) -> None:
    repo = run.repo
    run._append(encode("env", {"at": now_ms(), "env": environment_facts(repo.work_tree, run.python)}))
    config = repo.config()
    notes: list[str] = []
    options = snapshot_options(repo, config, notes)
    for note in notes:
        run.note_problem(note)
    mode = config.get("ledgit.identity") or "full"
    name, email = identity(repo, mode)
    facts: dict[str, Any] = {
        "identity": mode,
        "name": name,
        "email": email,
        "threshold": run.threshold,
    }
    resumed = bool(run._start_record.get("resumed"))
    snapshot = None if resumed else take_snapshot(repo, options)
    if snapshot is not None:
        facts["code"] = code_facts(snapshot)
        known, tree = patch_id_of(repo, snapshot)
        facts["code"]["patch_id"] = known
        if tree is not None:
            record_patch_id(run, snapshot, tree, stop)
        facts["pack"] = snapshot.pack
    run._append(encode("code", {"at": now_ms(), **facts}))
    if snapshot is not None and snapshot.tree and not stop.wait(_PROTECT_AFTER):
        ref = f"refs/ledgit/active/{run.id}"
        message = f"Work tree of the active run {run.name}"
        protect(repo, ref, snapshot, message, run.start // 1000, note=lambda pack: list_pack(run.folder, pack))
        run._append(encode("protected", {"at": now_ms(), "ref": ref}))
