"""Asking a run's process to end, and only the run's.

A process number says little: after the process it is another's, and in another container or on another host it never
was ours. What counts is that the process has the run's lock file open, which every process that writes into a run has
for life; it is looked at once more with the process held fast, at the moment of the signal.
"""

from __future__ import annotations

import os
import shlex
import signal
from typing import TYPE_CHECKING, Any

from ledgit.records.values import Values

if TYPE_CHECKING:
    from ledgit.tui.session import Session

__all__ = ["Stop", "look_at", "stop"]

_HEAD = 256 << 10  # bytes at the beginning of a journal, where its start record is


class Stop(Values):
    """What stopping a run would do.

    Attributes:
        run_id: The run.
        name: Its name.
        pid: The process that started it.
        host: Where that is.
        command: Its command line, redacted.
        others: Names of other runs that the same process writes: they end too.
        why: Why the run can't be stopped from here, as a sentence; "" if it can.
    """

    __slots__ = ("command", "host", "name", "others", "pid", "run_id", "why")

    def __init__(
        self,
        run_id: str,
        name: str,
        why: str = "",
        *,
        pid: int = 0,
        host: str = "",
        command: str = "",
        others: tuple[str, ...] = (),
    ) -> None:
        self.run_id, self.name, self.why = run_id, name, why
        self.pid, self.host, self.command, self.others = pid, host, command, others


def look_at(session: Session, run_id: str) -> Stop:
    """Find out whether a run can be stopped from here, and what that would end. Called in a thread.

    Raises:
        RunNotFound: There is no such run.
    """
    from ledgit.errors import LedgitError, RunNotFound

    repository = session.repository
    repository.index.refresh()
    state = repository.index.get(run_id)
    if state is None:
        raise RunNotFound(run_id)
    directory = repository.folder.active_dir(run_id)
    if state.status != "RUNNING" or not os.path.isdir(directory):
        return Stop(run_id, state.name, f"{state.name} does not run: it is {state.status}")
    start = _start_record(directory)
    pid, host = _number(start.get("pid")), str(start.get("host", ""))
    try:
        words = repository.run(run_id).record().info.command
    except LedgitError:
        words = ()
    others = tuple(_others(session, run_id, pid, host, str(start.get("boot", ""))))
    why = _why_not(directory, state.name, start, pid)
    return Stop(run_id, state.name, why, pid=pid, host=host, command=shlex.join(words), others=others)


def stop(session: Session, plan: Stop) -> None:
    """Send SIGTERM to the process of *plan*, if it still is the run's.

    Raises:
        RunStateError: It is not any more, or the signal is not allowed.
    """
    from ledgit.errors import RunStateError

    directory = session.repository.folder.active_dir(plan.run_id)
    held = _hold(plan.pid)
    try:
        why = _why_not(directory, plan.name, _start_record(directory), plan.pid)
        if why:
            raise RunStateError(why)
        if held is not None:
            signal.pidfd_send_signal(held, signal.SIGTERM)
        else:
            os.kill(plan.pid, signal.SIGTERM)
    except ProcessLookupError:
        raise RunStateError(f"{plan.name} had ended just before") from None
    except PermissionError:
        raise RunStateError(f"process {plan.pid} is another user's") from None
    finally:
        if held is not None:
            os.close(held)


def _hold(pid: int) -> int | None:
    """Return a descriptor that stands for this very process, whatever becomes of its number."""
    try:
        return os.pidfd_open(pid)
    except (AttributeError, OSError):
        return None


def _why_not(directory: str, name: str, start: dict[str, Any], pid: int) -> str:
    """Return why the process must not be asked to end, or ""."""
    from ledgit.store.folder import boot_id
    from ledgit.store.lock import ALIVE, liveness

    host, boot = str(start.get("host", "")), str(start.get("boot", ""))
    here = os.uname().nodename
    if not start:
        return f"{name} has ended a moment ago"
    if boot and boot_id() and boot != boot_id():
        if host == here:
            return f"{name} was started before this machine was: its process is gone"
        return f"{name} runs on {host}, not here; stop it there: kill {pid}"
    if host != here:
        return f"{name} runs in {host}, another container of this machine; stop it there: kill {pid}"
    if liveness(directory, host, boot) != ALIVE:
        if start.get("detached"):
            return f"{name} has no process: it is open until somebody ends it"
        return f"the process of {name} is gone already"
    if pid <= 1 or pid == os.getpid():
        return f"{name} is written by this very process"
    found = _has_open(pid, os.path.join(directory, "lock"))
    if found is None:
        return f"whether process {pid} is that of {name} can't be told here; if it is: kill {pid}"
    if not found:
        return f"process {pid}, which started {name}, is gone, and others go on writing into it"
    return ""


def _has_open(pid: int, path: str) -> bool | None:
    """Whether a process has the file *path* open; None where that can't be seen."""
    try:
        wanted = os.stat(path)
    except OSError:
        return False
    folder = f"/proc/{pid}/fd"
    if os.path.isdir("/proc/self/fd"):
        try:
            names = os.listdir(folder)
        except FileNotFoundError:
            return False
        except OSError:
            return None  # another user's
        for name in names:
            try:
                if os.path.samestat(os.stat(f"{folder}/{name}"), wanted):
                    return True
            except OSError:
                continue
        return False
    try:
        import psutil
    except ImportError:
        return None
    try:
        return any(os.path.realpath(path) == os.path.realpath(file.path) for file in psutil.Process(pid).open_files())
    except psutil.NoSuchProcess:
        return False
    except psutil.Error:
        return None


def _others(session: Session, run_id: str, pid: int, host: str, boot: str) -> list[str]:
    """Return the names of the other active runs that this process started and still writes."""
    from ledgit.store.live import active_ids

    found = []
    for other in active_ids(session.repository.folder):
        directory = session.repository.folder.active_dir(other)
        start = _start_record(directory) if other != run_id else {}
        same = (_number(start.get("pid")), str(start.get("host", "")), str(start.get("boot", ""))) == (pid, host, boot)
        if same and _has_open(pid, os.path.join(directory, "lock")):
            found.append(str(start.get("name", other[:8])))
    return found


def _number(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def _start_record(directory: str) -> dict[str, Any]:
    """Return the newest start record of a journal without reading all of it; {} if there is none."""
    from ledgit.store.journal import parse_lines, part_names

    try:
        names = part_names(directory)
    except OSError:
        return {}
    found: dict[str, Any] = {}
    for name in names:
        try:
            with open(os.path.join(directory, name), "rb") as file:
                data = file.read(_HEAD)
        except OSError:
            continue
        events, _, _ = parse_lines(data, {}, 0)
        for _, kind, item in events:
            if kind == "start" and (not found or item.get("at", 0) > found.get("at", 0)):
                found = item
    return found
