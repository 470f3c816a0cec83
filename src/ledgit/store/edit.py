"""Editing finalized runs: one commit on top of all heads, so that ``git log`` is the audit trail."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from ledgit.errors import InvalidValue, RefMoved, RunNotFound
from ledgit.records.artifacts import DVC
from ledgit.records.clock import Clock, Clocks, decode_clocks, encode_clocks
from ledgit.records.entry import Entry, union_entries
from ledgit.records.flat import dump_flat
from ledgit.records.merge import param_conflicts
from ledgit.records.names import check_key, check_run_name, stored_paths
from ledgit.records.record import decode_tags, listed_clocks, make_entry, run_files
from ledgit.records.run import RunInfo, decode_run, encode_run
from ledgit.store.chain import RUN_FOLDER, join_past, read_base, read_entry, run_ref
from ledgit.store.contents import keep_artifact
from ledgit.store.experiments import check_experiment
from ledgit.store.heads import bring_here
from ledgit.store.journal import now_ms
from ledgit.store.lines import run_line
from ledgit.store.packs import note_pack

if TYPE_CHECKING:
    from ledgit.git import Objects, ObjectSet, RefUpdate, Repo, Signature
    from ledgit.store.chain import Base
    from ledgit.store.folder import Folder

__all__ = ["Edit", "edit_run", "edit_runs"]

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


def edit_run(
    repo: Repo,
    folder: Folder,
    run_id: str,
    edit: Edit,
    when: int | None = None,
    heads: Sequence[str] = (),
) -> str:
    """Commit *edit* on top of a finalized run's heads.

    Args:
        repo: The repository.
        folder: Ledgit's folder, for this clone's id.
        run_id: The run.
        edit: The changes.
        when: Milliseconds since the epoch; now if None.
        heads: All heads of the run that are known, as from the index. The loose ref, if there is
            one, is looked up in any case.

    Returns:
        The new head; the first old one if nothing changed.

    Raises:
        RunNotFound: No finalized run of this id: neither *heads* nor a loose ref.
        NotFound: A head is not in this clone.
        InvalidValue: A tag to remove is not there.
        RefMoved: Other processes kept moving the head.
    """
    for attempt in range(_ATTEMPTS):
        try:
            return edit_runs(repo, folder, [(run_id, heads)], edit, when)[run_id]
        except RefMoved:
            if attempt + 1 == _ATTEMPTS:
                raise
    raise AssertionError


def edit_runs(
    repo: Repo, folder: Folder, runs: Sequence[tuple[str, Sequence[str]]], edit: Edit, when: int | None = None
) -> dict[str, str]:
    """Commit *edit* on top of many runs at once: one pack, one transaction of refs, all or none.

    Args:
        repo: The repository.
        folder: Ledgit's folder.
        runs: (id, heads that are known) of each.
        edit: The changes.
        when: Milliseconds since the epoch; now if None.

    Returns:
        Run id → new head; the first old one where nothing changed.

    Raises:
        RunNotFound, NotFound, InvalidValue: As :func:`edit_run`, for any of them.
        RefMoved: One of them was edited, finalized or compacted at the same moment. Nothing was
            written; ask the index for the heads again.
    """
    from ledgit.git import Objects, ObjectSet, identity, update_refs

    fresh = ObjectSet()
    updates: list[RefUpdate] = []
    done: dict[str, str] = {}
    name, email = identity(repo)
    seconds = (now_ms() if when is None else when) // 1000
    objects = Objects.of(repo)
    bring_here(repo, folder, [head for _, heads in runs for head in heads])
    for run_id, heads in dict(runs).items():
        draft = _Draft(repo, objects, run_id, heads)
        done[run_id] = draft.heads[0]
        if draft.apply(edit, folder.clone_id):
            # No commit is older than what it stands on: Git's walks go by date.
            who = (name or "ledgit", email, max(seconds, draft.date), "+0000")
            done[run_id] = draft.commit(fresh, who)
            updates.append(draft.update(done[run_id]))
    objects.rest()
    if not updates:
        return done
    pack = fresh.write(repo, keep=True)
    try:
        update_refs(repo, updates)
    finally:
        pack.release()
    note_pack(repo, folder, os.path.basename(pack.path))
    return done


class _Draft:
    """One run while it is edited.

    Of a run with one head, which is nearly every one, only the small files are read and written:
    its line says all that the next one needs, unless something had no room in it.
    """

    def __init__(self, repo: Repo, objects: Objects, run_id: str, heads: Sequence[str]) -> None:
        from ledgit.git import read_ref

        self.repo, self.objects, self.run_id = repo, objects, run_id
        self.loose = read_ref(repo, run_ref(run_id))
        known = list(dict.fromkeys([*heads, *([self.loose] if self.loose else ())]))
        if not known:
            raise RunNotFound(run_id)
        entries = [read_entry(objects, head) for head in known]
        counting = {entry.head for entry in union_entries(entries)}
        self.heads = [head for head in known if head in counting]
        self.base: Base | None = None
        [entry, *others] = [entry for entry in entries if entry.head in counting]
        self._entry = entry
        if others or entry.left or entry.id != run_id:
            base = self.base = read_base(objects, run_id, self.heads)
            record = base.record
            self.info, self.tags, self.clocks, self.date = record.info, dict(record.tags), record.clocks, base.date
            self.root = base.tree
        else:
            commit = objects.commit(entry.head)
            self.root, self.date = commit.tree, commit.committer[2]
            self.info = decode_run(self._read("run.yaml"))
            self.tags = decode_tags(self._read("tags.yaml"))
            self.clocks = decode_clocks(self._read("clock.json"))
        self.told: list[str] = []

    def _read(self, name: str) -> bytes:
        found = self.objects.find(self.root, f"{RUN_FOLDER}/{name}")
        return b"" if found is None else self.objects.read(found.oid)[1]

    def apply(self, edit: Edit, clone: str) -> bool:
        """Make the changes; return whether there are any."""
        clock = self.clocks.next(clone)
        self.info, self.tags, self.clocks, self.told = _apply(self.info, self.tags, self.clocks, edit, clock)
        return bool(self.told)

    def commit(self, fresh: ObjectSet, who: Signature) -> str:
        """Add the commit, with all that is new in it, and return its id."""
        from ledgit.git import FILE, edit_tree, graft

        if self.base is not None and len(self.heads) > 1:
            subtree = self._whole(fresh, self.base)
            root: str | None = self.root
            if self.base.record.full or any(artifact.stored == DVC for artifact in self.base.record.artifacts):
                from ledgit.store.artifacts.setting import beside_pointers

                root = beside_pointers(self.repo, self.objects, fresh, root)  # the other head's may be the first
            tree = graft(self.objects, fresh, root, RUN_FOLDER, subtree)
        else:
            files = {
                "tags.yaml": dump_flat(self.tags),
                "run.yaml": encode_run(self.info),
                "clock.json": encode_clocks(self.clocks),
                "entry.json": run_line(self.objects, self.root, self._next_entry()),
            }
            changes = {f"{RUN_FOLDER}/{name}": (FILE, fresh.blob(data)) for name, data in files.items()}
            tree = edit_tree(self.objects, fresh, self.root, changes)
        return fresh.commit(tree, self.heads, who, who, self._message())

    def _whole(self, fresh: ObjectSet, base: Base) -> str:
        """Return the run's folder with what all heads hold."""
        from ledgit.git import build

        record = replace(base.record, info=self.info, tags=self.tags, clocks=self.clocks, artifacts=[])
        files: dict[str, bytes | str] = {}
        places = stored_paths(artifact.path for artifact in base.record.artifacts)
        for artifact in base.record.artifacts:
            kept, content = keep_artifact(artifact, places[artifact.path], base.blobs)
            record.artifacts.append(kept)
            if content is not None:
                files[f"artifacts/{kept.tree_path}"] = content
        line = run_line(self.objects, self.root, make_entry(record, base.past))
        return build(fresh, {**files, **run_files(record, line)})

    def _next_entry(self) -> Entry:
        if self.base is not None:
            record = replace(self.base.record, info=self.info, tags=self.tags, clocks=self.clocks)
            return make_entry(record, self.base.past)
        info = self.info
        return replace(
            self._entry,
            head="",
            raw=b"",
            name=info.name,
            experiment=info.experiment,
            deleted=info.deleted,
            tags=self.tags,
            state=listed_clocks(self.clocks),
            past=tuple(join_past([self._entry])),
        )

    def _message(self) -> str:
        told = self.told
        # A note is a sentence of its own and stands below, where the log shows it whole.
        what = "edit" if len(told) > 1 else "note" if told[0].startswith("note: ") else told[0]
        lines = [f"{what}: {self.info.name}", "", *told]
        if self.base is not None and len(self.heads) > 1:
            lines.append(f"join {', '.join(head[:8] for head in self.heads)}")
            for key, values in param_conflicts(self.base.records).items():
                lines.append(f"param {key}: {' and '.join(map(_short, map(str, values)))}; the first one counts")
        return "\n".join([*lines, "", f"Ledgit-Run: {self.run_id}", ""])

    def update(self, commit: str) -> RefUpdate:
        """Return what makes *commit* the run's loose ref."""
        from ledgit.git import RefUpdate

        return RefUpdate(run_ref(self.run_id), commit, self.loose)


def _apply(
    info: RunInfo, tags: dict[str, str], clocks: Clocks, edit: Edit, clock: Clock
) -> tuple[RunInfo, dict[str, str], Clocks, list[str]]:
    """Return what *edit* makes of a run, and one line for each change."""
    told: list[str] = []
    tags, clocks = dict(tags), clocks.copy()
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
    return info, tags, clocks, told


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 60 else line[:57] + "..."
