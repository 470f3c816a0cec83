"""``tip.git``: made, kept fit, thrown away; and when a clone has the ledger's tip alone.

See :mod:`ledgit.git.helper` for what it is, and ``docs/design/ledger.md`` for why.
"""

from __future__ import annotations

import os

from ledgit.errors import AccessDenied, ConfigError, GitFailed, RemoteError, Unreachable
from ledgit.store.ledger.lock import LedgerLock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ledgit.git import Helper, Repo
    from ledgit.store.folder import Folder
    from ledgit.store.sync.remote import Remote

    Progress = Callable[[str, int, int | None], None]

__all__ = [
    "FETCHED",
    "TipLock",
    "discard_tip",
    "fetch_tip",
    "open_tip",
    "tidy_tip",
    "tip_exists",
    "wanted",
    "whole_ref",
]

#: Below it, in ``tip.git``: run commits that were fetched when asked for.
FETCHED = "refs/ledgit/fetched/"
_MODES = "auto, full or tip"
#: Git's way of saying "all of it", which also deepens what was cut off.
_INFINITE = 0x7FFFFFFF
#: Packs and loose objects (in one of 256 folders, as ``git gc --auto`` counts) before it is repacked.
_PACKS, _LOOSE = 20, 16
_WAIT = 60.0


class TipLock(LedgerLock):
    """Hold ``tip.git`` while git fetches into it or repacks it; a context manager.

    Two fetches that cut history off would fail over Git's own lock on ``shallow``.

    Raises:
        Conflict: (on entering) another process has it for a minute.
    """

    def __init__(self, folder: Folder, wait: float = _WAIT) -> None:
        super().__init__(folder, wait)
        self._path = os.path.join(folder.path, "tip.lock")


def wanted(repo: Repo, remote: Remote | None = None) -> bool:
    """Whether the clone is to have the remote's ledger without its history.

    ``ledgit.fetch`` says so (``full`` or ``tip``); with ``auto``, the default, it is so where the
    clone itself lacks history, other branches or files: it is shallow, of a single branch, or partial.

    Args:
        repo: The clone.
        remote: The remote concerned; ``origin`` by default.

    Raises:
        ConfigError: ``ledgit.fetch`` says something else.
    """
    config = repo.config()
    mode = (config.get("ledgit.fetch") or "auto").lower()
    if mode not in ("auto", "full", "tip"):
        raise ConfigError("ledgit.fetch", mode, _MODES)
    if mode != "auto":
        return mode == "tip"
    return repo.shallow or repo.partial or _single_branch(repo, remote.name if remote is not None else "origin")


def _single_branch(repo: Repo, name: str) -> bool:
    """Whether ``git fetch`` of the remote was told to take certain branches only."""
    sources = [spec.lstrip("+^").partition(":")[0] for spec in repo.config().get_all(f"remote.{name}.fetch")]
    return bool(sources) and not any(
        "*" in source and (source.startswith("refs/heads/") or "refs/heads/".startswith(source.rstrip("*")))
        for source in sources
    )


def tip_exists(repo: Repo) -> bool:
    """Whether there is a ``tip.git`` (one stat)."""
    from ledgit.git.helper import helper_objects

    return helper_objects(repo) is not None


def open_tip(repo: Repo, folder: Folder) -> Helper:
    """Return ``tip.git``, made if it isn't there, and made anew if it isn't what it was.

    Raises:
        StorageError: The disk refused.
    """
    from ledgit.git.helper import Helper

    helper = Helper(repo)
    if not helper.is_sound():
        if os.path.lexists(helper.git_dir):
            with TipLock(folder):
                if not helper.is_sound():
                    folder.discard(helper.git_dir)
        folder.make(folder.path)
        helper.make()
    return helper


def discard_tip(repo: Repo, folder: Folder) -> None:
    """Throw ``tip.git`` away. What was fetched on demand is fetched again when it is asked for."""
    if tip_exists(repo):
        from ledgit.git.helper import Helper

        with TipLock(folder):
            folder.discard(Helper(repo).git_dir)


def whole_ref(remote: Remote) -> str:
    """Return the ref of ``tip.git`` that has the remote's ledger with all of its history, if any."""
    return f"refs/ledgit/whole/{remote.name}"


def fetch_tip(
    helper: Helper,
    folder: Folder,
    remote: Remote,
    refspecs: Sequence[str],
    *,
    depth: int | None = 1,
    haves: Sequence[str] = (),
    prune: bool = False,
    prompt: bool = False,
    progress: Progress | None = None,
) -> bool:
    """Fetch *refspecs* into ``tip.git``, cut off after *depth* commits (None: not at all).

    A ``tip.git`` that lost objects (it is damaged, or what it shared with the clone was cleaned
    away there) is thrown away and the fetch repeated.

    Returns:
        False if a ref that is named whole is not on the remote.

    Raises:
        Unreachable, AccessDenied, RemoteError: The remote can't be used.
        StorageError: The disk refused.
    """
    from ledgit.git import fetch, read_ref

    with TipLock(folder):
        for attempt in range(2):
            helper.copy_shallow()
            _remove_left_lock(helper)
            whole = read_ref(helper, whole_ref(remote)) is not None
            try:
                return fetch(
                    helper,
                    remote.url,
                    refspecs,
                    depth=_INFINITE if depth is None else None if whole else depth,
                    haves=haves,
                    prune=prune,
                    prompt=prompt,
                    progress=progress,
                )
            except (Unreachable, AccessDenied):
                raise
            except RemoteError:
                if attempt or is_intact(helper):
                    raise
            folder.discard(helper.git_dir)
            helper.make()
            haves = ()
    raise AssertionError


def is_intact(helper: Helper) -> bool:
    """Whether all that the refs of ``tip.git`` reach is there, in it or in the clone."""
    from ledgit.git import try_git

    return helper.is_sound() and try_git(helper, "rev-list", "--objects", "--all", "--quiet")[0] == 0


def _remove_left_lock(helper: Helper) -> None:
    """Remove what a killed git left: we hold the :class:`TipLock`, so nobody works with it."""
    try:
        os.unlink(os.path.join(helper.git_dir, "shallow.lock"))
    except FileNotFoundError:
        pass


def tidy_tip(helper: Helper, folder: Folder, *, now: bool = False) -> None:
    """Repack ``tip.git`` when it has grown, or *now*; objects that its refs don't reach go.

    Never raises because of git: the next call does it.
    """
    from ledgit.git import run_git

    if not now and not _is_due(helper):
        return
    with TipLock(folder):
        try:
            # -l: what the clone has as well need not be here.
            run_git(helper, "repack", "-a", "-d", "-l", "-q", isolate=True)
            run_git(helper, "prune", "--expire=now", isolate=True)
        except GitFailed:
            return


def _is_due(helper: Helper) -> bool:
    packs = sum(name.endswith(".pack") for name in _names(os.path.join(helper.objects_dir, "pack")))
    return packs > _PACKS or len(_names(os.path.join(helper.objects_dir, "17"))) > _LOOSE


def _names(path: str) -> list[str]:
    try:
        return os.listdir(path)
    except FileNotFoundError:
        return []
