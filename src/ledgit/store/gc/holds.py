"""What keeps a run's commits alive besides its own refs: branches, tags, checkouts, other runs.

One walk over history, parents first, carries the name of every run asked about to whatever stands
on its commits. That costs about a second with 100,000 runs, however many are asked about.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from ledgit.git import Repo

__all__ = [
    "BRANCH",
    "CHECKOUT",
    "REF",
    "REGISTRY",
    "RUN",
    "TAG",
    "Ref",
    "Tie",
    "foreign_refs",
    "is_registry",
    "stand_on",
]

BRANCH = "branch"
TAG = "tag"
REGISTRY = "registry tag"
CHECKOUT = "checkout"  # a work tree on a commit, on no branch
RUN = "run"
REF = "ref"


class Tie(NamedTuple):
    """One thing that holds a run's commits.

    Attributes:
        kind: ``branch``, ``tag``, ``registry tag``, ``checkout``, ``run`` or ``ref``.
        name: The branch, tag, path, run's id, or full name of the ref.
        ref: Full name of the ref, if it is one.
    """

    kind: str
    name: str
    ref: str = ""


class Ref(NamedTuple):
    """A ref, or a work tree's HEAD, and the commit it leads to."""

    tie: Tie
    commit: str


def is_registry(tag: str) -> bool:
    """Whether a tag has the form of a registry's: ``name@v1.2.0``, ``name#stage``, ``name#stage#3``, with ``!``."""
    name, at, version = tag.rstrip("!").rpartition("@")
    if at and name and version[:1] == "v" and version[1:2].isdigit():
        return True
    name, mark, stage = tag.rstrip("!").partition("#")
    return bool(mark and name and stage)


def foreign_refs(repo: Repo) -> list[Ref]:
    """Return all refs that lead to commits, but for those with which Ledgit keeps runs; and detached HEADs."""
    from ledgit.git import run_git

    ledger = repo.config().get("ledgit.ledgerRef") or ""
    branch = ledger.removeprefix("refs/heads/") if ledger.startswith("refs/heads/") else None
    form = "%(refname)%09%(objecttype)%09%(objectname)%09%(*objecttype)%09%(*objectname)"
    found = []
    for line in run_git(repo, "for-each-ref", f"--format={form}").decode("utf-8", "surrogateescape").splitlines():
        name, kind, oid, inner_kind, inner = line.split("\t")
        if _is_ours(name) or (branch is not None and _is_ledger_branch(name, branch)):
            continue
        if kind == "tag" and inner_kind != "tag":
            kind, oid = inner_kind, inner
        elif kind == "tag":  # a tag of a tag
            said = run_git(repo, "rev-parse", "--verify", "--quiet", f"{name}^{{commit}}", check=False)
            kind, oid = "commit" if said.strip() else "", said.decode("ascii").strip()
        if kind == "commit":
            found.append(Ref(_tie(name), oid))
    return [*found, *_stashed(repo), *_of_work_trees(repo), *_checkouts(repo)]


def _is_ours(name: str) -> bool:
    return name.startswith("refs/ledgit/") and not name.startswith(("refs/ledgit/registry/", "refs/ledgit/versions/"))


def _is_ledger_branch(name: str, branch: str) -> bool:
    """Whether it is the branch that carries the ledger, or an inbox of it, as some fetch of the user's left it."""
    kind, _, rest = name.removeprefix("refs/").partition("/")
    if kind == "remotes":
        rest = rest.partition("/")[2]
    return kind in ("heads", "remotes") and (rest == branch or rest.startswith(f"{branch}-inbox/"))


def _tie(name: str) -> Tie:
    for prefix, kind in (("refs/heads/", BRANCH), ("refs/remotes/", BRANCH)):
        if name.startswith(prefix):
            return Tie(kind, name.removeprefix(prefix), name)
    if name.startswith("refs/tags/"):
        tag = name.removeprefix("refs/tags/")
        return Tie(REGISTRY if is_registry(tag) else TAG, tag, name)
    if name.startswith(("refs/ledgit/registry/", "refs/ledgit/versions/")):
        return Tie(REGISTRY, name.removeprefix("refs/ledgit/"), name)
    return Tie(REF, name, name)


def _stashed(repo: Repo) -> list[Ref]:
    """Return the older stashes: the ref has the newest one, a reflog that never expires the others."""
    from ledgit.git import try_git

    code, out, _ = try_git(repo, "rev-list", "--walk-reflogs", "refs/stash", "--")
    commits = out.decode("ascii").split() if code == 0 else []
    return [Ref(Tie(REF, f"stash@{{{at}}}"), commit) for at, commit in enumerate(commits) if at]


def _of_work_trees(repo: Repo) -> list[Ref]:
    """Return the refs that each work tree has of its own, as of a bisection; Git lists those of this one alone."""
    from ledgit.git import list_refs

    found = {name: oid for name, oid in list_refs(repo, "worktrees/").items() if "/refs/" in name}
    for kind in ("bisect", "rewritten", "worktree"):
        found |= list_refs(repo, f"refs/{kind}/")
    return [Ref(Tie(REF, name, name), oid) for name, oid in found.items()]


def _checkouts(repo: Repo) -> list[Ref]:
    from ledgit.git import try_git

    code, out, _ = try_git(repo, "worktree", "list", "--porcelain")
    found = []
    path = head = ""
    for line in out.decode("utf-8", "surrogateescape").splitlines() if code == 0 else ():
        word, _, rest = line.partition(" ")
        if word == "worktree":
            path = rest
        elif word == "HEAD":
            head = rest
        elif word == "detached":
            found.append(Ref(Tie(CHECKOUT, path), head))
    return found


def stand_on(repo: Repo, seeds: Mapping[str, str], tips: Iterable[str]) -> dict[str, frozenset[str]]:
    """Return which of *tips* are, or stand on, a commit in *seeds* (commit → label): tip → labels.

    Commits that are not here are passed over.
    """
    from ledgit.git import start_git

    wanted = set(tips)
    if not wanted or not seeds:
        return {}
    own = {commit: frozenset((label,)) for commit, label in seeds.items()}
    marked: dict[str, frozenset[str]] = {}
    command = ("rev-list", "--topo-order", "--reverse", "--parents", "--ignore-missing", "--stdin")
    with start_git(repo, *command) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write("".join(f"{tip}\n" for tip in sorted(wanted)).encode("ascii"))
        process.stdin.close()
        for line in process.stdout:
            commit, *parents = line.decode("ascii").split()
            labels = own.get(commit)
            for parent in parents:
                below = marked.get(parent)
                if below is not None:
                    labels = below if labels is None or labels <= below else labels | below
            if labels is not None:
                marked[commit] = labels
        assert process.stderr is not None
        said = process.stderr.read()
    if process.returncode:
        from ledgit.errors import GitFailed

        raise GitFailed(command[:1], process.returncode, said.decode("utf-8", "replace"))
    return {tip: marked[tip] for tip in wanted if tip in marked}


def _registered(repo: Repo, refs: Iterable[Ref]) -> Iterator[tuple[Ref, str]]:
    """Yield each ref of the registry with the run that its commit says it is of."""
    own = [ref for ref in refs if ref.tie.kind == REGISTRY]
    if not own:
        return
    from ledgit.store.registry.commits import runs_of

    said = runs_of(repo, (ref.commit for ref in own))
    for ref in own:
        if ref.commit in said:
            yield ref, said[ref.commit]


def find_ties(
    repo: Repo, going: Collection[str], heads: Mapping[str, Collection[str]], commits: Mapping[str, str | None]
) -> dict[str, list[Tie]]:
    """Return what holds each run of *going* besides its own refs; those that nothing holds are left out.

    Args:
        repo: The repository.
        going: Ids of the runs that are to go.
        heads: Run id → heads, of all runs.
        commits: Run id → the commit that finalizing made, as far as known.
    """
    seeds = {oid: run_id for run_id in going for oid in (*heads.get(run_id, ()), commits.get(run_id)) if oid}
    refs = foreign_refs(repo)
    others = {head: run_id for run_id, own in heads.items() if run_id not in going for head in own}
    found = stand_on(repo, seeds, [*(ref.commit for ref in refs), *others])
    ties: dict[str, dict[Tie, None]] = {}
    for ref in refs:
        for run_id in found.get(ref.commit, ()):
            ties.setdefault(run_id, {})[ref.tie] = None
    for ref, run_id in _registered(repo, refs):
        if run_id in going:  # also from a checkpoint, which is no commit of the run's own
            ties.setdefault(run_id, {})[ref.tie] = None
    for head, other in others.items():
        for run_id in found.get(head, ()):
            ties.setdefault(run_id, {})[Tie(RUN, other)] = None
    return {run_id: list(held) for run_id, held in ties.items()}
