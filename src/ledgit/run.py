"""One run, as the object API shows it."""

from __future__ import annotations

import os

from ledgit.errors import InvalidValue, RunStateError

TYPE_CHECKING = False  # ActiveRun is a Run, so this is on the way of every start: each import counts
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, BinaryIO

    from ledgit.compare import RunView
    from ledgit.git import Link
    from ledgit.records.artifacts import ArtifactRecord
    from ledgit.records.clock import Clocks
    from ledgit.records.history import Points
    from ledgit.records.record import RunRecord
    from ledgit.records.run import CodeRef
    from ledgit.records.scalars import Scalar
    from ledgit.records.state import RunState
    from ledgit.repository import Repository
    from ledgit.store.artifacts.listing import ArtifactFile
    from ledgit.views import RunData, RunInfo, RunInputs

__all__ = ["LogEntry", "Run"]


class LogEntry:
    """One commit of a run's audit trail.

    Attributes:
        commit: Commit id.
        when: Committer date, ms since the epoch.
        author: ``Name <address>``.
        subject: First line of the message.
        changes: What an edit changed, one line each; the metrics of the run's own commit.
    """

    __slots__ = ("author", "changes", "commit", "subject", "when")

    def __init__(self, commit: str, when: int, author: str, subject: str, changes: tuple[str, ...]) -> None:
        self.commit, self.when, self.author, self.subject, self.changes = commit, when, author, subject, changes

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON's types, the time as ISO 8601."""
        from ledgit.records.run import iso

        return {
            "commit": self.commit,
            "when": iso(self.when),
            "author": self.author,
            "subject": self.subject,
            "changes": list(self.changes),
        }


class Run:
    """A run: what was logged, and what can be done with it.

    What lists need (params, newest metric values, tags) is in memory; histories, artifacts and
    environment are read from the run's commit, or its journal while it is active, when asked
    for. An edit returns nothing and updates this object.
    """

    def __init__(self, repository: Repository, state: RunState) -> None:
        self._repository = repository
        self._state = state
        self._record: RunRecord | None = None

    def __repr__(self) -> str:
        return f"<Run {self.id[:8]} {self.name} {self.status}>"

    def _repr_html_(self) -> str:
        """Return what a notebook shows: params, newest metrics with their curves, tags."""
        from time import time

        from ledgit.compare import run_html, sparkline
        from ledgit.errors import LedgitError

        curves = {}
        for key in sorted(self.ranges)[:20]:
            try:
                curves[key] = sparkline(self.history(key).values)
            except LedgitError:  # a table without a curve is better than no table
                break
        return run_html(self, time(), curves)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Run) and (self.id, self._state.heads) == (other.id, other._state.heads)

    def __hash__(self) -> int:
        return hash(self.id)

    # ------------------------------------------------------------------ plain values

    @property
    def state(self) -> RunState:
        """The joined ledger entries this object shows."""
        return self._state

    @property
    def id(self) -> str:
        """32 hex digits; never changes."""
        return self._state.id

    @property
    def name(self) -> str:
        """Readable name."""
        return self._state.name

    @property
    def experiment(self) -> str:
        """Name of the experiment the run is in."""
        return self._repository.experiment_name(self._state.experiment)

    @property
    def status(self) -> str:
        """RUNNING, FINISHED, FAILED, KILLED or SCHEDULED."""
        return self._state.status

    @property
    def start(self) -> int:
        """Start, ms since the epoch."""
        return self._state.start

    @property
    def end(self) -> int | None:
        """End, ms since the epoch; None while it runs."""
        return self._state.end

    @property
    def user(self) -> str:
        """Who ran it."""
        return self._state.user

    @property
    def params(self) -> dict[str, Scalar]:
        """Params with the types they were logged with."""
        return self._state.params

    @property
    def metrics(self) -> dict[str, float]:
        """Newest value of each metric: greatest step, then time, then value, as MLflow has it."""
        return self._state.metrics

    @property
    def ranges(self) -> dict[str, tuple[float, float]]:
        """Least and greatest value of the metrics whose history has more than one."""
        return {key: (low, high) for key, (low, high) in self._state.ranges.items()}

    @property
    def tags(self) -> dict[str, str]:
        """Labels; the note is the tag ``mlflow.note.content``."""
        return self._state.tags

    @property
    def note(self) -> str:
        """The note that people wrote about the run."""
        return self._state.tags.get("mlflow.note.content", "")

    @property
    def commit(self) -> str | None:
        """The commit that finalizing made; never changes. None while the run is active."""
        return self._state.commit

    @property
    def head(self) -> str | None:
        """The newest edit's commit."""
        return self._state.heads[0] if self._state.heads else None

    @property
    def heads(self) -> tuple[str, ...]:
        """All heads: more than one after edits on several machines, until the next edit."""
        return self._state.heads

    @property
    def code(self) -> CodeRef:
        """Commit, tree, branch of the code, and whether it was dirty."""
        return self._state.code

    @property
    def parent_run(self) -> str | None:
        """Id of the run this one is nested in."""
        return self._state.parent_run

    @property
    def deleted(self) -> bool:
        """Whether the run, or its whole experiment, is marked as deleted."""
        return self._state.deleted or self._repository.experiment_deleted(self._state.experiment)

    @property
    def lost(self) -> bool:
        """Whether a run on another host stopped giving signs of life."""
        return self._state.lost

    @property
    def problem(self) -> str:
        """Why the run's entry does not decode; '' if it does."""
        return self._state.problem

    @property
    def conflicts(self) -> Mapping[str, Any]:
        """Params that two machines logged differently."""
        return self._state.conflicts

    @property
    def active(self) -> bool:
        """Whether the run is still a journal: being written, or waiting to be finalized."""
        return not self._state.heads

    @property
    def duration(self) -> int | None:
        """Milliseconds from start to end; None while it runs."""
        return None if self.end is None else self.end - self.start

    @property
    def info(self) -> RunInfo:
        """The run's facts, with MLflow's names (``run.info.run_id`` …)."""
        from ledgit.views import run_info

        return run_info(self)

    @property
    def data(self) -> RunData:
        """Params (as text), metrics and tags, with MLflow's names."""
        from ledgit.views import run_data

        return run_data(self)

    @property
    def inputs(self) -> RunInputs:
        """The data sets it used, with MLflow's names (``run.inputs.dataset_inputs``)."""
        from ledgit.views import run_inputs

        return run_inputs(self.record().inputs)

    def to_dict(self) -> dict[str, Any]:
        """Return the run as JSON's types; the keys are fixed by the command line's ``--json``."""
        from ledgit.records.run import iso

        code = self.code
        return {
            "id": self.id,
            "name": self.name,
            "experiment": self.experiment,
            "status": self.status,
            "start": iso(self.start),
            "end": None if self.end is None else iso(self.end),
            "user": self.user,
            "params": dict(self.params),
            "metrics": dict(self.metrics),
            "tags": dict(self.tags),
            "commit": self.commit,
            "head": self.head,
            "code": {"commit": code.commit, "tree": code.tree, "branch": code.branch, "dirty": code.dirty},
            "parent_run": self.parent_run,
        }

    def to_dictionary(self) -> dict[str, Any]:
        """Return ``info``, ``data`` and ``inputs`` as MLflow's ``Run.to_dictionary`` does."""
        return {"info": dict(self.info), "data": dict(self.data), "inputs": dict(self.inputs)}

    # ------------------------------------------------------------------ read when asked for

    def record(self) -> RunRecord:
        """Return everything the run holds: histories, inputs, environment, artifacts list."""
        if self._record is None or self.active or self.status == "RUNNING":
            self._record = self._repository.read_record(self._state)
        return self._record

    def history(self, metric: str, *, fetch: bool = False) -> Points:
        """Return all points of *metric*, by step, then time.

        Of a run whose histories have no room in Git, and whose points are not in this clone, these are 1,000
        of them at most, with the least and the greatest of what is left out.

        Args:
            metric: Its name.
            fetch: Get all points from the artifact remote then.

        Raises:
            InvalidValue: The run has no such metric.
            ArtifactsMissing, RemoteError: The points are to be fetched, and can't be.
        """
        points = self._repository.history(self, metric, fetch=fetch)
        if points is None:
            raise InvalidValue("metric", metric, f"a metric of run {self.name}")
        return points

    def artifacts(self) -> list[ArtifactRecord]:
        """Return what files the run logged, by path."""
        return list(self.record().artifacts)

    def artifact_files(self, path: str = "") -> list[ArtifactFile]:
        """Return the files at or in *path* (default: all), those of folders one by one.

        A folder that was logged as one, and whose list is not in this clone, stands for its files.

        Raises:
            ArtifactNotFound: The run has nothing there.
        """
        return self._repository.artifact_files(self, path.strip("/"))

    def open_artifact(self, path: str, *, fetch: bool = True) -> BinaryIO:
        """Open the artifact *path* for reading; close it. Its content is what was logged: it was hashed.

        Args:
            path: A file, also one in a folder that was logged as one.
            fetch: Get the content from the artifact remote if it is not in this clone.

        Raises:
            ArtifactNotFound: The run has none there.
            ArtifactsMissing: Its content is neither here nor on the artifact remote.
            ArtifactDamaged: Its content is not what was logged, and there is no other.
            RemoteError: The artifact remote is needed, and can't be used.
        """
        return self._repository.open_artifact(self, path, fetch=fetch)

    def read_artifact(self, path: str) -> bytes:
        """Return the content of the artifact *path*; from the artifact remote if it is not in this clone.

        Raises:
            ArtifactNotFound, ArtifactsMissing, ArtifactDamaged, RemoteError: As for :meth:`open_artifact`.
        """
        with self.open_artifact(path) as content:
            return content.read()

    def save_artifact(self, path: str, target: str | os.PathLike[str]) -> str:
        """Write a private copy of the artifact *path* to the file *target* and return its name.

        Raises:
            ArtifactNotFound, ArtifactsMissing, ArtifactDamaged, RemoteError: As for :meth:`open_artifact`.
            StorageError: *target* can't be written.
        """
        name = os.fspath(target)
        self._repository.save_artifact(self, path, name)
        return name

    def save_artifacts(self, folder: str | os.PathLike[str], path: str = "") -> list[str]:
        """Write private copies of the files at or in *path* (default: all) below *folder*; return their names there.

        Files of the same names are replaced; nothing outside of *folder* is written.

        Raises:
            ArtifactNotFound, ArtifactsMissing, ArtifactDamaged, RemoteError: As for :meth:`open_artifact`.
            UnsafePath: A path that would leave *folder*.
            StorageError: It can't be written.
        """
        return self._repository.save_artifacts(self, os.fspath(folder), [path.strip("/")])

    def log(self) -> list[LogEntry]:
        """Return the run's commits, newest first: the audit trail."""
        return self._repository.read_log(self._state)

    def links(self, rev: str = "HEAD") -> Link | None:
        """Return the commit of *rev* that the run's code belongs to, and by what; None if to none.

        A rebase, an amended commit or a squash merge replaces the commit that the run was started
        from (:attr:`code`). So a run belongs to a commit also when that has the same files, when
        its declared code paths are the same, or when it makes the same changes, in this order.

        Args:
            rev: A branch or another revision, or a range ``A..B``.

        Raises:
            NotFound: There is no such revision.
        """
        return self._repository.index.link(self._state, rev)

    def view(self) -> RunView:
        """Return the run flattened for :func:`ledgit.compare.diff_runs`."""
        from ledgit.views import compare_view

        return compare_view(self)

    def clocks(self) -> Clocks:
        """Return who wrote each key last."""
        return self._state.clocks

    # ------------------------------------------------------------------ edits

    def set_tags(self, tags: Mapping[str, object]) -> None:
        """Set tags (one commit; none if nothing changes)."""
        self._edit(set_tags={key: str(value) for key, value in tags.items()})

    def delete_tag(self, *keys: str) -> None:
        """Remove tags.

        Raises:
            InvalidValue: The run has no such tag.
        """
        self._edit(delete_tags=keys)

    def set_note(self, text: str) -> None:
        """Replace the note; an empty text removes it."""
        if text:
            self.set_tags({"mlflow.note.content": text})
        elif self.note:
            self.delete_tag("mlflow.note.content")

    def rename(self, name: str) -> None:
        """Give the run another readable name."""
        self._edit(name=name)

    def move(self, experiment: str) -> None:
        """Put the run into another experiment."""
        self._edit(experiment=experiment)

    def delete(self) -> None:
        """Mark the run as deleted: lists leave it out, nothing is removed.

        Raises:
            RunStateError: The run is still being written.
        """
        if self.active and self.status == "RUNNING":
            raise RunStateError(f"run {self.name} is still running; end it before deleting it")
        self._edit(deleted=True)

    def restore(self) -> None:
        """Take the mark back."""
        self._edit(deleted=False)

    def _edit(self, **changes: Any) -> None:
        from ledgit.store import Edit

        self.show(self._repository.edit(self._state, Edit(**changes)))

    def show(self, state: RunState) -> None:
        """Show *state* from now on: the run was edited."""
        self._state = state
        self._record = None

    def with_state(self, **changes: Any) -> Run:
        """Return a copy that shows other values (the fluent API shows a run that is being written)."""
        from dataclasses import replace

        return Run(self._repository, replace(self._state, **changes))
