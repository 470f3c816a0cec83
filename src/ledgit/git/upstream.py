"""A branch of the code's own remote that this clone lacks, as a clone of one branch lacks all others."""

from __future__ import annotations

from ledgit.git.refs import read_ref
from ledgit.git.transport import address, fetch
from ledgit.git.transport_errors import remote_failure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ledgit.git.repo import Repo
    from ledgit.git.transport import Address, Progress

__all__ = ["default_branch", "fetch_branch"]

_HEADS = "refs/heads/"


def default_branch(repo: Repo, remote: str = "origin") -> str:
    """Return the short name of the branch that *remote* checks out; "" where it has none.

    Raises:
        NoRemote: There is no such remote.
        Unreachable, AccessDenied, RemoteError: It can't be asked.
    """
    there = address(repo, remote)
    out = _ask(repo, there, "HEAD")
    for line in out.splitlines():
        if line.startswith(f"ref: {_HEADS}") and line.endswith("\tHEAD"):
            return line.removeprefix(f"ref: {_HEADS}").removesuffix("\tHEAD")
    return ""


def fetch_branch(repo: Repo, branch: str, remote: str = "origin", *, progress: Progress | None = None) -> str | None:
    """Fetch *branch*, as ``git fetch`` does into its remote-tracking branch, and return that one's full name.

    A shallow clone that lacks its newest commit gets that one alone.

    Returns:
        None where the remote has no such branch.

    Raises:
        NoRemote: There is no such remote.
        Unreachable, AccessDenied, RemoteError: It can't be had.
    """
    name = f"refs/remotes/{remote}/{branch}"
    there = address(repo, remote)
    # A depth would cut the history that a commit already has here.
    depth = 1 if repo.shallow and not _is_here(repo, there, branch) else None
    fetch(repo, there, [f"{_HEADS}{branch}:{name}"], depth=depth, progress=progress)
    return name if read_ref(repo, name) is not None else None


def _is_here(repo: Repo, there: Address, branch: str) -> bool:
    from ledgit.git.objects import Objects

    tip = _ask(repo, there, f"{_HEADS}{branch}").partition("\t")[0].strip()
    return bool(tip) and Objects.of(repo).exists(tip)


def _ask(repo: Repo, there: Address, name: str) -> str:
    from ledgit.git.command import try_git

    options = (f"--upload-pack={there.programs[0]}",) if there.programs[0] else ()
    words = (*there.settings(), "ls-remote", "--symref", *options, "--", there.url, name)
    code, out, err = try_git(repo, *words, cwd=there.cwd)
    if code != 0:
        raise remote_failure(there.shown, "ls-remote", err)
    return out.decode("utf-8", "surrogateescape")
