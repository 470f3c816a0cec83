"""Another repository's files, fetched into a bare repository of our own in the user's cache folder.

Only what is asked for is fetched, without history: one commit. What was fetched once is there when
nobody can be reached, as far as it can't have changed: commits and tags, not branches.
"""

from __future__ import annotations

import os

from ledgit.errors import RemoteError, RevisionNotFound, StorageError, Unreachable
from ledgit.git.command import run_git, try_git
from ledgit.git.repo import Repo
from ledgit.git.shared import make_folders
from ledgit.git.transport import Address, fetch, list_remote

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    Progress = Callable[[str, int, int | None], None]

__all__ = ["Fetched", "Mirror"]

_HEAD = "ref: refs/heads/none\n"
_CONFIG = """\
[core]
\trepositoryformatversion = 0
\tbare = true
[gc]
\tauto = 0
[maintenance]
\tauto = false
"""
_KEPT = "refs/ledgit/fetched/"
_ALL = 2147483647  # commits; what `git fetch --unshallow` asks for
_HEX = frozenset("0123456789abcdef")


class Fetched:
    """What a revision of the other repository is.

    Attributes:
        commit: Its commit.
        tree: The tree of that.
        branch: The branch that was asked for; None if it was something else.
        stale: Why it is what was fetched earlier; "" if it is what is there now.
    """

    __slots__ = ("branch", "commit", "stale", "tree")

    def __init__(self, commit: str, tree: str, branch: str | None = None, stale: str = "") -> None:
        self.commit, self.tree, self.branch, self.stale = commit, tree, branch, stale

    def __repr__(self) -> str:
        return f"Fetched({self.commit!r}, {self.tree!r})"


class Mirror(Repo):
    """The bare repository that holds what was fetched from one address."""

    __slots__ = ("address",)

    def __init__(self, path: str, address: Address) -> None:
        super().__init__(path, path, None)
        self.address = address

    @classmethod
    def open(cls, folder: str, address: Address | str) -> Mirror:
        """Return the mirror of *address* below *folder*, made if need be.

        The address itself, which may hold credentials, is written nowhere.

        Raises:
            StorageError: It can't be made.
        """
        from hashlib import sha256

        there = address if isinstance(address, Address) else Address(address)
        name = there.shown.rstrip("/").removesuffix(".git").rpartition("/")[2].rpartition(":")[2]
        safe = "".join(char if (char.isalnum() and char.isascii()) or char in "-_" else "-" for char in name)[:40]
        digest = sha256(there.shown.encode("utf-8", "surrogateescape")).hexdigest()
        path = os.path.join(folder, f"{safe or 'project'}-{digest[:16]}")
        try:
            for inner in ("objects/pack", "objects/info", "refs/heads", "refs/tags"):
                make_folders(os.path.join(path, *inner.split("/")))
            for file, text in (("config", _CONFIG), ("HEAD", _HEAD)):
                _write_once(os.path.join(path, file), text)
        except OSError as error:
            raise StorageError(path, error.strerror or str(error)) from error
        return cls(path, there)

    def fetch(self, rev: str = "", progress: Progress | None = None) -> Fetched:
        """Bring a commit here and return it.

        Args:
            rev: A branch, a tag, or a commit's id or its first digits (at least 7); "": the default branch.
            progress: Is told (what, done, total or None).

        Raises:
            RevisionNotFound: There is no such revision; its `near` has similar names.
            Unreachable, AccessDenied, RemoteError: The other repository can't be used, and it was not fetched before.
        """
        if rev.startswith("-") or any(char in rev for char in " ~^:?*[\\\n\0") or ".." in rev or "@{" in rev:
            raise RevisionNotFound(rev)
        if len(rev) == 40 and _HEX.issuperset(rev) and (found := self._here(rev)) is not None:
            return found
        with self._locked():
            try:
                return self._fetch(rev, progress)
            except Unreachable as error:
                kept = self._kept(rev)
                if kept is None:
                    raise
                kept.stale = str(error)
                return kept

    def _fetch(self, rev: str, progress: Progress | None) -> Fetched:
        if not rev:
            return self._take("HEAD", rev, None, progress)
        named = list_remote(self, self.address, [f"refs/heads/{rev}", f"refs/tags/{rev}", rev], prompt=_may_ask())
        for ref, branch in ((f"refs/heads/{rev}", rev), (f"refs/tags/{rev}", None), (rev, None)):
            if ref in named:
                return self._take(ref, rev, branch, progress)
        if len(rev) >= 7 and _HEX.issuperset(rev.lower()):
            found = self._by_id(rev.lower(), progress)
            if found is not None:
                return found
        raise RevisionNotFound(rev, _near(rev, list_remote(self, self.address, prompt=_may_ask())))

    def _take(self, source: str, rev: str, branch: str | None, progress: Progress | None) -> Fetched:
        target = _KEPT + _name(rev)
        if not fetch(self, self.address, [f"+{source}:{target}"], depth=1, prompt=_may_ask(), progress=progress):
            if source == "HEAD":
                raise RemoteError(self.address.shown, "it has no commits; name a branch, tag or commit with -v")
            raise RevisionNotFound(rev)
        found = self._here(target)
        if found is None:
            raise RevisionNotFound(rev)
        found.branch = branch
        return found

    def _by_id(self, rev: str, progress: Progress | None) -> Fetched | None:
        if len(rev) == 40:
            try:
                return self._take(rev, rev, None, progress)
            except (RevisionNotFound, RemoteError) as error:
                if isinstance(error, Unreachable):
                    raise
        # The host gives out no commit by its id, or these are the first digits of one: all of its history.
        refspecs = ["+refs/heads/*:refs/ledgit/history/heads/*", "+refs/tags/*:refs/ledgit/history/tags/*"]
        # The greatest depth lifts the cut-off of what was fetched alone.
        fetch(self, self.address, refspecs, depth=_ALL if self.shallow else None, prompt=_may_ask(), progress=progress)
        found = self._here(rev)
        if found is not None:
            run_git(self, "update-ref", _KEPT + _name(rev), found.commit)
        return found

    def _here(self, rev: str) -> Fetched | None:
        args = ("rev-parse", "--verify", "--quiet", "--end-of-options")
        code, out, _ = try_git(self, *args, f"{rev}^{{commit}}")
        if code != 0:
            return None
        commit = out.decode("ascii").strip()
        code, out, _ = try_git(self, *args, f"{commit}^{{tree}}")
        return Fetched(commit, out.decode("ascii").strip()) if code == 0 else None

    def _kept(self, rev: str) -> Fetched | None:
        """Return what was fetched for *rev* earlier."""
        return self._here(_KEPT + _name(rev))

    def _locked(self) -> _Lock:
        return _Lock(os.path.join(self.git_dir, "ledgit-fetch.lock"))


class _Lock:
    """Two fetches at once would meet in ``shallow``; the kernel frees it with the process."""

    def __init__(self, path: str) -> None:
        self._path, self._fd = path, -1

    def __enter__(self) -> None:
        import fcntl

        self._fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX)
        except OSError:
            pass  # a file system without locks

    def __exit__(self, *_: object) -> None:
        os.close(self._fd)


def _may_ask() -> bool:
    """Whether Git may ask for a password: where somebody is at a terminal."""
    try:
        return os.isatty(0) and os.isatty(2)
    except OSError:
        return False


def _near(rev: str, refs: dict[str, str]) -> list[str]:
    from difflib import get_close_matches

    names = [name.split("/", 2)[2] for name in refs if name.startswith(("refs/heads/", "refs/tags/"))]
    return get_close_matches(rev, names, 3, 0.5) or sorted(names)[:3]


def _name(rev: str) -> str:
    """Return a name for a ref: those of the other side may be none that go well with each other here."""
    from hashlib import sha256

    return sha256(rev.encode("utf-8", "surrogateescape")).hexdigest()[:32]


def _write_once(path: str, text: str) -> None:
    if os.path.exists(path):
        return
    scratch = f"{path}.{os.urandom(4).hex()}"
    with open(scratch, "w", encoding="utf-8") as file:
        file.write(text)
    os.replace(scratch, path)
