"""Which code is reviewed against which: ``BASE...HEAD``, a branch, or a pull request's merge commit."""

from __future__ import annotations

from dataclasses import dataclass

from ledgit.errors import RevisionNotFound, UsageError
from ledgit.git import base_ref, merge_base, try_git

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ledgit.repository import Repository
    from ledgit.review.settings import ReviewSettings

__all__ = ["PullRequest", "Range", "parents_of", "parse_range"]


class BaseNotHere(RevisionNotFound):
    """The base is not in this clone; *how* says what gets it."""

    def __init__(self, ref: str, how: str) -> None:
        Exception.__init__(self, ref, how)
        self.ref, self.near, self.how = ref, (), how

    def __str__(self) -> str:
        return f"no revision matches {self.ref!r}; if it is a branch that this clone of another one lacks, {self.how}"


@dataclass(frozen=True, slots=True)
class PullRequest:
    """What CI says of the pull request it runs for.

    Attributes:
        number: Its number on the host; 0 where it has none.
        head: The commit under review; "" where it is not said.
        base: The tip of the branch it goes into; "" likewise.
        base_ref: That branch's name.
        head_ref: The name of its own branch.
        fork: It comes from another repository, whose token may only read.
        address: Of its page, for people.
    """

    number: int = 0
    head: str = ""
    base: str = ""
    base_ref: str = ""
    head_ref: str = ""
    fork: bool = False
    address: str = ""


@dataclass(frozen=True, slots=True)
class Range:
    """What is under review.

    Attributes:
        head_rev: How the head was named.
        head: Its commit.
        base_rev: How the base was named; "" where there is none.
        base: The commit to look for a baseline from: where the two histories part, or the base itself with ``A..B``;
            None where they have nothing in common, or the head is the first commit.
        why: Why it is that commit, for people.
        merged: The checkout was a pull request's synthetic merge commit, and the head is what it merged.
    """

    head_rev: str
    head: str
    base_rev: str
    base: str | None
    why: str
    merged: bool = False

    @property
    def commits(self) -> str:
        """The range for Git: what the head has and the base hasn't."""
        return self.head if self.base is None else f"{self.base}..{self.head}"


def parse_range(
    repository: Repository,
    text: str,
    settings: ReviewSettings,
    pull_request: PullRequest | None = None,
    *,
    fetch: bool = False,
) -> Range:
    """Return the range that *text* names.

    Args:
        repository: Where.
        text: ``BASE...HEAD``: since they parted. ``BASE..HEAD``: against BASE as it is. ``HEAD`` alone, or "" for what
            is checked out: against the branch it goes into. BASE or HEAD may be left out beside the dots.
        settings: ``review: base:`` says which branch that is, if a pull request does not.
        pull_request: What CI says.
        fetch: A base that this clone lacks, as one of a single branch does, is fetched from ``origin``: the branch that
            was meant, else the one that the remote checks out.

    Raises:
        RevisionNotFound: There is no such revision.
        UsageError: *text* is no range, or nothing says what HEAD goes into.
        Unreachable, AccessDenied, RemoteError: The base can't be fetched.
    """
    base_rev, dots, head_rev = _split(text)
    head_rev = head_rev or "HEAD"
    head = _commit(repository, head_rev)
    merged = False
    if pull_request is not None and pull_request.head and pull_request.head != head:
        parents = parents_of(repository, head)
        if len(parents) == 2 and parents[1] == pull_request.head:
            head, merged = parents[1], True
    if not base_rev:
        base_rev = _base_of(repository, settings, pull_request)
    if not base_rev or not _known(repository, base_rev):
        base_rev = _fetched(repository, base_rev) if fetch and _has_origin(repository) else base_rev
    if not base_rev:
        raise UsageError(_unknown_base(repository))
    if not _known(repository, base_rev) and _has_origin(repository) and not base_rev.startswith("-"):
        raise BaseNotHere(base_rev, _how(base_rev))
    other = _commit(repository, base_rev)
    if dots == "..":
        return Range(head_rev, head, base_rev, other, f"{base_rev}, as named", merged)
    parted = merge_base(repository.repo, other, head)
    if parted == head:
        # The head is on the branch itself: what its last commit changed.
        parents = parents_of(repository, head)
        if not parents:
            return Range(head_rev, head, base_rev, None, f"{head_rev} is the first commit", merged)
        return Range(head_rev, head, base_rev, parents[0], f"the commit before it on {base_rev}", merged)
    if parted is None:
        reason = f"{base_rev} and {head_rev} have no commit in common"
        if repository.repo.shallow:
            reason += " in this shallow clone"
        return Range(head_rev, head, base_rev, other, f"{base_rev}: {reason}", merged)
    return Range(head_rev, head, base_rev, parted, f"where {head_rev} left {base_rev}", merged)


def _split(text: str) -> tuple[str, str, str]:
    text = text.strip()
    if text.startswith("-"):
        raise UsageError(f"{text!r} is no range of commits; write BASE...HEAD")
    for dots in ("...", ".."):
        base, found, head = text.partition(dots)
        if found:
            return base or "HEAD", dots, head
    return "", "...", text


def _base_of(repository: Repository, settings: ReviewSettings, pull_request: PullRequest | None) -> str:
    if pull_request is not None and pull_request.base and _known(repository, pull_request.base):
        return pull_request.base
    named = (pull_request.base_ref if pull_request is not None else "") or settings.base
    if named:
        for rev in (f"refs/remotes/origin/{named}", f"refs/heads/{named}", named):
            if _known(repository, rev):
                return rev.removeprefix("refs/heads/").removeprefix("refs/remotes/")
        return named
    found = base_ref(repository.repo)
    return "" if found is None else found[0].removeprefix("refs/heads/").removeprefix("refs/remotes/")


def _fetched(repository: Repository, named: str) -> str:
    """Fetch the branch *named*, or where nothing names one the remote's own, and return how it is called here."""
    from ledgit.git import default_branch, fetch_branch

    branch = named.removeprefix("origin/") or default_branch(repository.repo)
    found = fetch_branch(repository.repo, branch) if branch and "@" not in branch and ":" not in branch else None
    return named if found is None else found.removeprefix("refs/remotes/")


def _has_origin(repository: Repository) -> bool:
    return repository.repo.config().get("remote.origin.url") is not None


def _how(branch: str) -> str:
    name = branch.removeprefix("origin/")
    return f"--pull gets it, or 'git fetch origin {name}:refs/remotes/origin/{name}'"


def _unknown_base(repository: Repository) -> str:
    if _has_origin(repository):
        return f"this clone has no other branch than its own, so nothing says which one it goes into: {_how('main')}"
    return "nothing says which branch this goes into: name it, as in main...HEAD, or set 'review: {base: main}'"


def _known(repository: Repository, rev: str) -> bool:
    code, _, _ = try_git(repository.repo, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{rev}^{{commit}}")
    return code == 0


def _commit(repository: Repository, rev: str) -> str:
    code, out, _ = try_git(repository.repo, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{rev}^{{commit}}")
    if code != 0:
        raise RevisionNotFound(rev)
    return out.decode("ascii").strip()


def parents_of(repository: Repository, commit: str) -> list[str]:
    """Return the parents of *commit* that are in this clone, the first first."""
    code, out, _ = try_git(repository.repo, "rev-list", "--parents", "--max-count=1", "--end-of-options", commit)
    return out.decode("ascii").split()[1:] if code == 0 else []
