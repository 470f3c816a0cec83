"""An active run: what a training process holds while it logs."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
import weakref
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, BinaryIO
from zlib import crc32

from ledgit.errors import InvalidValue, ParamConflict, RunNotFound, RunStateError, StorageError
from ledgit.records.names import check_artifact_path, check_key, check_run_name
from ledgit.records.redact import redact_command
from ledgit.records.run import STATUSES, new_run_id, random_name
from ledgit.records.scalars import Scalar, to_json, to_metric, to_scalar
from ledgit.store import syncer
from ledgit.store.folder import Folder, boot_id
from ledgit.store.journal import encode, encode_metric, read_parts
from ledgit.store.lock import RunLock, beat
from ledgit.store.staging import stage_bytes, stage_file
from ledgit.store.writer import PartWriter

if TYPE_CHECKING:
    from ledgit.git import Repo
    from ledgit.records.inputs import InputRecord
    from ledgit.store.journal import JournalState

__all__ = ["ActiveRun", "RunStart"]

_INT64 = 1 << 63
_BEAT_EVERY = 10.0
_write = os.write
_time_ns = time.time_ns


def now_ms() -> int:
    """Return the time in milliseconds since the epoch."""
    return _time_ns() // 1_000_000


@dataclass(frozen=True, slots=True)
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
    """

    experiment: str = "Default"
    name: str | None = None
    run_id: str | None = None
    parent_run: str | None = None
    command: tuple[str, ...] | None = None
    entry_point: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    start: int | None = None
    detached: bool = False
    snapshot: bool = True


class ActiveRun:
    """A run being written by this process (and, after :meth:`join`, by others too).

    Logging appends to a journal and never touches Git; it does not raise because of the disk
    either: what can't be written is kept in memory, tried again every second, and listed in
    :attr:`problems`.
    """

    def __init__(self, repo: Repo, folder: Folder, run_id: str, directory: str) -> None:
        self.repo = repo
        self.folder = folder
        self.id = run_id
        self.name = ""
        self.experiment = ""
        self.parent_run: str | None = None
        self.start = 0
        self.directory = directory
        self.params: dict[str, str] = {}
        self.tags: dict[str, str] = {}
        self.problems: list[str] = []
        self.commit: str | None = None
        self.ended = False
        self.status = "RUNNING"
        self._owner = os.getpid()
        self._creator = False
        self._keys: set[str] = set()
        self._guard = threading.RLock()
        self._lock = RunLock(directory)
        self._writer = PartWriter(directory)
        self._facts: threading.Thread | None = None
        self._stop_facts = threading.Event()
        self._staged = 0
        self._beaten = 0.0
        self._start_record: dict[str, Any] = {}
        _here.add(self)

    # ------------------------------------------------------------------ opening

    @classmethod
    def create(cls, repo: Repo, start: RunStart) -> ActiveRun:
        """Open a new run and return it within milliseconds.

        The folder appears under its final name with the lock held and the first record
        written, so that no reader ever takes it for a dead one. The snapshot of the code and
        the environment are collected by a thread.

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
            "command": redact_command([_printable(word) for word in command]),
            "entry_point": _printable(start.entry_point),
            "host": os.uname().nodename,
            "boot": boot_id(),
            "pid": os.getpid(),
            "detached": start.detached,
            "snapshot": start.snapshot,
        }
        run = cls._open(repo, folder, run_id, record)
        if start.tags:
            run.set_tags(start.tags)
        if start.snapshot:
            run._collect_facts()
        return run

    @classmethod
    def _open(cls, repo: Repo, folder: Folder, run_id: str, record: dict[str, Any]) -> ActiveRun:
        target = folder.active_dir(run_id)
        scratch = os.path.join(folder.active, f".new-{run_id}-{os.getpid()}")
        record = {**record, "session": os.urandom(8).hex(), "clone": ""}
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
        except OSError as error:
            raise StorageError(f"a new run in {folder.active}", error.strerror or str(error)) from error
        run._moved_to(target)
        run._begin(record)
        run._creator = True
        syncer.register(run)
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
        run._replay(state)
        syncer.register(run)
        return run

    @classmethod
    def resume(cls, repo: Repo, run_id: str) -> ActiveRun:
        """Write again to a finalized run: the new session becomes a commit on top of its head.

        Raises:
            RunNotFound: No finalized run of this id.
            RunStateError: The run was deleted.
        """
        from ledgit.store.chain import read_head

        base = read_head(repo, run_id)
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
            "command": redact_command([_printable(word) for word in sys.orig_argv]),
            "entry_point": info.entry_point,
            "host": os.uname().nodename,
            "boot": boot_id(),
            "pid": os.getpid(),
            "detached": False,
            "resumed": base.head,
            "snapshot": False,
        }
        run = cls._open(repo, Folder.of(repo), run_id, record)
        run.params = {key: str(value) for key, value in base.record.params.items()}
        run.tags = dict(base.record.tags)
        run._collect_facts()
        return run

    def _begin(self, record: Mapping[str, Any]) -> None:
        self._start_record = dict(record)
        self.name = str(record["name"])
        self.experiment = str(record["experiment"])
        self.parent_run = record.get("parent_run")
        self.start = int(record["start"])

    def _replay(self, state: JournalState) -> None:
        for kind, item in state.events:
            if kind == "start":
                self._begin(item)
            elif kind == "params":
                for key, value in item["values"].items():
                    self.params.setdefault(key, _text(value))
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

    # ------------------------------------------------------------------ logging

    def log_metric(self, key: str, value: float, step: int = 0, timestamp: int | None = None) -> None:
        """Append one point of a metric.

        This is the hot path: one checksummed ``os.write``, no lock (records lead with their
        newline, and an ``O_APPEND`` write is one piece), no copy kept.

        Args:
            key: Metric name, by MLflow's rules (``ledgit.records.names.check_key``).
            value: A number, NaN and ±inf included; bools, numeric strings, NumPy and torch
                scalars are converted.
            step: Any 64-bit integer.
            timestamp: Milliseconds since the epoch; now if None.

        Raises:
            InvalidName, InvalidValue: The key, value or step can't be stored.
            RunStateError: The run has ended.
        """
        if key not in self._keys:
            self._check_metric_key(key)
        if type(value) is not float:
            value = to_metric(value)
        # Literals, not names: a comparison with constants takes half the time.
        if type(step) is not int or not -0x8000000000000000 <= step <= 0x7FFFFFFFFFFFFFFF:
            step = _step(step)
        stamp = _time_ns() // 1_000_000 if timestamp is None else _step(timestamp)
        payload = f"m\t{key}\t{value!r}\t{step}\t{stamp}".encode()
        record = b"\n%08x %b" % (crc32(payload), payload)
        writer = self._writer
        try:
            if _write(writer.fd, record) == len(record):
                writer.dirty = True
                return
        except OSError as error:
            self._recover_write(record, error)
            return
        self._recover_write(record, None)

    def log_batch(
        self,
        metrics: Iterable[tuple[str, object, int, int | None]] = (),
        params: Mapping[str, object] | None = None,
        tags: Mapping[str, object] | None = None,
    ) -> None:
        """Append metrics, params and tags together; all are checked before any is written.

        Args:
            metrics: Tuples of name, value, step, timestamp (ms, or None for now).
            params: Name → value; logging another value than before refuses the whole batch.
            tags: Name → value.
        """
        stamp = now_ms()
        records = []
        for key, value, step, when in metrics:
            if key not in self._keys:
                self._check_metric_key(key)
            records.append(encode_metric(key, to_metric(value), _step(step), stamp if when is None else _step(when)))
        with self._guard:
            if params:
                fresh = self._fresh_params(params)
                if fresh:
                    values = {key: to_json(value) for key, value in fresh.items()}
                    records.append(encode("params", {"at": stamp, "values": values}))
            if tags:
                checked = {key: _tag_value(key, value) for key, value in tags.items()}
                records.append(encode("tags", {"at": stamp, "values": checked}))
            if records:
                self._append(b"".join(records))
            if params:
                self.params.update((key, str(value)) for key, value in fresh.items())
            if tags:
                self.tags.update(checked)

    def log_params(self, params: Mapping[str, object]) -> None:
        """Log params; the same value again is no change, another one raises ParamConflict."""
        self.log_batch(params=params)

    def set_tags(self, tags: Mapping[str, object]) -> None:
        """Set tags; values are stored as text."""
        self.log_batch(tags=tags)

    def delete_tag(self, key: str) -> None:
        """Remove a tag.

        Raises:
            InvalidValue: The run has no such tag.
        """
        with self._guard:
            if key not in self.tags:
                raise InvalidValue("tag", key, f"a tag of run {self.name}")
            self._append(encode("untag", {"at": now_ms(), "key": key}))
            del self.tags[key]

    def set_field(self, name: str, value: object) -> None:
        """Change ``name``, ``experiment`` or ``deleted``."""
        if name not in ("name", "experiment", "deleted"):
            raise InvalidValue("field", name, "name, experiment or deleted")
        if name == "name":
            check_run_name(str(value))
        self._append(encode("field", {"at": now_ms(), "field": name, "value": value}))
        if name != "deleted":
            setattr(self, name, str(value))

    def log_input(self, record: InputRecord) -> None:
        """Record a data set that the run used."""
        from dataclasses import asdict

        self._append(encode("input", {"at": now_ms(), "input": asdict(record)}))

    def add_artifact(self, source: str | os.PathLike[str], path: str) -> None:
        """Take a private copy of the file *source* as the artifact *path* (``/`` separated).

        Raises:
            InvalidName: *path* is absolute, empty or leaves the run's folder.
            StorageError: The file can't be read, or the copy not be written.
        """
        path = check_artifact_path(path)
        self._stage(path, lambda target: stage_file(os.fspath(source), target))

    def add_artifact_bytes(self, path: str, data: bytes) -> None:
        """Store *data* as the artifact *path*."""
        path = check_artifact_path(path)
        self._stage(path, lambda target: stage_bytes(data, target))

    def open_artifact(self, path: str) -> BinaryIO:
        """Open the artifact *path* for writing while the run goes on (an output log, say).

        What was written counts even when the process is killed before it closes the file.
        """
        path = check_artifact_path(path)
        file = self._next_file()
        try:
            stream = open(os.path.join(self.directory, file), "xb", buffering=0)
        except OSError as error:
            raise StorageError(f"artifact {path}", error.strerror or str(error)) from error
        self._append(encode("file", {"at": now_ms(), "path": path, "file": file, "size": -1}))
        return stream

    @property
    def detached(self) -> bool:
        """Whether the run stays open between processes (``ledgit record --start``)."""
        return bool(self._start_record.get("detached"))

    def artifact_files(self) -> dict[str, str]:
        """Return the artifacts logged so far: path → the staged file's location."""
        found = {}
        for kind, item in read_parts(self.directory).events:
            if kind == "file":
                found[item["path"]] = os.path.join(self.directory, item["file"])
        return found

    def note_problem(self, text: str) -> None:
        """Remember, and write down, something that went wrong and was survived."""
        if text not in self.problems:
            self.problems.append(text)
            self._append(encode("note", {"at": now_ms(), "text": text}))

    def read(self) -> JournalState:
        """Return everything in the journal so far, other processes' parts included."""
        return read_parts(self.directory)

    # ------------------------------------------------------------------ ending

    def finish(self, status: str = "FINISHED", end_time: int | None = None) -> str | None:
        """End the run and turn it into a commit.

        Args:
            status: FINISHED, FAILED or KILLED.
            end_time: Milliseconds since the epoch; now if None.

        Returns:
            The run's commit; None if another process still writes into the run or Git refused
            (then the journal stays and the next command that writes finalizes it).
        """
        if status not in STATUSES:
            raise InvalidValue("status", status, " ".join(STATUSES))
        if self.ended:
            return self.commit
        owner = self._owner == os.getpid()
        if owner:
            self._finish_facts()
            # A joined process says how it ended only if the run has no owner any more.
            kind = "end" if self._creator else "left"
            at = now_ms()
            self._append(encode(kind, {"at": at, "status": status, "end": at if end_time is None else int(end_time)}))
        self.status = status
        return self._close(finalizing=owner)

    def detach(self) -> None:
        """Leave the run open without this process; :meth:`join` goes on with it."""
        self._finish_facts()
        self._close(finalizing=False)

    def end_detached(self, status: str = "FINISHED", end_time: int | None = None) -> str | None:
        """End a detached run that this process joined, and turn it into a commit."""
        self._creator = True
        return self.finish(status, end_time)

    def _close(self, *, finalizing: bool) -> str | None:
        self.ended = True
        syncer.unregister(self)
        self._writer.flush()
        if self._writer.waiting or self._writer.lost:
            amount = self._writer.waiting + self._writer.lost
            self.problems.append(f"{amount} bytes of the journal could not be written: the disk is full")
            finalizing = False
        try:
            if finalizing and self._lock.exclusive(attempts=5):
                from ledgit.store.finalizing import finalize_locked

                self.commit = finalize_locked(self.repo, self.folder, self.id)
        except Exception as error:
            self.problems.append(f"run {self.id[:8]} is kept as a journal and will be finalized later: {error}")
        finally:
            # A durable commit makes the journal's own sync superfluous; without one it is what counts.
            if self.commit is None:
                self._sync_journal()
            self._writer.close()
            self._lock.release()
        return self.commit

    def _sync_journal(self) -> None:
        try:
            self._writer.sync()
        except OSError as error:
            self.problems.append(f"the journal could not be synced: {error.strerror}")

    # ------------------------------------------------------------------ inside

    def tick(self) -> None:
        """Sync and beat; called by the sync thread once a second."""
        if self.ended or self._owner != os.getpid():
            return
        try:
            if not self._writer.linked():
                self._relocate()
            self._writer.sync()
            now = time.monotonic()
            if now - self._beaten > _BEAT_EVERY:
                self._beaten = now
                beat(self.directory)
        except OSError as error:
            text = f"the journal could not be written: {error.strerror}; trying again"
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

    def _append(self, record: bytes) -> None:
        writer = self._writer
        if writer.fd < 0:
            self._recover_write(record, None)
        else:
            writer.append(record)

    def _recover_write(self, record: bytes, error: OSError | None) -> None:
        if self.ended:
            raise RunStateError(f"run {self.id[:8]} has ended; start_run(run_id={self.id!r}) resumes it")
        if self._writer.fd < 0 and self._owner != os.getpid() and not self._adopt():
            return
        self._writer.rewrite(record, error)

    def _adopt(self) -> bool:
        """In a forked child, at its first record: take a share of the lock and a part of our own."""
        with self._guard:
            self._owner = os.getpid()
            self._creator = False
            self._facts = None
            lock = RunLock(self.directory)
            try:
                shared = lock.share()
            except OSError:
                shared = False
            if not shared:
                self.ended = True
                self.problems.append(f"run {self.id[:8]} ended before this process logged into it")
                return False
            self._lock.forget()
            self._lock = lock
            self._writer.open()
            syncer.register(self)
            return True

    def _after_fork(self) -> None:
        self._writer.forget()
        self._guard = threading.RLock()
        self._facts = None

    def _fresh_params(self, params: Mapping[str, object]) -> dict[str, Scalar]:
        fresh: dict[str, Scalar] = {}
        for key, value in params.items():
            check_key("param", key)
            scalar = to_scalar(value)
            text = str(scalar)
            old = self.params.get(key)
            if old is None:
                fresh[key] = scalar
            elif old != text:
                raise ParamConflict(key, old, text)
        return fresh

    def _check_metric_key(self, key: str) -> None:
        check_key("metric", key)
        self._keys.add(key)

    def _stage(self, path: str, copy: Any) -> None:
        file = self._next_file()
        size = copy(os.path.join(self.directory, file))
        self._append(encode("file", {"at": now_ms(), "path": path, "file": file, "size": size}))

    def _next_file(self) -> str:
        with self._guard:
            self._staged += 1
            return f"file-{os.getpid()}-{self._staged}-{os.urandom(3).hex()}"

    def _collect_facts(self) -> None:
        from ledgit.store.collect import collect

        thread = threading.Thread(target=collect, args=(self, self._stop_facts), name="ledgit-facts", daemon=True)
        self._facts = thread
        thread.start()

    def _finish_facts(self) -> None:
        self._stop_facts.set()
        if self._facts is not None:
            self._facts.join()
            self._facts = None


def _printable(text: str) -> str:
    """Return *text* as valid Unicode: undecodable bytes become U+FFFD."""
    return text.encode("utf-8", "replace").decode() if not text.isascii() else text


def _text(value: object) -> str:
    from ledgit.records.scalars import from_json

    return str(from_json(value))


def _tag_value(key: str, value: object) -> str:
    check_key("tag", key)
    return _printable(str(value))


def _step(step: object) -> int:
    """Return a step or timestamp as a 64-bit integer (NumPy integers and integral floats too)."""
    try:
        number = int(step)  # type: ignore[call-overload]
        if number == step and -_INT64 <= number < _INT64:
            return int(number)
    except (TypeError, ValueError, OverflowError):
        pass
    raise InvalidValue("step or timestamp", step, "a 64-bit integer")


_here: weakref.WeakSet[ActiveRun] = weakref.WeakSet()


def _after_fork_in_child() -> None:
    for run in list(_here):
        with contextlib.suppress(OSError):
            run._after_fork()


os.register_at_fork(after_in_child=_after_fork_in_child)
