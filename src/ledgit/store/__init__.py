"""Journals, finalizing, editing, and the index: the database inside the repository."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ledgit.store.active import ActiveRun, RunStart
    from ledgit.store.bulk import Bulk
    from ledgit.store.chain import RUN_FOLDER, Head, active_ref, read_head, run_ref
    from ledgit.store.config import CONFIG, committed_config
    from ledgit.store.edit import Edit, edit_run, edit_runs
    from ledgit.store.experiments import (
        ExperimentRecord,
        check_experiment,
        experiment_id,
        read_experiments,
        update_experiment,
    )
    from ledgit.store.finalizing import finalize
    from ledgit.store.folder import Folder
    from ledgit.store.given import Facts, protect_code, take_facts
    from ledgit.store.index import Index, Page
    from ledgit.store.index_quick import none_belongs
    from ledgit.store.journal import JournalState, read_parts
    from ledgit.store.live import active_ids, live_runs, summarize
    from ledgit.store.origins import direct_urls
    from ledgit.store.recovery import Recovered, recover

# The package's parts are loaded when used: `ledgit ls` needs the index, not the journal's
# writer, and each costs milliseconds.
_HOME = {
    "ActiveRun": "active",
    "RunStart": "active",
    "Bulk": "bulk",
    "RUN_FOLDER": "chain",
    "Head": "chain",
    "active_ref": "chain",
    "read_head": "chain",
    "run_ref": "chain",
    "CONFIG": "config",
    "committed_config": "config",
    "Edit": "edit",
    "edit_run": "edit",
    "edit_runs": "edit",
    "ExperimentRecord": "experiments",
    "check_experiment": "experiments",
    "experiment_id": "experiments",
    "read_experiments": "experiments",
    "update_experiment": "experiments",
    "finalize": "finalizing",
    "Folder": "folder",
    "Facts": "given",
    "protect_code": "given",
    "take_facts": "given",
    "Index": "index",
    "Page": "index",
    "none_belongs": "index_quick",
    "JournalState": "journal",
    "read_parts": "journal",
    "active_ids": "live",
    "live_runs": "live",
    "summarize": "live",
    "direct_urls": "origins",
    "Recovered": "recovery",
    "recover": "recovery",
}

__all__ = [
    "ActiveRun",
    "Bulk",
    "CONFIG",
    "Edit",
    "ExperimentRecord",
    "Facts",
    "Folder",
    "Head",
    "Index",
    "JournalState",
    "Page",
    "RUN_FOLDER",
    "Recovered",
    "RunStart",
    "active_ids",
    "active_ref",
    "check_experiment",
    "committed_config",
    "direct_urls",
    "edit_run",
    "edit_runs",
    "experiment_id",
    "finalize",
    "live_runs",
    "none_belongs",
    "protect_code",
    "read_experiments",
    "read_head",
    "read_parts",
    "recover",
    "run_ref",
    "summarize",
    "take_facts",
    "update_experiment",
]


def __getattr__(name: str) -> object:
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module 'ledgit.store' has no attribute {name!r}")
    value: object = getattr(__import__(f"ledgit.store.{home}", fromlist=[name]), name)  # see ledgit/__init__.py
    globals()[name] = value
    return value
