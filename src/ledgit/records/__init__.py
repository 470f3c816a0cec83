"""Records: what a run is made of, each kind in a file of its own, encoded and decoded. No I/O.

Names are bound when first used, so that a command pays only for the record kinds it touches.
"""

from __future__ import annotations

TYPE_CHECKING = False  # typing takes 3 ms to import
if TYPE_CHECKING:
    from typing import Any

    from ledgit.records.artifacts import DVC as DVC
    from ledgit.records.artifacts import GIT as GIT
    from ledgit.records.artifacts import ArtifactRecord as ArtifactRecord
    from ledgit.records.artifacts import decode_artifacts as decode_artifacts
    from ledgit.records.artifacts import dvc_pointer as dvc_pointer
    from ledgit.records.artifacts import encode_artifacts as encode_artifacts
    from ledgit.records.clock import Clock as Clock
    from ledgit.records.clock import Clocks as Clocks
    from ledgit.records.clock import decode_clocks as decode_clocks
    from ledgit.records.clock import encode_clocks as encode_clocks
    from ledgit.records.documents import dump_document as dump_document
    from ledgit.records.documents import load_document as load_document
    from ledgit.records.entry import MAX_LINE as MAX_LINE
    from ledgit.records.entry import Entry as Entry
    from ledgit.records.entry import decode_entry as decode_entry
    from ledgit.records.entry import encode_entry as encode_entry
    from ledgit.records.entry import encode_tombstone as encode_tombstone
    from ledgit.records.entry import value_bytes as value_bytes
    from ledgit.records.entry import with_head as with_head
    from ledgit.records.environment import Environment as Environment
    from ledgit.records.environment import decode_environment as decode_environment
    from ledgit.records.environment import encode_environment as encode_environment
    from ledgit.records.environment import requirements_txt as requirements_txt
    from ledgit.records.flat import dump_flat as dump_flat
    from ledgit.records.flat import load_flat as load_flat
    from ledgit.records.history import Points as Points
    from ledgit.records.history import decode_history as decode_history
    from ledgit.records.history import encode_history as encode_history
    from ledgit.records.history import union as union
    from ledgit.records.inputs import InputRecord as InputRecord
    from ledgit.records.inputs import InputRef as InputRef
    from ledgit.records.inputs import decode_inputs as decode_inputs
    from ledgit.records.inputs import encode_inputs as encode_inputs
    from ledgit.records.inputs import input_refs as input_refs
    from ledgit.records.names import check_artifact_path as check_artifact_path
    from ledgit.records.names import check_key as check_key
    from ledgit.records.names import check_run_name as check_run_name
    from ledgit.records.names import history_file as history_file
    from ledgit.records.names import history_files as history_files
    from ledgit.records.names import is_reserved as is_reserved
    from ledgit.records.names import path_problem as path_problem
    from ledgit.records.names import safe_file as safe_file
    from ledgit.records.names import stored_path as stored_path
    from ledgit.records.names import stored_paths as stored_paths
    from ledgit.records.record import RUN_FOLDER as RUN_FOLDER
    from ledgit.records.record import RunRecord as RunRecord
    from ledgit.records.record import decode_record as decode_record
    from ledgit.records.record import make_entry as make_entry
    from ledgit.records.record import make_state as make_state
    from ledgit.records.record import run_files as run_files
    from ledgit.records.redact import is_secret_name as is_secret_name
    from ledgit.records.redact import redact_command as redact_command
    from ledgit.records.run import DEFAULT_EXPERIMENT as DEFAULT_EXPERIMENT
    from ledgit.records.run import FAILED as FAILED
    from ledgit.records.run import FINISHED as FINISHED
    from ledgit.records.run import KILLED as KILLED
    from ledgit.records.run import RUNNING as RUNNING
    from ledgit.records.run import SCHEDULED as SCHEDULED
    from ledgit.records.run import STATUSES as STATUSES
    from ledgit.records.run import CodeInfo as CodeInfo
    from ledgit.records.run import CodeRef as CodeRef
    from ledgit.records.run import RunInfo as RunInfo
    from ledgit.records.run import decode_run as decode_run
    from ledgit.records.run import encode_run as encode_run
    from ledgit.records.run import from_iso as from_iso
    from ledgit.records.run import is_commit_id as is_commit_id
    from ledgit.records.run import is_run_id as is_run_id
    from ledgit.records.run import is_time as is_time
    from ledgit.records.run import iso as iso
    from ledgit.records.scalars import Scalar as Scalar
    from ledgit.records.scalars import clean_text as clean_text
    from ledgit.records.scalars import dump_scalar as dump_scalar
    from ledgit.records.scalars import from_json as from_json
    from ledgit.records.scalars import load_scalar as load_scalar
    from ledgit.records.scalars import to_json as to_json
    from ledgit.records.scalars import to_metric as to_metric
    from ledgit.records.scalars import to_scalar as to_scalar
    from ledgit.records.state import RunState as RunState
    from ledgit.records.state import join as join
    from ledgit.records.state import union_entries as union_entries
    from ledgit.records.words import new_run_id as new_run_id
    from ledgit.records.words import random_name as random_name
    from ledgit.records.yamllines import line_of as line_of

_WHERE = {
    "artifacts": "DVC GIT ArtifactRecord decode_artifacts dvc_pointer encode_artifacts",
    "clock": "Clock Clocks decode_clocks encode_clocks",
    "documents": "dump_document load_document",
    "entry": "MAX_LINE Entry decode_entry encode_entry encode_tombstone value_bytes with_head",
    "environment": "Environment decode_environment encode_environment requirements_txt",
    "flat": "dump_flat load_flat",
    "history": "Points decode_history encode_history union",
    "inputs": "InputRecord InputRef decode_inputs encode_inputs input_refs",
    "names": "check_artifact_path check_key check_run_name history_file history_files is_reserved path_problem"
    " safe_file stored_path stored_paths",
    "record": "RUN_FOLDER RunRecord decode_record make_entry make_state run_files",
    "redact": "is_secret_name redact_command",
    "run": "DEFAULT_EXPERIMENT FAILED FINISHED KILLED RUNNING SCHEDULED STATUSES CodeInfo CodeRef RunInfo"
    " decode_run encode_run from_iso is_commit_id is_run_id is_time iso",
    "scalars": "Scalar clean_text dump_scalar from_json load_scalar to_json to_metric to_scalar",
    "state": "RunState join union_entries",
    "words": "new_run_id random_name",
    "yamllines": "line_of",
}
_HOME = {name: module for module, names in _WHERE.items() for name in names.split()}

__all__ = sorted(_HOME)  # noqa: PLE0605


def __getattr__(name: str) -> Any:
    module = _HOME.get(name)
    if module is None:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    value = getattr(__import__(f"{__name__}.{module}", fromlist=[name]), name)  # see ledgit/__init__.py
    globals()[name] = value
    return value
