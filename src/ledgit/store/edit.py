"""Editing a finalized run: one commit on top of its head, so that ``git log`` is the audit trail."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from ledgit.errors import InvalidValue, RefMoved, RunNotFound
from ledgit.records.clock import Clock, encode_clocks
from ledgit.records.flat import dump_flat
from ledgit.records.names import check_key, check_run_name
from ledgit.records.record import make_entry
from ledgit.records.run import encode_run
from ledgit.store.chain import RUN_FOLDER, read_commit, run_ref
from ledgit.store.experiments import check_experiment
from ledgit.store.journal import now_ms
from ledgit.store.lines import run_line
from ledgit.store.packs import note_pack

if TYPE_CHECKING:
    from ledgit.git import Repo
    from ledgit.records.record import RunRecord
    from ledgit.store.folder import Folder

__all__ = ["Edit", "edit_run"]

_ATTEMPTS = 5
NOTE_TAG = "mlflow.note.content"


@dataclass(frozen=True, slots=True)
class Edit:
    """What to change; what is None or empty stays.

    Attributes:
        set_tags: Tag → new value.
        delete_tags: Tags to remove.
        name: New readable name.
        experiment: Experiment to move the run to.
        deleted: Mark as deleted, or restore.
    """

    set_tags: Mapping[str, str] = field(default_factory=dict)
    delete_tags: tuple[str, ...] = ()
    name: str | None = None
    experiment: str | None = None
    deleted: bool | None = None


def edit_run(repo: Repo, folder: Folder, run_id: str, edit: Edit, when: int | None = None) -> str:
    """Commit *edit* on top of the head of a finalized run.

    Args:
        repo: The repository.
        folder: Ledgit's folder, for this clone's id.
        run_id: The run.
        edit: The changes.
        when: Milliseconds since the epoch; now if None.

    Returns:
        The new head; the old one if nothing changed.

    Raises:
        RunNotFound: No finalized run of this id.
        InvalidValue: A tag to remove is not there.
        RefMoved: Other processes kept moving the head.
    """
    for attempt in range(_ATTEMPTS):
        try:
            return _edit_once(repo, folder, run_id, edit, when)
        except RefMoved:
            if attempt + 1 == _ATTEMPTS:
                raise
    raise AssertionError


def _edit_once(repo: Repo, folder: Folder, run_id: str, edit: Edit, when: int | None) -> str:
    from ledgit.git import FILE, Objects, ObjectSet, RefUpdate, edit_tree, identity, read_ref, update_refs

    ref = run_ref(run_id)
    head = read_ref(repo, ref)
    if head is None:
        raise RunNotFound(run_id)
    objects = Objects(repo)
    base = read_commit(objects, head)
    record = base.record
    clock = (record.clocks.greatest()[0] + 1, folder.clone_id)
    changed, told = _apply(record, edit, clock)
    if not told:
        return head
    root = objects.commit(head).tree
    entry = run_line(objects, root, make_entry(changed, [*base.entry.past, head]))
    files = {
        "tags.yaml": dump_flat(changed.tags),
        "run.yaml": encode_run(changed.info),
        "clock.json": encode_clocks(changed.clocks),
        "entry.json": entry,
    }
    fresh = ObjectSet()
    changes = {f"{RUN_FOLDER}/{name}": (FILE, fresh.blob(data)) for name, data in files.items()}
    tree = edit_tree(objects, fresh, root, changes)
    name, email = identity(repo)
    seconds = (now_ms() if when is None else when) // 1000
    who = (name or "ledgit", email, seconds, "+0000")
    # A note is a sentence of its own and stands below, where the log shows it whole.
    what = "edit" if len(told) > 1 else "note" if told[0].startswith("note: ") else told[0]
    subject = f"{what}: {changed.info.name}"
    message = "\n".join([subject, "", *told, "", f"Ledgit-Run: {run_id}", ""])
    commit = fresh.commit(tree, [head], who, who, message)
    pack = fresh.write(repo, keep=True)
    try:
        update_refs(repo, [RefUpdate(ref, commit, head)])
    finally:
        pack.release()
    note_pack(repo, folder, os.path.basename(pack.path))
    return commit


def _apply(record: RunRecord, edit: Edit, clock: Clock) -> tuple[RunRecord, list[str]]:
    """Return the record with *edit* applied, and one line for each change."""
    told: list[str] = []
    tags = dict(record.tags)
    clocks = record.clocks.copy()
    info = record.info
    for key, value in edit.set_tags.items():
        check_key("tag", key)
        text = str(value)
        if tags.get(key) != text:
            tags[key] = text
            clocks.set(f"tags.{key}", clock)
            told.append(f"note: {_short(text)}" if key == NOTE_TAG else f"tag {key}={_short(text)}")
    for key in edit.delete_tags:
        if key not in tags:
            raise InvalidValue("tag", key, f"a tag of run {info.name}")
        del tags[key]
        clocks.set(f"tags.{key}", clock)
        told.append("remove the note" if key == NOTE_TAG else f"untag {key}")
    if edit.name is not None and edit.name != info.name:
        check_run_name(edit.name)
        told.append(f"rename {info.name} to {edit.name}")
        info = replace(info, name=edit.name)
        clocks.set("name", clock)
    if edit.experiment is not None and edit.experiment != info.experiment:
        check_experiment(edit.experiment)
        told.append(f"move to experiment {edit.experiment}")
        info = replace(info, experiment=edit.experiment)
        clocks.set("experiment", clock)
    if edit.deleted is not None and edit.deleted != info.deleted:
        told.append("delete" if edit.deleted else "restore")
        info = replace(info, deleted=edit.deleted)
        clocks.set("deleted", clock)
    return replace(record, info=info, tags=tags, clocks=clocks), told


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 60 else line[:57] + "..."
