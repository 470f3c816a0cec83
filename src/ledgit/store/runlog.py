"""Writing into the journal of a run: everything that ``log_*`` calls end up in."""

from __future__ import annotations

import os
import threading
from abc import abstractmethod
from zlib import crc32

from ledgit.errors import InvalidValue, ParamConflict, RunStateError
from ledgit.records.names import check_key, check_run_name
from ledgit.records.scalars import to_json, to_metric, to_scalar
from ledgit.store import journal, syncer
from ledgit.store.filelog import FileLog
from ledgit.store.journal import encode, encode_metric, now_ms, read_parts
from ledgit.store.lock import RunLock
from ledgit.store.writer import PartWriter

TYPE_CHECKING = False  # this is on the way of every start, where each import counts
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any

    from ledgit.git import Repo
    from ledgit.records.inputs import InputRecord
    from ledgit.records.scalars import Scalar
    from ledgit.store.folder import Folder
    from ledgit.store.journal import JournalState

    Progress = Callable[[str, int, int | None], None]

__all__ = ["RunLog", "printable"]

_INT64 = 1 << 63
_write = os.write
_time_ns = journal.time_ns


class RunLog(FileLog):
    """One process's hand in a run's journal.

    Logging appends and never touches Git; it does not raise because of the disk either: what
    can't be written is kept in memory, tried again every second, and listed in
    :attr:`problems`.
    """

    def __init__(self, repo: Repo, folder: Folder, run_id: str, directory: str) -> None:
        super().__init__()
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
        self.python: str | None = None
        self._owner = os.getpid()
        self._creator = False
        self._keys: set[str] = set()
        self._own_params: set[str] = set()
        self._guard = threading.RLock()
        self._lock = RunLock(directory)
        self._writer = PartWriter(directory)
        self._facts: threading.Thread | None = None
        self._stop_facts = threading.Event()
        self._unfinished: bool | None = None
        self._beaten = 0.0
        self._start_record: dict[str, Any] = {}

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
                self._own_params.update(fresh)
            if tags:
                self.tags.update(checked)

    def log_params(self, params: Mapping[str, object]) -> None:
        """Log params; the same value again is no change, another one raises ParamConflict.

        Values are compared as text; to one that another process logged (a launcher, a sweep) also as a number.
        """
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

    @property
    def detached(self) -> bool:
        """Whether the run stays open between processes (``ledgit record --start``)."""
        return bool(self._start_record.get("detached"))

    def note_problem(self, text: str) -> None:
        """Remember, and write down, something that went wrong and was survived."""
        if text not in self.problems:
            self.problems.append(text)
            self._append(encode("note", {"at": now_ms(), "text": text}))

    def read(self) -> JournalState:
        """Return everything in the journal so far, other processes' parts included."""
        return read_parts(self.directory)

    # ------------------------------------------------------------------ inside

    @abstractmethod
    def tick(self) -> None:
        """Sync what was written; called by the sync thread once a second."""

    def _append(self, record: bytes) -> None:
        writer = self._writer
        if writer.fd < 0 or not writer.append(record):
            self._recover_write(record, None)

    def _recover_write(self, record: bytes, error: OSError | None) -> None:
        if not self.ended and self._writer.fd < 0 and self._owner != os.getpid() and not self._adopt():
            return
        if self.ended or not self._writer.rewrite(record, error):
            raise RunStateError(f"run {self.id[:8]} has ended; start_run(run_id={self.id!r}) resumes it")

    def _adopt(self) -> bool:
        """In a forked child, at its first record: take a share of the lock and a part of our own."""
        with self._guard:
            if self._owner == os.getpid():
                return not self.ended  # another thread was first
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
            try:
                self._writer.open()
            except OSError:
                pass  # on a full disk the record waits, and a part is opened later
            self._enter()
            return True

    def _enter(self) -> None:
        """Have the journal synced from now on, and cared for when the process forks."""
        _open.add(self)
        syncer.register(self)

    def _leave(self) -> None:
        _open.discard(self)
        syncer.unregister(self)

    def _after_fork(self) -> None:
        self._writer.forget()
        self._unsynced.clear()  # the parent's
        self._growing.clear()
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
            elif old != text and (key in self._own_params or not _is_same(old, text)):
                raise ParamConflict(key, old, text)
        return fresh

    def _check_metric_key(self, key: str) -> None:
        check_key("metric", key)
        self._keys.add(key)


def _is_same(old: str, text: str) -> bool:
    """Say whether a param that another process logged is the same number or truth value.

    Who starts a program gives it the words ``1`` and ``true``; what the program makes of them, and logs, is ``1.0``
    and ``True``. The first one stays.
    """
    try:
        return float(old) == float(text)
    except ValueError:
        return old.lower() == text.lower() and old.lower() in ("true", "false")


def printable(text: str) -> str:
    """Return *text* as valid Unicode: undecodable bytes become U+FFFD."""
    return text.encode("utf-8", "replace").decode() if not text.isascii() else text


def _tag_value(key: str, value: object) -> str:
    check_key("tag", key)
    return printable(str(value))


def _step(step: object) -> int:
    """Return a step or timestamp as a 64-bit integer (NumPy integers and integral floats too)."""
    try:
        number = int(step)  # type: ignore[call-overload]
        if number == step and -_INT64 <= number < _INT64:
            return int(number)
    except (TypeError, ValueError, OverflowError):
        pass
    raise InvalidValue("step or timestamp", step, "a 64-bit integer")


_open: set[RunLog] = set()


def _after_fork_in_child() -> None:
    for run in list(_open):
        try:
            run._after_fork()
        except OSError:
            pass


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_after_fork_in_child)
