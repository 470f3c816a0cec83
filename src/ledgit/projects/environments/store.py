"""Environments in the user's cache folder: made once, by one process, and never taken for whole when they are not.

Below ``envs/`` each has a folder named by its key. It is made at its final path (scripts and ``pyvenv.cfg`` hold
absolute paths) and counts from the moment the file ``ledgit.json`` is in it, which is renamed into it
last. Who makes one holds the ``flock`` of ``<key>.lock``; so do the tools it starts, so that after a SIGKILL nobody
begins again before the last of them is gone. A run holds it shared, so that what is in use is not removed.
"""

from __future__ import annotations

import errno
import os

from ledgit.errors import StorageError, UsageError
from ledgit.records.values import Values

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from ledgit.projects.environments.prepared import Prepared

__all__ = ["Cached", "EnvironmentCache", "Hold", "hold", "list_environments", "remove_environments"]

MARKER = "ledgit.json"
WHEELS = "wheels"  # folder beside ``envs``: what pip needs where there is no network
OWN_PREFIX = "own-"  # folders of links to Ledgit, beside the environments that use them
_USED = "ledgit.used"  # its modification time is when the environment was last wanted
_NO_LOCKS = {errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL, errno.ENOTSUP}
KEY_LENGTH = 32  # hexadecimal digits: programs in it start with "#!" and the whole path, which Linux cuts at 255


_kept: dict[str, Hold] = {}  # by folder: what this process prepared


class Cached(Values):
    """An environment of the cache.

    Attributes:
        key: 32 hex digits.
        manager: What made it; "" of one that was never completed.
        python: Version of its interpreter.
        requirements: What was asked for, without credentials.
        folder: Where it lies.
        used: When it was last wanted, milliseconds since the epoch.
        made: When it was made; 0 of one that was never completed.
        gone: The interpreter that it stands on, where that is not there any more: it is made anew when it is wanted.
    """

    __slots__ = ("folder", "gone", "key", "made", "manager", "python", "requirements", "used")

    def __init__(
        self,
        key: str,
        manager: str,
        python: str,
        requirements: tuple[str, ...],
        folder: str,
        used: int,
        made: int,
        gone: str = "",
    ) -> None:
        self.key, self.manager, self.python, self.requirements = key, manager, python, requirements
        self.folder, self.used, self.made, self.gone = folder, used, made, gone

    @property
    def size(self) -> int:
        """Bytes that its files take on the disk; what is linked from elsewhere counts as well. Walks all of it."""
        return sum(
            status.st_blocks * 512
            for folder, _, names in os.walk(self.folder)
            for name in names
            if (status := _lstat(os.path.join(folder, name))) is not None
        )


class Hold:
    """Keeps an environment from being removed until :meth:`release`, or the end of the process."""

    def __init__(self, fd: int) -> None:
        self.fd = fd

    def release(self) -> None:
        """Let it be removed; twice is once."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def __enter__(self) -> Hold:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


class EnvironmentCache:
    """The folder ``envs`` of the cache folder *cache*, which is made when something is."""

    def __init__(self, cache: str) -> None:
        self.folder = os.path.join(os.path.abspath(cache), "envs")

    def path(self, key: str) -> str:
        """Return where the environment *key* is, or would be."""
        return os.path.join(self.folder, key)

    def ready(self, key: str) -> dict[str, Any] | None:
        """Return what was noted about the complete environment *key*; None if there is none, or none that works."""
        noted = _read_marker(self.path(key))
        if noted is None or not os.access(str(noted.get("python", "")), os.X_OK):
            return None  # also when the interpreter it links to was uninstalled
        self._touch(key)
        return noted

    def make(
        self, key: str, maker: Callable[[str, int], dict[str, Any]], waiting: Callable[[], object] | None = None
    ) -> dict[str, Any]:
        """Return what is noted about the environment *key*, made by *maker* unless another process just did.

        Args:
            key: Its name.
            maker: Is given the folder, not there yet, and the descriptor of the lock for what it starts. What it
                returns is noted; ``python`` in it is the interpreter's path.
            waiting: Called when another process is making it, before waiting for that.

        Raises:
            StorageError: The disk refused.
        """
        self._let_go(key)  # or this process would wait for itself
        fd = self._lock(key, waiting)
        path = self.path(key)
        try:
            noted = self.ready(key)
            if noted is not None:
                return noted
            try:
                remove_tree(path)
                noted = maker(path, fd)
                self._note(path, noted)
            except BaseException as error:
                remove_tree(path)
                if fd >= 0:
                    os.unlink(os.path.join(self.folder, f"{key}.lock"))
                if isinstance(error, OSError):
                    raise StorageError(f"the environment {path}", error.strerror or str(error)) from None
                raise
            self._touch(key)
            return noted
        finally:
            if fd >= 0:
                os.close(fd)

    def _note(self, folder: str, noted: dict[str, Any]) -> None:
        """Write what is known about the environment in *folder*, all at once; from then on it counts."""
        import json

        path = os.path.join(folder, MARKER)
        with open(f"{path}.new", "w", encoding="utf-8") as file:
            json.dump(noted, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        os.replace(f"{path}.new", path)

    def get(
        self, key: str, maker: Callable[[str, int], dict[str, Any]], waiting: Callable[[], object] | None = None
    ) -> dict[str, Any]:
        """Return what is noted about the environment *key*, made if need be, and kept until this process ends.

        Nobody removes it meanwhile but this process itself. Arguments and errors are those of :meth:`make`.
        """
        noted = self.ready(key) or self.make(key, maker, waiting)
        while not self._keep(key):
            noted = self.make(key, maker, waiting)  # waits for who has the lock, and may just have removed it
        return noted

    def _keep(self, key: str) -> bool:
        path = self.path(key)
        if path not in _kept:
            found = self.hold(key)
            if found is None or _read_marker(path) is None:
                if found is not None:
                    found.release()
                return False
            _kept[path] = found
        return True

    def _let_go(self, key: str) -> None:
        kept = _kept.pop(self.path(key), None)
        if kept is not None:
            kept.release()

    def hold(self, key: str) -> Hold | None:
        """Keep the environment *key* from being removed as long as somebody runs in it; None if it is being removed."""
        import fcntl

        try:
            fd = os.open(os.path.join(self.folder, f"{key}.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError:
            return Hold(-1)  # nobody can write here
        try:
            fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(fd)
            return None
        except OSError:
            pass  # no locks here
        return Hold(fd)

    def _touch(self, key: str) -> None:
        try:
            with open(os.path.join(self.path(key), _USED), "w", encoding="utf-8"):
                pass
        except OSError:
            pass  # a cache that can only be read still serves

    def _lock(self, key: str, waiting: Callable[[], object] | None) -> int:
        """Return the descriptor of the lock of *key*, taken alone; -1 where the file system has none."""
        import fcntl

        path = os.path.join(self.folder, f"{key}.lock")
        try:
            os.makedirs(self.folder, exist_ok=True)
            while True:
                fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
                try:
                    try:
                        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    except BlockingIOError:
                        if waiting is not None:
                            waiting()
                        fcntl.flock(fd, fcntl.LOCK_EX)
                    there = _lstat(path)
                    if there is not None and os.path.samestat(there, os.fstat(fd)):
                        return fd
                    os.close(fd)  # who removed the environment removed the lock, too
                except BaseException:
                    os.close(fd)
                    raise
        except OSError as error:
            if error.errno in _NO_LOCKS:
                return -1
            raise StorageError(f"the environment cache {self.folder}", error.strerror or str(error)) from None

    def listed(self) -> Iterator[Cached]:
        """Yield all environments, also such as were never completed, in the order of their keys."""
        try:
            names = sorted(os.listdir(self.folder))
        except OSError:
            return
        for name in names:
            if len(name) != KEY_LENGTH or not set(name) <= set("0123456789abcdef"):
                continue
            path = self.path(name)
            noted = _read_marker(path) or {}
            status = _lstat(os.path.join(path, _USED)) or _lstat(path)
            requirements = noted.get("requirements")
            yield Cached(
                name,
                str(noted.get("manager", "")),
                str(noted.get("version", "")),
                tuple(map(str, requirements)) if isinstance(requirements, list) else (),
                path,
                int(status.st_mtime * 1000) if status else 0,
                int(noted.get("made", 0)) if noted else 0,
                _gone(str(noted.get("python", ""))),
            )

    def remove(self, key: str) -> bool:
        """Remove the environment *key*; False if it is being made, or something runs in it."""
        import fcntl

        self._let_go(key)
        lock = os.path.join(self.folder, f"{key}.lock")
        fd = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                if error.errno not in _NO_LOCKS:
                    return False
            path = self.path(key)
            try:
                os.unlink(os.path.join(path, MARKER))  # first, so that half of it is never taken for whole
            except FileNotFoundError:
                pass
            remove_tree(path)
            os.unlink(lock)
            return True
        finally:
            os.close(fd)

    def remove_unused_links(self) -> None:
        """Remove the folders of links to Ledgit that no environment uses any more."""
        used = {os.path.basename(str((_read_marker(one.folder) or {}).get("links", ""))) for one in self.listed()}
        for name in os.listdir(self.folder):
            if name.startswith(OWN_PREFIX) and name not in used:
                remove_tree(os.path.join(self.folder, name))


def hold(prepared: Prepared) -> Hold:
    """Keep a prepared environment from being removed as long as something runs in it."""
    if not prepared.folder:
        return Hold(-1)
    return EnvironmentCache(os.path.dirname(os.path.dirname(prepared.folder))).hold(prepared.key) or Hold(-1)


def list_environments(cache: str) -> list[Cached]:
    """Return the environments below the cache folder *cache*, the one last used first."""
    return sorted(EnvironmentCache(cache).listed(), key=lambda found: (-found.used, found.key))


def remove_environments(
    cache: str, older_than: int | None = None, *, keys: tuple[str, ...] = (), now: int | None = None
) -> tuple[list[Cached], list[Cached]]:
    """Remove environments and return those that went, and those that stay because something uses them.

    Unless *keys* are given, wheels that are kept for when there is no network go as well.

    Args:
        cache: The cache folder.
        older_than: Only such as nobody wanted for so many milliseconds.
        keys: Only those whose key begins so; without either, all.
        now: Milliseconds since the epoch; the clock's by default.

    Raises:
        UsageError: A key names none, or several.
        StorageError: One can't be removed.
    """
    import time

    found = list_environments(cache)
    chosen = found
    if keys:
        chosen = []
        for key in keys:
            matching = [one for one in found if one.key.startswith(key.lower())]
            if len(matching) != 1 or not key:
                raise UsageError(f"{len(matching) or 'no'} environments have a key that begins with {key!r}; see ls")
            chosen += [one for one in matching if one not in chosen]
    limit = (round(time.time() * 1000) if now is None else now) - (older_than or 0)
    if older_than is not None:
        chosen = [one for one in chosen if one.used < limit]
    gone: list[Cached] = []
    kept: list[Cached] = []
    store = EnvironmentCache(cache)
    for one in chosen:
        try:
            (gone if store.remove(one.key) else kept).append(one)
        except OSError as error:
            raise StorageError(f"(remove) {one.folder}", error.strerror or str(error)) from None
    if gone:
        store.remove_unused_links()
    if not keys:
        _remove_wheels(os.path.join(os.path.abspath(cache), WHEELS), limit)
    return gone, kept


def _remove_wheels(folder: str, limit: int) -> None:
    """Remove the wheels that were last fetched before *limit*; environments don't need them."""
    for top, _, names in os.walk(folder):
        for name in names:
            status = _lstat(os.path.join(top, name))
            if status is not None and status.st_mtime * 1000 < limit:
                os.unlink(os.path.join(top, name))


def remove_tree(path: str) -> None:
    """Remove a folder with all that is in it, also what is write-protected; nothing happens if there is none."""
    import shutil

    try:
        shutil.rmtree(path)
    except FileNotFoundError:
        if os.path.lexists(path):
            remove_tree(path)  # somebody else removed a part of it
    except PermissionError:
        for folder, _, _ in os.walk(path):
            os.chmod(folder, 0o700)
        shutil.rmtree(path)


def _read_marker(folder: str) -> dict[str, Any] | None:
    import json

    try:
        with open(os.path.join(folder, MARKER), encoding="utf-8") as file:
            noted = json.load(file)
    except (OSError, ValueError):
        return None
    return noted if isinstance(noted, dict) else None


def _gone(python: str) -> str:
    """Return where the interpreter *python* would be, links followed, if it is not there; "" if it is."""
    return os.path.realpath(python) if python and not os.access(python, os.X_OK) else ""


def _lstat(path: str) -> os.stat_result | None:
    try:
        return os.lstat(path)
    except OSError:
        return None
