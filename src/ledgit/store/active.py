"""An active run: opening, joining, resuming and ending what a training process logs."""

from __future__ import annotations

import os
import sys
import threading
import time

from ledgit.errors import InvalidValue, LedgitError, RunNotFound, RunStateError, StorageError
from ledgit.records.names import check_run_name
from ledgit.records.scalars import from_json, to_json
from ledgit.records.words import new_run_id, random_name
from ledgit.store.folder import Folder, boot_id
from ledgit.store.journal import encode, now_ms, read_parts
from ledgit.store.lock import beat
from ledgit.store.runlog import RunLog, printable
from ledgit.store.syncer import importing as _importing

TYPE_CHECKING = False  # this is on the way of every start, where each import counts
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from ledgit.git import Repo
    from ledgit.records.history import Points
    from ledgit.records.record import RunRecord
    from ledgit.store.given import Facts
    from ledgit.store.journal import JournalState

__all__ = ["ActiveRun", "RunStart"]

_BEAT_EVERY = 10.0
#: Seconds before a run that was given its facts gets a ref of its own; see store/collect.py.
_GUARD_AFTER = 0.05


class RunStart:
    """What a caller decides about a new run.

    Attributes:
        experiment: Name of the experiment.
        name: Readable name; a random one if None.
        run_id: 32 hex digits; a random one if None.
        parent_run: Id of the run this one is nested in.
        command: The command line; secrets in it are redacted before anything is written.
        entry_point: Script or project entry point.
        tags: First tags.
        start: Start in ms since the epoch; now if None.
        detached: The run stays open without a process (``ledgit record --start``).
        snapshot: Take a snapshot of the code; off for imports.
        python: The interpreter that the run uses, if it is not this process's.
        facts: Code, environment and identity, where the caller knows them: then no git command is run.
        directory: Where below the top of the tree the command runs; None: where this process does.
        source: What is run: a project's address.
        source_type: ``LOCAL``, ``NOTEBOOK``, ``PROJECT`` or ``JOB``.
    """

    __slots__ = (
        "command", "detached", "directory", "entry_point", "experiment", "facts", "name", "parent_run", "python",
        "run_id", "snapshot", "source", "source_type", "start", "tags",
    )  # fmt: skip

    def __init__(
        self,
        *,
        experiment: str = "Default",
        name: str | None = None,
        run_id: str | None = None,
        parent_run: str | None = None,
        command: tuple[str, ...] | None = None,
        entry_point: str = "",
        tags: Mapping[str, str] | None = None,
        start: int | None = None,
        detached: bool = False,
        snapshot: bool = True,
        python: str | None = None,
        facts: Facts | None = None,
        directory: str | None = None,
        source: str = "",
        source_type: str = "LOCAL",
    ) -> None:
        self.experiment, self.name, self.run_id, self.parent_run = experiment, name, run_id, parent_run
        self.command, self.entry_point, self.python = command, entry_point, python
        self.tags: Mapping[str, str] = tags or {}
        self.start, self.detached, self.snapshot = start, detached, snapshot
        self.facts, self.directory, self.source, self.source_type = facts, directory, source, source_type


def _directory(repo: Repo) -> str:
    """Return where below the top of the work tree this process is; "" also where it is outside."""
    try:
        here = os.getcwd()
    except OSError:
        return ""
    top = (repo.work_tree or "") + os.sep
    return here[len(top) :].replace(os.sep, "/") if len(top) > 1 and here.startswith(top) else ""


def _point(points: Points) -> list[Any]:
    value, step, time = points.latest()
    return [step, time, repr(value)]  # JSON has no nan


class ActiveRun(RunLog):
    """A run being written by this process (and, after :meth:`join`, by others too)."""

    # ------------------------------------------------------------------ opening

    @classmethod
    def create(cls, repo: Repo, start: RunStart) -> ActiveRun:
        """Open a new run and return it within milliseconds.

        The folder appears under its final name with the lock held and the first record
        written, so that no reader ever takes it for a dead one. The snapshot of the code, the
        environment and the command line without its secrets are collected by a thread.

        Raises:
            StorageError: The folder can't be written.
            RunStateError: A run of this id exists already.
        """
        folder = Folder.of(repo)
        run_id = start.run_id or new_run_id()
        began = now_ms() if start.start is None else start.start
        name = start.name or random_name(run_id)
        if start.name:
            check_run_name(start.name)
        command = list(sys.orig_argv) if start.command is None else list(start.command)
        record = {
            "at": now_ms(),
            "id": run_id,
            "name": name,
            "experiment": start.experiment,
            "start": began,
            "parent_run": start.parent_run,
            "entry_point": printable(start.entry_point),
            "host": os.uname().nodename,
            "home": os.path.expanduser("~"),
            "boot": boot_id(),
            "pid": os.getpid(),
            "detached": start.detached,
            "snapshot": start.snapshot,
            "directory": printable(_directory(repo) if start.directory is None else start.directory),
            "source": printable(start.source),
            "source_type": start.source_type,
        }
        run = cls._open(repo, folder, run_id, record)
        run.python = start.python
        if start.tags:
            run.set_tags(start.tags)
        if start.facts is not None:
            run._take_facts(command, start.facts)
        elif start.snapshot:
            run._collect_facts(command)
        else:
            from ledgit.records.redact import redact_command

            run._record_command(redact_command([printable(word) for word in command]))
            run._append(encode("code", {"at": now_ms(), "threshold": run.threshold}))
        return run

    @classmethod
    def _open(cls, repo: Repo, folder: Folder, run_id: str, record: dict[str, Any]) -> ActiveRun:
        target = folder.active_dir(run_id)
        scratch = os.path.join(folder.active, f".new-{run_id}-{os.urandom(4).hex()}")
        record = {**record, "session": os.urandom(8).hex(), "clone": ""}
        run: ActiveRun | None = None
        try:
            os.makedirs(scratch)
            record["clone"] = folder.clone_id
            run = cls(repo, folder, run_id, scratch)
            run._lock.share(create=True)
            run._writer.open()
            run._writer.append(encode("start", record))
            if run._writer.waiting:
                raise OSError(28, "No space left on device")
            if os.path.isdir(target):
                raise RunStateError(f"run {run_id[:8]} is already active; join it instead of starting it again")
            os.rename(scratch, target)
        except (OSError, LedgitError) as error:
            if run is not None:
                run._writer.close()
                run._lock.release()
            from shutil import rmtree

            rmtree(scratch, ignore_errors=True)
            if isinstance(error, LedgitError):
                raise
            raise StorageError(f"a new run in {folder.active}", error.strerror or str(error)) from error
        run._moved_to(target)
        run._begin(record)
        run._creator = True
        run._enter()
        return run

    @classmethod
    def join(cls, repo: Repo, run_id: str) -> ActiveRun:
        """Write into a run that is active in another process (or waits, detached).

        Raises:
            RunNotFound: No such active run.
            RunStateError: The run is being finalized at this moment.
        """
        folder = Folder.of(repo)
        directory = folder.active_dir(run_id)
        run = cls(repo, folder, run_id, directory)
        try:
            if not run._lock.share():
                raise RunStateError(f"run {run_id[:8]} is being finalized; resume it afterwards")
            state = read_parts(directory)
            run._writer.open()
        except FileNotFoundError:
            raise RunNotFound(run_id) from None
        except OSError as error:
            raise StorageError(directory, error.strerror or str(error)) from error
        run._replay_base(state)
        run._replay(state)
        run._enter()
        return run

    @classmethod
    def resume(cls, repo: Repo, run_id: str, heads: Sequence[str] = ()) -> ActiveRun:
        """Write again to a finalized run: the new session becomes a commit on top of its heads.

        Args:
            repo: The repository.
            run_id: The run.
            heads: All heads of it that are known, as from the index; its loose ref, if it has one,
                is looked up in any case.

        Raises:
            RunNotFound: No finalized run of this id: neither *heads* nor a loose ref.
            NotFound: A head is not in this clone.
            RunStateError: The run was deleted.
        """
        from ledgit.git import Objects, read_ref
        from ledgit.store.chain import read_base, run_ref
        from ledgit.store.heads import bring_here

        folder = Folder.of(repo)
        loose = read_ref(repo, run_ref(run_id))
        known = [*heads, loose] if loose else list(heads)
        if not known:
            raise RunNotFound(run_id)
        bring_here(repo, folder, known)
        base = read_base(Objects.of(repo), run_id, known)
        if base.record.info.deleted:
            raise RunStateError(f"run {run_id[:8]} is deleted; 'ledgit restore {run_id[:8]}' brings it back")
        info = base.record.info
        record = {
            "at": now_ms(),
            "id": run_id,
            "name": info.name,
            "experiment": info.experiment,
            "start": info.start,
            "parent_run": info.parent_run,
            "entry_point": info.entry_point,
            "host": os.uname().nodename,
            "home": os.path.expanduser("~"),
            "boot": boot_id(),
            "pid": os.getpid(),
            "detached": False,
            "resumed": list(base.heads),
            # The points that the session's have to be later than, for lists: they read no history.
            "last": {name: _point(points) for name, points in base.record.histories.items() if len(points)},
            "snapshot": False,
        }
        run = cls._open(repo, folder, run_id, record)
        run._begin_on(base.record)
        run._collect_facts(sys.orig_argv)
        return run

    def _begin(self, record: Mapping[str, Any]) -> None:
        self._start_record = dict(record)
        self.name = str(record["name"])
        self.experiment = str(record["experiment"])
        self.parent_run = record.get("parent_run")
        self.start = int(record["start"])

    def _begin_on(self, base: RunRecord) -> None:
        """Know the params and tags that the run had when it was resumed."""
        self.params = {key: str(value) for key, value in base.params.items()}
        self.tags = dict(base.tags)

    def _replay_base(self, state: JournalState) -> None:
        start = state.first("start") or {}
        if start.get("resumed"):
            from ledgit.git import Objects
            from ledgit.store.chain import read_base, resumed_heads

            self._begin_on(read_base(Objects.of(self.repo), self.id, resumed_heads(start)).record)

    def _replay(self, state: JournalState) -> None:
        for kind, item in state.events:
            if kind == "start":
                self._begin(item)
            elif kind == "params":
                for key, value in item["values"].items():
                    self.params.setdefault(key, str(from_json(value)))
            elif kind == "tags":
                self.tags.update(item["values"])
            elif kind == "untag":
                self.tags.pop(item["key"], None)
            elif kind == "field" and item["field"] in ("name", "experiment"):
                setattr(self, item["field"], item["value"])

    def _moved_to(self, directory: str) -> None:
        self.directory = directory
        self._writer.directory = directory
        self._lock.path = os.path.join(directory, "lock")

    # ------------------------------------------------------------------ ending

    def finish(self, status: str = "FINISHED", end_time: int | None = None, *, durable: bool = True) -> str | None:
        """End the run and turn it into a commit.

        Args:
            status: FINISHED, FAILED or KILLED.
            end_time: Milliseconds since the epoch; now if None.
            durable: Wait until the disk has what it takes to make the commit again. Else a power cut within the
                next second or two may take the run: for those that would then be repeated, as a sweep's trials are.

        Returns:
            The run's commit; None if another process still writes into the run or Git refused
            (then the journal stays and the next command that writes finalizes it).
        """
        from ledgit.records.run import STATUSES

        if status not in STATUSES:
            raise InvalidValue("status", status, " ".join(STATUSES))
        if self.ended:
            return self.commit
        owner = self._owner == os.getpid()
        if owner:
            self._finish_facts()
            self._finish_hashing()
            # A joined process says how it ended only if the run has no owner any more.
            kind = "end" if self._creator else "left"
            at = now_ms()
            self._append(encode(kind, {"at": at, "status": status, "end": at if end_time is None else int(end_time)}))
        self.status = status
        return self._close(finalizing=owner, durable=durable)

    def detach(self) -> None:
        """Leave the run open without this process; :meth:`join` goes on with it."""
        self._finish_facts()
        self._finish_hashing()
        self._close(finalizing=False)

    def end_detached(self, status: str = "FINISHED", end_time: int | None = None) -> str | None:
        """End a detached run that this process joined, and turn it into a commit."""
        self._creator = True
        return self.finish(status, end_time)

    def _close(self, *, finalizing: bool, durable: bool = True) -> str | None:
        self.ended = True
        if self._writer.seal():
            # As long as this process lives there is hope: tick() goes on trying, then comes back here.
            self._say_full()
            self._unfinished = finalizing
            return None
        self._leave()
        if self._writer.lost:
            self.problems.append(f"{self._writer.lost} bytes of the journal were lost: the disk was full for too long")
        try:
            if finalizing and self._lock.exclusive(attempts=5):
                from ledgit.store.finalizing import finalize_locked

                self.commit = finalize_locked(self.repo, self.folder, self.id, self._writer.sync, wait=durable)
        except Exception as error:
            self.problems.append(f"run {self.id[:8]} is kept as a journal and will be finalized later: {error}")
        finally:
            # A durable commit makes the journal's own sync superfluous; without one it is what counts.
            if self.commit is None:
                self._sync_journal()
            self._writer.close()
            self._lock.release()
        if finalizing and self.commit is None and not os.path.isdir(self.directory) and not self._has_commit():
            self.problems.append(f"the journal of run {self.id[:8]} was removed while it was written")
        return self.commit

    def _has_commit(self) -> bool:
        """Whether another process that wrote into the run has finalized it."""
        from ledgit.git import Objects
        from ledgit.store.heads import known_heads

        return bool(known_heads(self.repo, Objects.of(self.repo), self.id, self.start))

    def _sync_journal(self) -> None:
        try:
            self._writer.sync()
            self._sync_files()
        except OSError as error:
            self.problems.append(f"the journal could not be synced: {error.strerror}")

    def tick(self) -> None:
        """Sync and beat; called by the sync thread once a second."""
        if self._owner != os.getpid():
            return
        if self.ended:
            if self._unfinished is not None and not self._writer.flush():
                finalizing, self._unfinished = self._unfinished, None
                self._close(finalizing=finalizing)
            return
        try:
            if not self._writer.linked():
                self._relocate()
            self._writer.sync()
            if self._writer.waiting:
                self._say_full()
            now = time.monotonic()
            if now - self._beaten > _BEAT_EVERY:
                self._beaten = now
                beat(self.directory)
            self._sync_files()  # last: large ones take their time
        except Exception as error:  # one that got out would end the syncing of all runs
            text = f"the journal could not be written: {getattr(error, 'strerror', None) or error}; trying again"
            if text not in self.problems:
                self.problems.append(text)

    def _say_full(self) -> None:
        text = "the journal could not be written: the disk is full; what was logged waits in memory, trying again"
        if text not in self.problems:
            self.problems.append(text)

    def _relocate(self) -> None:
        """The journal was removed under us: go on in a new one, which becomes a further head."""
        with self._guard:
            record = {**self._start_record, "at": now_ms(), "session": os.urandom(8).hex(), "relocated": True}
            self._lock.release()
            self.folder.make(self.directory)
            self._lock.share(create=True)
            self._writer.open()
            self._writer.append(encode("start", record))
            # What went with the old journal, as far as this process still knows it.
            if self.params:
                values = {key: to_json(value) for key, value in self.params.items()}
                self._writer.append(encode("params", {"at": now_ms(), "values": values}))
            if self.tags:
                self._writer.append(encode("tags", {"at": now_ms(), "values": self.tags}))

    def _record_command(self, words: list[str]) -> None:
        """Write the command line down. Its secrets are gone by now: with them it is nowhere but in memory."""
        self._start_record["command"] = words  # where a new journal begins, see _relocate
        self._append(encode("command", {"at": now_ms(), "command": words}))

    def _collect_facts(self, command: Sequence[str]) -> None:
        words = [printable(word) for word in command]

        def work() -> None:
            with _importing:  # here and not on the caller's time
                from ledgit.store.collect import collect
            collect(self, words, self._stop_facts)

        self._facts = threading.Thread(target=work, name="ledgit-facts", daemon=True)
        self._facts.start()

    def _take_facts(self, command: Sequence[str], facts: Facts) -> None:
        """Record what is given, and leave the rest to a thread that a short run never gets to see at work."""
        from ledgit.records.redact import redact_command
        from ledgit.store.given import guard, record_facts

        self._record_command(redact_command([printable(word) for word in command]))
        record_facts(self, facts)
        if facts.guarded:
            return
        after = _GUARD_AFTER
        self._facts = threading.Thread(
            target=guard, args=(self, facts, self._stop_facts, after), name="ledgit-facts", daemon=True
        )
        self._facts.start()

    def _finish_hashing(self) -> None:
        hasher = sys.modules.get("ledgit.store.artifacts.hasher")
        if hasher is not None:  # else nothing large was logged
            hasher.withdraw(self)

    def _finish_facts(self) -> None:
        self._stop_facts.set()
        with self._guard:
            pass  # a patch-id that is being added at this moment is in the journal now, or never will be
        if self._facts is not None:
            self._facts.join()
            self._facts = None
