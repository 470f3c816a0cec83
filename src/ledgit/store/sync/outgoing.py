"""What a push of runs would bring to a remote that is not there yet: commits, and the files in them.

Found by two git processes for all runs together, whatever their number, and without walking the
remote's ledger where the code is on one of its branches.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from sys import intern
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from ledgit.git import Repo
    from ledgit.store.sync.remote import Remote

__all__ = ["Change", "NewCommit", "Outgoing", "find_outgoing", "new_objects", "sizes"]

_RUN = "Ledgit-Run: "
_RUN_FOLDER = ".ledgit/run/"
#: What every run commit changes, and no code commit has.
_MARK = ".ledgit/run/entry.json"
# Put beside a run's pointers by us; no change of the user's.
_OURS = ".dvc/config"
_FILES = {"100644", "100755", "120000"}
_AT_ONCE = 10_000  # commits or files that git is asked about at once: its answer is kept until it is read


@dataclass(frozen=True, slots=True)
class Change:
    """A file that a commit has and its parents have not.

    Attributes:
        path: Where, from the top of the repository.
        blob: Its content's id.
    """

    path: str
    blob: str


@dataclass(slots=True)
class NewCommit:
    """A commit that is not on the remote.

    Attributes:
        oid: Its id.
        parents: All its parents, also those that are on the remote.
        message: Its message.
        run: The run that it is a commit of, as its trailer says; None for code.
        changes: Files it adds or changes.
        code: It changes files outside the run's folder.
        other: The run that it is a commit of, if it is none of those that were asked about.
    """

    oid: str
    parents: tuple[str, ...]
    message: str
    run: str | None = None
    changes: list[Change] = field(default_factory=list)
    code: bool = False
    other: str | None = None

    @property
    def subject(self) -> str:
        """The first line of the message."""
        return self.message.partition("\n")[0].strip()


class Outgoing:
    """The new commits below the heads of some runs, newest first."""

    def __init__(self, commits: Iterable[NewCommit] = ()) -> None:
        self.commits = {commit.oid: commit for commit in commits}

    def reach(self, heads: Iterable[str], *, within: Collection[str] | None = None) -> set[str]:
        """Return the new commits that *heads* reach; *within* some runs alone, the first of others included.

        Args:
            heads: Commits to begin with.
            within: Go on only below commits of these runs.
        """
        seen: set[str] = set()
        todo = [head for head in heads if head in self.commits]
        while todo:
            oid = todo.pop()
            if oid in seen:
                continue
            seen.add(oid)
            commit = self.commits[oid]
            if within is None or commit.run in within:
                todo.extend(parent for parent in commit.parents if parent in self.commits)
        return seen


def find_outgoing(
    repo: Repo,
    where: Repo,
    remote: Remote,
    heads: Sequence[str],
    runs: Collection[str],
    elsewhere: Mapping[str, str] | None = None,
) -> Outgoing:
    """Return the commits below *heads* that *remote* is not known to have.

    It has what its branches reach, as last seen; the ledger and the inboxes, as last seen; and
    where it is the only remote, what other refs brought here (pull requests, pipelines) and what
    a shallow clone begins with: those came from somewhere.

    Args:
        repo: The user's repository, for the remote's branches.
        where: The repository with the remote's ledger: *repo* or ``tip.git``.
        remote: The remote.
        heads: Heads of runs.
        runs: Ids of the runs; commits of others count as code.
        elsewhere: Branches that were seen under the remote's name at an earlier address: name → commit. None: it
            always had this one.
    """
    from ledgit.git import list_refs

    branches = _public(repo, remote, elsewhere)
    found: list[NewCommit] | None = None
    wanted = set(heads)
    if branches:
        # Mostly the code is on a branch and each run one commit. Then the ledger, whose history is long,
        # need not be looked at.
        found = list(_walk(where, wanted, branches, most=len(wanted) + 1))
        if len(found) > len(wanted) or any(commit.oid not in wanted for commit in found):
            found = None
    if found is None:
        ledger = set(list_refs(where, remote.tracking.rpartition("/")[0] + "/").values())
        if where is not repo:
            ledger.update(list_refs(where, "refs/ledgit/fetched/").values())
        found = list(_walk(where, wanted, branches | ledger))
    outgoing = Outgoing(found)
    _add_changes(where, outgoing)
    for commit in found:
        marked = any(change.path == _MARK for change in commit.changes)
        if commit.run not in runs or not marked:
            commit.other = commit.run if marked else None
            commit.run = None  # a code commit that was made from a run names it too
            commit.code = True
    return outgoing


def _public(repo: Repo, remote: Remote, elsewhere: Mapping[str, str] | None) -> set[str]:
    """Return the commits that are known to be on the remote, apart from its ledger."""
    from ledgit.git import list_refs

    old = elsewhere or {}
    refs = {ref: oid for ref, oid in list_refs(repo, "refs/remotes/").items() if old.get(ref) != oid}
    names = _names(repo)
    mine = {remote.label or remote.name} | {name for name in names if _url(repo, name) == remote.url.url}
    # Of a remote 'origin/old' they stand among those of 'origin'.
    others = tuple(f"refs/remotes/{name}/" for name in names if "/" in name and name not in mine)
    found = {
        oid
        for ref, oid in refs.items()
        if any(ref.startswith(f"refs/remotes/{name}/") for name in mine) and not ref.startswith(others)
    }
    if len(names) == 1 and names[0] in mine and elsewhere is None:
        found.update(refs.values())
        for prefix in ("refs/pull/", "refs/pipelines/", "refs/merge-requests/", "refs/pull-requests/", "refs/changes/"):
            found.update(list_refs(repo, prefix).values())
        found.update(_shallow(repo))
    return found


def _names(repo: Repo) -> list[str]:
    ends = ((key.removeprefix("remote.").rpartition(".")) for key, _ in repo.config().items("remote."))
    return list(dict.fromkeys(name for name, dot, last in ends if dot and last in ("url", "pushurl")))


def _url(repo: Repo, name: str) -> str | None:
    return repo.config().get(f"remote.{name}.url")


def _shallow(repo: Repo) -> list[str]:
    import os

    try:
        with open(os.path.join(repo.common_dir, "shallow"), encoding="ascii") as file:
            return file.read().split()
    except (OSError, ValueError):
        return []


def _walk(repo: Repo, heads: Collection[str], known: Collection[str], most: int | None = None) -> Iterator[NewCommit]:
    from ledgit.git import LEAN, run_git

    if not heads:
        return
    limit = [] if most is None else [f"--max-count={most}"]
    asked = "\n".join([*sorted(heads), *(f"^{oid}" for oid in sorted(known)), ""]).encode("ascii")
    # The order of these options matters to older Git.
    args = ("rev-list", *limit, "--ignore-missing", "--header", "--parents", "--stdin")
    out = run_git(repo, *LEAN, *args, stdin=asked)
    end = -1
    while end < len(out):  # not split at once: of 100,000 runs it is 100 MB
        begin, end = end + 1, out.find(b"\0", end + 1)
        end = len(out) if end < 0 else end
        raw = out[begin:end].lstrip(b"\n")
        if not raw:
            continue
        head, _, body = raw.partition(b"\n\n")
        oid, *parents = map(intern, head.partition(b"\n")[0].decode("ascii").split())  # most stand on the same few
        lines = [line.removeprefix("    ") for line in body.decode("utf-8", "replace").split("\n")]
        run = next((line.removeprefix(_RUN).strip() for line in reversed(lines) if line.startswith(_RUN)), None)
        yield NewCommit(oid, tuple(parents), "\n".join(lines).strip("\n"), run)


def _add_changes(repo: Repo, outgoing: Outgoing) -> None:
    """Fill in what each commit adds: by its own difference, so that what was deleted later counts."""
    commits = list(outgoing.commits)
    for begin in range(0, len(commits), _AT_ONCE):
        _add_some(repo, outgoing, commits[begin : begin + _AT_ONCE])


def _add_some(repo: Repo, outgoing: Outgoing, commits: Sequence[str]) -> None:
    from ledgit.git import LEAN, run_git

    asked = "\n".join([*commits, ""]).encode("ascii")
    # -c: of a merge only what none of its parents has.
    args = ("diff-tree", "--stdin", "-r", "-c", "--root", "--raw", "-z", "--no-renames")
    out = run_git(repo, *LEAN, *args, stdin=asked)
    items = iter(out.split(b"\0"))
    commit: NewCommit | None = None
    for item in items:
        if not item.startswith(b":"):
            commit = outgoing.commits.get(item.decode("ascii", "replace"), commit) if item else commit
            continue
        path = intern(next(items, b"").decode("utf-8", "surrogateescape"))
        sides = len(item) - len(item.lstrip(b":"))
        words = item[sides:].decode("ascii").split(" ")
        mode, blob = words[sides], words[2 * sides + 1]
        if commit is None:
            continue
        if not path.startswith(_RUN_FOLDER) and path != _OURS:
            commit.code = True
        if mode in _FILES and blob.strip("0"):
            commit.changes.append(Change(path, blob))


def sizes(repo: Repo, blobs: Iterable[str]) -> dict[str, int]:
    """Return the sizes of *blobs*; what is not here (a partial clone's: it is on a remote) is left out."""
    from ledgit.git import LEAN, run_git

    args = ("cat-file", "--batch-check=%(objectname) %(objecttype) %(objectsize)", "--buffer")
    found, wanted = {}, [blob for blob in blobs if blob]
    for begin in range(0, len(wanted), _AT_ONCE):
        some = wanted[begin : begin + _AT_ONCE]
        out = run_git(repo, *LEAN, *args, stdin="\n".join([*some, ""]).encode("ascii"))
        # A line for each, in their order; their own strings stay the only ones.
        for blob, line in zip(some, out.decode("ascii", "replace").splitlines(), strict=True):
            words = line.split(" ")
            if len(words) == 3 and words[1] == "blob":
                found[blob] = int(words[2])
    return found


def new_objects(repo: Repo, outgoing: Outgoing) -> set[str]:
    """Return all objects that the new commits have and the newest commits below them have not.

    It is what a push would send: a file that was only moved is not among it. Asked for only when
    something was found, because it reads whole trees.
    """
    from ledgit.git import run_git

    edge = {parent for commit in outgoing.commits.values() for parent in commit.parents} - outgoing.commits.keys()
    asked = "\n".join([*outgoing.commits, *(f"^{oid}" for oid in sorted(edge)), ""]).encode("ascii")
    args = ("rev-list", "--ignore-missing", "--objects", "--no-object-names", "--missing=allow-any", "--stdin")
    return set(run_git(repo, *args, stdin=asked).decode("ascii").split())
