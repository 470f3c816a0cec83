"""Where everything local lives: ``<common Git directory>/ledgit/``.

::

    ledgit/
        clone.json           this clone's id, and the folder it was made for
        active/<run id>/     journals of runs being written
        cache/               large artifacts, in DVC's layout
        columns/             metric histories as binary columns (disposable)
        experiments.json     experiment records as last read (disposable)
        going/               runs that a process which is at work takes away for good
        index.sqlite3        the index (disposable)
        registry.json        the registry's tags and records, decoded (disposable)
        scratch/             copies of the index file while a snapshot is taken
        seen-post-commit     how the refs were when that hook last looked (disposable)
        settling/            journals of finished runs whose commits are being synced to disk
        superseded/          objects in the cache that runs logged over before they ended
        trash/               finished journals on their way out
        work/<id>/           folders that projects run in, each with its lock beside it
"""

from __future__ import annotations

import os

from ledgit.errors import StorageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ledgit.git import Repo

__all__ = ["Folder", "boot_id"]


class Folder:
    """Ledgit's own folder of one clone; worktrees of a clone share it.

    Nothing is created by reading; :meth:`make` creates what a writer needs.
    """

    def __init__(self, common_dir: str) -> None:
        self.path = os.path.join(common_dir, "ledgit")
        self.active = os.path.join(self.path, "active")
        self.settling = os.path.join(self.path, "settling")
        self.trash = os.path.join(self.path, "trash")
        self.cache = os.path.join(self.path, "cache")
        self.columns = os.path.join(self.path, "columns")
        self.going = os.path.join(self.path, "going")
        self.scratch = os.path.join(self.path, "scratch")
        self.superseded = os.path.join(self.path, "superseded")
        self.work = os.path.join(self.path, "work")
        self._clone: str | None = None

    @classmethod
    def of(cls, repo: Repo) -> Folder:
        """Return the folder of *repo*'s clone."""
        return cls(repo.common_dir)

    def make(self, path: str) -> str:
        """Create the folder *path* below this one (and its parents) and return it."""
        try:
            os.makedirs(path, exist_ok=True)
        except OSError as error:
            raise StorageError(path, error.strerror or str(error)) from error
        return path

    def active_dir(self, run_id: str) -> str:
        """Return the journal folder of an active run, whether it exists or not."""
        return os.path.join(self.active, run_id)

    def discard(self, path: str) -> None:
        """Remove the folder *path* so that no reader ever sees half of it.

        It is renamed into the trash first; what a killed process left there goes with the
        next call.
        """
        os.makedirs(self.trash, exist_ok=True)
        gone = os.path.join(self.trash, f"{os.path.basename(path)}-{os.urandom(4).hex()}")
        try:
            os.rename(path, gone)
        except FileNotFoundError:
            return
        _remove_tree(gone)

    def empty_trash(self) -> None:
        """Remove what interrupted processes left in the trash."""
        try:
            names = os.listdir(self.trash)
        except FileNotFoundError:
            return
        for name in names:
            _remove(os.path.join(self.trash, name))

    @property
    def clone_id(self) -> str:
        """This clone's id (16 hex digits), made on first use.

        It is renewed when the folder's device, inode or host changed, because a copied
        ``.git`` (a CI cache, an image) must not write under the id of its original.
        """
        if self._clone is None:
            self._clone = self._read_clone_id() or self._new_clone_id()
        return self._clone

    def _clone_file(self, clone: str) -> bytes:
        """Return what ``clone.json`` holds if *clone* is this clone's id."""
        from ledgit.store.journal import dump_json  # a pull without news does without

        stat = os.stat(self.path)
        return dump_json({"id": clone, "place": [stat.st_dev, stat.st_ino, os.uname().nodename]})

    def _read_clone_id(self) -> str | None:
        try:
            with open(os.path.join(self.path, "clone.json"), "rb") as file:
                data = file.read()
            # Nobody else writes this file, so it is compared, not parsed.
            clone = data[7:23].decode("ascii")
            return clone if data == self._clone_file(clone) else None
        except (OSError, ValueError):
            return None

    def _new_clone_id(self) -> str:
        self.make(self.path)
        clone = os.urandom(8).hex()
        target = os.path.join(self.path, "clone.json")
        scratch = f"{target}.{clone}"
        try:
            with open(scratch, "wb") as file:
                file.write(self._clone_file(clone))
                file.flush()
                os.fsync(file.fileno())
            # Two processes may race here: a fresh file is linked (the first one wins), a file
            # that belongs to another place is replaced.
            if os.path.exists(target):
                os.replace(scratch, target)
            else:
                try:
                    os.link(scratch, target)
                except FileExistsError:
                    pass
                os.unlink(scratch)
        except OSError as error:
            raise StorageError(target, error.strerror or str(error)) from error
        return self._read_clone_id() or clone


def _remove_tree(path: str) -> None:
    """Remove a small flat folder; quicker than shutil.rmtree, which it falls back to."""
    try:
        for name in os.listdir(path):
            os.unlink(os.path.join(path, name))
        os.rmdir(path)
    except OSError:
        _remove(path)


def boot_id() -> str:
    """Return what tells one boot of one kernel from another; '' where there is no such thing.

    Containers on one machine share it, and with it the table of file locks.
    """
    try:
        with open("/proc/sys/kernel/random/boot_id", "rb") as file:  # not as text: that loads a codec
            return file.read().decode().strip()
    except OSError:
        return ""


def _remove(path: str) -> None:
    import shutil  # 2 ms with its compressors, and readers never come here

    shutil.rmtree(path, ignore_errors=True)
