"""What a push of runs would bring to a remote that is not there yet: commits, and the files in them.

Found by one git process for all runs together, whatever their number, and without walking the
remote's ledger where the code is on one of its branches. A first push of 100,000 runs brings a
million files: nothing here has an object of its own for a file, or the text of a message.
"""

from __future__ import annotations

from array import array
from zlib import compress, decompress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

    from ledgit.git import Repo
    from ledgit.store.sync.remote import Remote

__all__ = ["NewCommit", "Outgoing", "find_outgoing", "new_objects", "sizes"]

_RUN = "Ledgit-Run: "
_RUN_FOLDER = b".ledgit/run/"
#: What every run commit changes, and no code commit has.
_MARK = b".ledgit/run/entry.json"
# Put beside a run's pointers by us; no change of the user's.
_OURS = (b".dvc/config", b".dvc/.gitignore")
_FILES = {b"100644", b"100755", b"120000"}
_AT_ONCE = 10_000  # files that git is asked about at once: its answer is kept until it is read
_TEXTS = 500  # messages that are kept as one piece
_ID = 20  # bytes

# One process instead of rev-list and diff-tree. `git log` has settings of the user's: none of them has a say.
_LOG = (
    *("-c", "log.showSignature=false", "-c", "log.mailmap=false", "-c", "diff.relative=false"),
    *("log", "--stdin", "--ignore-missing", "--format=%H %P%n%B", "--encoding=UTF-8", "--no-color", "--no-decorate"),
    *("--no-notes", "--no-ext-diff", "--no-textconv", "--no-renames", "--ignore-submodules=none", "-O/dev/null"),
    # -c: of a merge only what none of its parents has.
    *("-r", "-c", "--root", "--raw", "-z", "--no-abbrev"),
)
_NONE = b"0" * 40


class NewCommit:
    """A commit that is not on the remote.

    Attributes:
        oid: Its id.
        parents: All its parents, also those that are on the remote.
        subject: The first line of its message; of a run's commit, nothing.
        run: The run that it is a commit of, as its trailer says; None for code.
        code: It changes files outside the run's folder.
        other: The run that it is a commit of, if it is none of those that were asked about.
        first: Number of the first file that it adds or changes, see :meth:`Outgoing.numbers`.
        last: Number of the first that it doesn't.
    """

    __slots__ = ("code", "first", "last", "oid", "other", "parents", "run", "subject")

    def __init__(self, oid: str, parents: tuple[str, ...], run: str | None, first: int) -> None:
        self.oid, self.parents, self.run = oid, parents, run
        self.subject = ""
        self.code = False
        self.other: str | None = None
        self.first = self.last = first

    def __repr__(self) -> str:
        return f"NewCommit({self.oid!r}, run={self.run!r})"


class Outgoing:
    """The new commits below the heads of some runs, newest first, and what they bring.

    Attributes:
        commits: Id → commit.
    """

    def __init__(self) -> None:
        self.commits: dict[str, NewCommit] = {}
        self._blobs = bytearray()  # the id of each file that a commit adds, one after the other
        self._paths = array("I")  # where each is: a number in `_names`
        self._names: list[str] = []
        self._texts: list[bytes] = []  # messages in order, many in a piece

    def reach(self, heads: Iterable[str], *, within: Collection[str] | None = None) -> set[str]:
        """Return the new commits that *heads* reach; *within* some runs alone, the first of others included.

        Args:
            heads: Commits to begin with.
            within: Go on only below commits of these runs.
        """
        commits = self.commits
        seen: set[str] = set()
        todo = [head for head in heads if head in commits]
        while todo:
            oid = todo.pop()
            if oid in seen:
                continue
            seen.add(oid)
            commit = commits[oid]
            if within is None or commit.run in within:
                todo.extend(parent for parent in commit.parents if parent in commits)
        return seen

    def numbers(self, within: Collection[str]) -> Iterator[int]:
        """Yield the numbers of the files that the commits *within* have and their parents have not."""
        for oid, commit in self.commits.items():
            if oid in within:
                yield from range(commit.first, commit.last)

    def count(self, within: Collection[str]) -> int:
        """Return how many these are."""
        return sum(commit.last - commit.first for oid, commit in self.commits.items() if oid in within)

    def path(self, number: int) -> str:
        """Return where a file is, from the top of the repository."""
        return self._names[self._paths[number]]

    def blob(self, number: int) -> bytes:
        """Return the id of a file's content, as bytes."""
        return bytes(self._blobs[number * _ID : (number + 1) * _ID])

    def places(self, blobs: Collection[bytes], within: Collection[str]) -> dict[bytes, tuple[int, list[str]]]:
        """Return where the commits *within* add *blobs*: id as bytes → (its first number, the commits in order)."""
        found: dict[bytes, tuple[int, list[str]]] = {}
        for oid, commit in self.commits.items() if blobs else ():
            for number in range(commit.first, commit.last) if oid in within else ():
                blob = self.blob(number)
                if blob in blobs:
                    found.setdefault(blob, (number, []))[1].append(oid)
        return found

    def messages(self) -> Iterator[tuple[str, str]]:
        """Yield (commit, its message)."""
        texts = (text for piece in self._texts for text in decompress(piece).decode("utf-8").split("\0"))
        yield from zip(self.commits, texts, strict=True)


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
    if branches:
        # Mostly the code is on a branch and each run one commit. Then the ledger, whose history is long,
        # need not be looked at.
        walk = _Walk(heads, runs, only_heads=True)
        if walk.go(where, branches):
            return walk.outgoing
    ledger = set(list_refs(where, remote.tracking.rpartition("/")[0] + "/").values())
    if where is not repo:
        ledger.update(list_refs(where, "refs/ledgit/fetched/").values())
    walk = _Walk(heads, runs)
    walk.go(where, branches | ledger)
    return walk.outgoing


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


class _Enough(Exception):
    """There are commits that are no heads."""


class _Walk:
    """Makes an :class:`Outgoing` of what git says, as it says it."""

    def __init__(self, heads: Sequence[str], runs: Collection[str], *, only_heads: bool = False) -> None:
        self.outgoing = Outgoing()
        self._heads = {head: head for head in heads}  # these strings stay the only ones
        self._runs = {run: run for run in runs}
        self._only_heads = only_heads
        self._numbers: dict[bytes, int] = {}  # of paths
        self._parents: dict[bytes, tuple[str, ...]] = {}  # most stand on the same few
        self._texts: list[str] = []
        self._rest = b""  # of an answer: an item that is not whole yet
        self._entry: bytes | None = None  # what was said of the file whose path comes next
        self._commit: NewCommit | None = None

    def go(self, repo: Repo, known: Collection[str]) -> bool:
        """Walk from the heads to *known* commits; return False if there are others than heads, where only they may be.

        What each commit adds is its own difference, so that what was deleted later counts.
        """
        if not self._heads:
            return True
        asked = "\n".join([*sorted(self._heads), *(f"^{oid}" for oid in sorted(known)), ""])
        try:
            _ask(repo, _LOG, asked, self._take)
        except _Enough:
            return False
        if self._commit is not None:
            self._end(self._commit)
        self._keep_texts()
        return True

    def _take(self, chunk: bytes) -> None:
        *items, self._rest = (self._rest + chunk).split(b"\0")
        commit, entry = self._commit, self._entry
        for item in items:
            if entry is not None:
                assert commit is not None
                self._add(commit, entry, item)
                entry = None
                continue
            text = item.lstrip(b"\n")
            if text[:1] == b":":
                entry = text
            elif text:
                if commit is not None:
                    self._end(commit)
                commit = self._begin(text)
        self._commit, self._entry = commit, entry

    def _begin(self, text: bytes) -> NewCommit:
        """Take notice of a commit: ``<id> <parents>``, then its message."""
        head, _, body = text.partition(b"\n")
        first, _, above = head.partition(b" ")
        oid = first.decode("ascii")
        if oid in self._heads:
            oid = self._heads[oid]
        elif self._only_heads:
            raise _Enough
        parents = self._parents.get(above)
        if parents is None:
            parents = self._parents[above] = tuple(above.decode("ascii").split())
        message = body.decode("utf-8", "replace").strip("\n")
        at = f"\n{message}".rfind(f"\n{_RUN}")
        run = None if at < 0 else message[at + len(_RUN) :].partition("\n")[0].strip()
        found = NewCommit(oid, parents, run and self._runs.get(run, run), len(self.outgoing._paths))
        found.subject = message.partition("\n")[0].strip()
        self.outgoing.commits[oid] = found
        self._texts.append(message)
        if len(self._texts) == _TEXTS:
            self._keep_texts()
        return found

    def _add(self, commit: NewCommit, entry: bytes, path: bytes) -> None:
        """Take notice of one file: ``:<modes> <ids> <letters>``, with a colon and a mode and an id for each parent."""
        if not path.startswith(_RUN_FOLDER):
            commit.code = commit.code or path not in _OURS
        elif path == _MARK:
            commit.other = ""  # it is a run's
        if entry[1:2] != b":":
            mode, blob = entry[8:14], entry[56:96]
        else:
            sides = len(entry) - len(entry.lstrip(b":"))
            words = entry[sides:].split(b" ")
            mode, blob = words[sides], words[2 * sides + 1]
        if mode not in _FILES or blob == _NONE:
            return
        number = self._numbers.get(path)
        if number is None:
            number = self._numbers[path] = len(self.outgoing._names)
            self.outgoing._names.append(path.decode("utf-8", "surrogateescape"))
        self.outgoing._blobs += bytes.fromhex(blob.decode("ascii"))
        self.outgoing._paths.append(number)

    def _end(self, commit: NewCommit) -> None:
        commit.last = len(self.outgoing._paths)
        marked = commit.other is not None
        commit.other = None
        if marked and commit.run in self._runs:
            commit.subject = ""
            return
        commit.other = commit.run if marked else None
        commit.run = None  # a code commit that was made from a run names it too
        commit.code = True

    def _keep_texts(self) -> None:
        if self._texts:
            self.outgoing._texts.append(compress("\0".join(self._texts).encode("utf-8", "replace"), 1))
            self._texts = []


def _ask(repo: Repo, args: Sequence[str], asked: str, take: Callable[[bytes], object]) -> None:
    """Hand to *take* what a git command says to what is *asked*, piece by piece; it is ended if *take* raises.

    Raises:
        GitFailed: It failed.
    """
    from ledgit.errors import GitFailed
    from ledgit.git import LEAN, spawn_git

    errors: list[bytes] = []
    with spawn_git(repo, *LEAN, *args, feed=True) as process:
        try:
            code = process.listen(take, errors.append, asked.encode("ascii"))
        except BaseException:
            process.kill()
            raise
    if code != 0:
        raise GitFailed(args, code, b"".join(errors).decode("utf-8", "replace"))


def sizes(repo: Repo, blobs: Sequence[str]) -> Iterator[int | None]:
    """Yield the size of each of *blobs*; None: it is not here (a partial clone's: it is on a remote)."""
    from ledgit.git import LEAN, run_git

    args = ("cat-file", "--batch-check=%(objectname) %(objecttype) %(objectsize)", "--buffer")
    for begin in range(0, len(blobs), _AT_ONCE):
        asked = "\n".join([*blobs[begin : begin + _AT_ONCE], ""]).encode("ascii")
        for line in run_git(repo, *LEAN, *args, stdin=asked).decode("ascii", "replace").splitlines():
            words = line.split(" ")
            yield int(words[2]) if len(words) == 3 and words[1] == "blob" else None


def new_objects(repo: Repo, outgoing: Outgoing, among: Collection[str]) -> set[str]:
    """Return those *among* some objects that the new commits have and the newest commits below them have not.

    It is what a push would send: a file that was only moved is not among it. Asked for only when
    something was found, because it reads whole trees.
    """
    edge = {parent for commit in outgoing.commits.values() for parent in commit.parents} - outgoing.commits.keys()
    asked = "\n".join([*outgoing.commits, *(f"^{oid}" for oid in sorted(edge)), ""])
    args = ("rev-list", "--ignore-missing", "--objects", "--no-object-names", "--missing=allow-any", "--stdin")
    found: set[str] = set()
    rest = b""

    def take(chunk: bytes) -> None:
        nonlocal rest
        *lines, rest = (rest + chunk).split(b"\n")
        found.update(oid for line in lines if (oid := line.decode("ascii")) in among)

    _ask(repo, args, asked, take)
    return found
