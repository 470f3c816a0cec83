"""Every byte of runs, hashed again: what is in Git, in this clone's cache, and on the artifact remote.

Git's objects are hashed here, not by git, which trusts what it has unpacked. Nothing is believed
because of a size or a time. What is damaged is named with the runs that need it, and with every
place where a good copy was found.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ledgit.errors import ArtifactNotFound, LedgitError
from ledgit.store.artifacts.gitreading import Wrong, artifacts_in_trees, check_commits
from ledgit.store.artifacts.naming import Need, Unread, is_list, objects_of
from ledgit.store.artifacts.setting import place_of

if TYPE_CHECKING:
    from ledgit.artifacts import Cache, ObjectRemote, Place
    from ledgit.git import Repo
    from ledgit.store.folder import Folder

    Progress = Callable[[str, int, int | None], None]

__all__ = ["CACHE", "GIT", "REMOTE", "Problem", "Verified", "VerifyOptions", "verify_runs"]

CACHE, REMOTE, GIT = "cache", "remote", "git"
DAMAGED, MISSING, UNREADABLE = "damaged", "missing", "unreadable"
WHAT = "verifying"
_PIECE = 1 << 20
_STREAMS = 4  # objects that are read from the remote at once: each has pieces of 8 MiB in memory


@dataclass(frozen=True, slots=True)
class VerifyOptions:
    """How to verify.

    Attributes:
        remote: Also read what the artifact remote has, all of it.
        repair: Replace what is damaged by a good copy, where there is one.
    """

    remote: bool = False
    repair: bool = False


@dataclass(slots=True)
class Problem:
    """Something that is not what it must be.

    Attributes:
        where: `CACHE`, `REMOTE` or `GIT`.
        state: ``damaged``, ``missing`` or ``unreadable``: it is what its id says, so every copy is like it, and
            does not decode.
        path: What it is, for people: an artifact's path, or a path in the run's tree.
        runs: Ids of the runs that need it.
        oid: Id of the artifact's object, or of Git's.
        why: More about it; may be empty.
        copies: Places with a good copy.
        repaired: Where the copy came from that it was replaced by; "" if it wasn't.
    """

    where: str
    state: str
    path: str
    runs: list[str]
    oid: str
    why: str = ""
    copies: list[str] = field(default_factory=list)
    repaired: str = ""


@dataclass(slots=True)
class Verified:
    """What was found.

    Attributes:
        runs: How many runs were looked at.
        git: How many of Git's objects were read.
        files: How many artifacts in the runs' trees.
        objects: How many objects in the cache.
        there: How many objects on the artifact remote.
        bytes: How many bytes were hashed.
        elsewhere: Objects that are not in this clone, and were not looked for on the artifact remote.
        remote: The artifact remote, for people; "" where there is none.
        problems: What is wrong.
    """

    runs: int = 0
    git: int = 0
    files: int = 0
    objects: int = 0
    there: int = 0
    bytes: int = 0
    elsewhere: int = 0
    remote: str = ""
    problems: list[Problem] = field(default_factory=list)

    @property
    def damaged(self) -> list[Problem]:
        """What is wrong still."""
        return [problem for problem in self.problems if not problem.repaired]


def verify_runs(
    repo: Repo,
    folder: Folder,
    runs: Mapping[str, Iterable[str]],
    options: VerifyOptions | None = None,
    progress: Progress | None = None,
) -> Verified:
    """Verify *runs* (id → heads).

    Raises:
        ConfigError: The remote is to be read, and there is none.
        RemoteError, MissingDependency: It can't be used.
        StorageError: The disk refused a repair.
    """
    options = options or VerifyOptions()
    place = place_of(repo)
    if options.remote and place is None:
        from ledgit.errors import ConfigError

        raise ConfigError("the artifact remote", "", "an address; 'ledgit artifacts remote URL' sets one")
    verifying = _Verifying(repo, folder, {run_id: tuple(heads) for run_id, heads in runs.items()}, place, progress)
    if not options.remote and not options.repair:
        return verifying.run(None, options)
    if place is None:
        return verifying.run(None, options)
    from ledgit.artifacts import open_remote

    with open_remote(place) as remote:
        return verifying.run(remote, options)


class _Verifying:
    def __init__(
        self,
        repo: Repo,
        folder: Folder,
        runs: dict[str, tuple[str, ...]],
        place: Place | None,
        progress: Progress | None,
    ) -> None:
        from ledgit.artifacts import Cache

        self.repo, self.folder, self.runs, self.place, self.progress = repo, folder, runs, place, progress
        self.cache: Cache = Cache(folder.cache)
        self.done = Verified(runs=len(runs), remote=place.shown if place is not None else "")
        self.total: int | None = None
        self._guard = threading.Lock()
        self.good: dict[str, set[str]] = {CACHE: set(), REMOTE: set()}

    def run(self, remote: ObjectRemote | None, options: VerifyOptions) -> Verified:
        """Look at everything, then for copies of what is damaged, then mend."""
        done = self.done
        for wrong in check_commits(self.repo, self.runs, self.count_git):
            self.add_git(wrong)
        for wrong in artifacts_in_trees(self.repo, self.runs, self.count_file):
            self.add_git(wrong)
        self.lists(remote, options)
        unread = Unread()
        needs = objects_of(self.repo, self.folder, self.runs, unread=unread)
        self.unread(unread, needs)
        self.total = done.bytes + sum(self.sizes(needs)) * (2 if options.remote else 1)
        here = self.in_cache(needs)
        there = self.on_remote(remote, needs) if remote is not None and options.remote else {}
        self.judge(needs, here, there, asked=options.remote)
        for problem in done.problems:
            if problem.where != GIT and problem.state != UNREADABLE:
                self.find_copies(problem, needs.get(problem.oid), remote)
        if options.repair:
            from ledgit.store.artifacts.repairing import repair

            repair(self.cache, remote, done.problems, self.progress)
        return done

    # ------------------------------------------------------------------ counting

    def count_git(self, size: int) -> None:
        """Count one of Git's objects."""
        self.done.git += 1
        self.count(size)

    def count_file(self, size: int) -> None:
        """Count an artifact in a run's tree."""
        self.done.files += 1
        self.count(size)

    def count(self, size: int) -> None:
        """Count bytes; several threads do."""
        with self._guard:
            self.done.bytes += size

    def tell(self) -> None:
        """Tell how far it is."""
        if self.progress is not None:
            self.progress(WHAT, self.done.bytes, None if self.total is None else max(self.total, self.done.bytes))

    def add_git(self, wrong: Wrong) -> None:
        """Note something in Git."""
        state = UNREADABLE if not wrong.decodes else DAMAGED if wrong.damaged else MISSING
        if state == UNREADABLE:  # several runs may have it, and a run with several heads
            for problem in self.done.problems:
                if problem.state == UNREADABLE and problem.oid == wrong.oid:
                    problem.runs = list(dict.fromkeys([*problem.runs, wrong.run]))
                    return
        self.done.problems.append(Problem(GIT, state, wrong.path, [wrong.run], wrong.oid, wrong.why))

    def unread(self, unread: Unread, needs: Mapping[str, Need]) -> None:
        """Note what nobody can say of what it needs, unless it was noted before."""
        from ledgit.git import Objects

        objects = Objects.of(self.repo)
        told = {problem.oid for problem in self.done.problems if problem.where == GIT}
        for oid, why in unread.commits.items():
            user = unread.users.get(oid)
            if oid not in told and user is not None:
                state = UNREADABLE if objects.kind(oid) is not None else MISSING
                self.done.problems.append(Problem(GIT, state, user.path, list(user.runs), oid, why))
        for oid, why in unread.broken.items():
            need = needs[oid]
            self.done.problems.append(
                Problem(CACHE, UNREADABLE, f"{need.path}/", list(need.runs), oid, f"the folder's list {why}")
            )

    def sizes(self, needs: Mapping[str, Need]) -> Iterator[int]:
        """Yield the sizes of the objects, as far as they are known."""
        for oid, need in needs.items():
            try:
                yield self.cache.size(oid)
            except ArtifactNotFound:
                yield need.size or 0

    # ------------------------------------------------------------------ objects

    def lists(self, remote: ObjectRemote | None, options: VerifyOptions) -> None:
        """Look at folders' lists first: who reads one that is damaged sets it aside, and then it is only missing."""
        needs = objects_of(self.repo, self.folder, self.runs, members=False)
        lists = {oid: need for oid, need in needs.items() if is_list(oid)}
        for oid, need in lists.items():
            if self.cache.has(oid) and not self.cache.check(oid):
                self.cache.quarantine(oid)
                why = "it was set aside; what is in the folder can't be looked at without it"
                self.done.problems.append(Problem(CACHE, DAMAGED, f"{need.path}/", need.runs, oid, why))
        absent = [oid for oid in lists if not self.cache.has(oid)]
        if remote is not None and absent and (options.remote or options.repair):
            moved = remote.download(self.cache, absent, self.progress)
            for problem in self.done.problems:
                if problem.oid in moved.done:
                    problem.copies, problem.repaired = [remote.shown], remote.shown

    def in_cache(self, needs: Mapping[str, Need]) -> dict[str, str]:
        """Return the objects in the cache that are not what they must be → ``damaged`` or ``missing``."""
        from ledgit.artifacts import in_threads

        wrong: dict[str, str] = {}
        here = sorted((oid for oid in needs if self.cache.has(oid)), key=self.cache.size, reverse=True)
        wrong |= dict.fromkeys((oid for oid in needs if not self.cache.has(oid)), MISSING)

        def look(oid: str) -> None:
            try:
                found = self.digest(self.cache.location(oid))
            except (FileNotFoundError, NotADirectoryError):
                wrong[oid] = MISSING
            except OSError:
                wrong[oid] = DAMAGED  # the disk can't read it
            else:
                if found != oid.removesuffix(".dir"):
                    wrong[oid] = DAMAGED
            self.tell()

        in_threads(look, here)
        self.done.objects = len(here)
        self.good[CACHE] = {oid for oid in here if oid not in wrong}
        return wrong

    def digest(self, path: str) -> str:
        """Return the MD5 of a file, and count its bytes."""
        from ledgit.artifacts.hashing import new_digest

        found = new_digest()
        buffer = memoryview(bytearray(_PIECE))
        with open(path, "rb", buffering=0) as file:
            while size := file.readinto(buffer):
                found.update(buffer[:size])
                self.count(size)
                if threading.current_thread() is threading.main_thread():
                    self.tell()
        return found.hexdigest()

    def on_remote(self, remote: ObjectRemote, needs: Mapping[str, Need]) -> dict[str, str]:
        """Return the objects on the remote that are not what they must be → ``damaged`` or ``missing``."""
        from ledgit.artifacts.parallel import each

        wrong: dict[str, str] = {}
        sizes = dict(zip(needs, self.sizes(needs), strict=True))
        todo = sorted(needs, key=sizes.__getitem__, reverse=True)
        for outcome in each(remote.verify, todo, min(_STREAMS, remote.jobs())):
            if outcome is None:
                self.tell()
                continue
            if isinstance(outcome.error, ArtifactNotFound):
                wrong[outcome.item] = MISSING
            elif outcome.error is not None:
                raise outcome.error
            else:
                self.count(sizes[outcome.item])
                self.done.there += 1
                if not outcome.result:
                    wrong[outcome.item] = DAMAGED
            self.tell()
        self.good[REMOTE] = needs.keys() - wrong.keys()
        return wrong

    def judge(
        self, needs: Mapping[str, Need], here: Mapping[str, str], there: Mapping[str, str], *, asked: bool
    ) -> None:
        """Say what is wrong: an object need not be here, but somewhere it has to be."""
        pushed = self.pushed() if asked else set()
        for oid, need in needs.items():
            mine, theirs = here.get(oid), there.get(oid)
            if mine == DAMAGED:
                self.add(CACHE, DAMAGED, oid, need)
            elif mine == MISSING and not asked:
                if self.place is None:
                    self.add(CACHE, MISSING, oid, need, "and there is no artifact remote to have it")
                else:
                    self.done.elsewhere += 1
            elif mine == MISSING and theirs is not None:
                self.add(CACHE, MISSING, oid, need, "neither here nor, whole, on the artifact remote")
            if theirs == DAMAGED:
                self.add(REMOTE, DAMAGED, oid, need)
            elif theirs == MISSING and mine is None and any(run_id in pushed for run_id in need.runs):
                self.add(REMOTE, MISSING, oid, need, "although the run was pushed; 'ledgit push' sends it")

    def add(self, where: str, state: str, oid: str, need: Need, why: str = "") -> None:
        """Note a problem."""
        if not any(problem.oid == oid and problem.where == where for problem in self.done.problems):
            self.done.problems.append(Problem(where, state, need.path, list(need.runs), oid, why))

    def pushed(self) -> set[str]:
        """Return the runs that the remote's ledger has, as last seen."""
        from ledgit.errors import NoRemote
        from ledgit.git import Objects, read_ref
        from ledgit.store.ledger import every_line
        from ledgit.store.sync import find_remote

        try:
            tip = read_ref(self.repo, find_remote(self.repo).tracking)
        except NoRemote:
            return set()
        objects = Objects.of(self.repo)
        return {line.id for _, line in every_line(objects, objects.commit(tip).tree)} if tip is not None else set()

    # ------------------------------------------------------------------ copies

    def find_copies(self, problem: Problem, need: Need | None, remote: ObjectRemote | None) -> None:
        """Look for good copies, and hash each that is found."""
        oid = problem.oid
        if problem.repaired:
            return
        if problem.where != CACHE and oid in self.good[CACHE]:
            problem.copies.append(CACHE)
        if problem.where != REMOTE and remote is not None:
            if oid not in self.good[REMOTE] and not self.done.there:
                try:
                    if remote.verify(oid):
                        self.good[REMOTE].add(oid)
                except LedgitError:  # not there, or not now
                    pass
            if oid in self.good[REMOTE]:
                problem.copies.append(remote.shown)
        for path in self.candidates(oid, need.path if need is not None else problem.path):
            try:
                if os.path.isfile(path) and self.digest(path) == oid.removesuffix(".dir"):
                    problem.copies.append(path)
            except OSError:
                continue

    def candidates(self, oid: str, path: str) -> Iterator[str]:
        """Yield where people have copies: DVC's own cache, the work tree."""
        top = self.repo.work_tree
        if top is None:
            return
        cache = os.path.join(top, ".dvc", "cache")
        yield os.path.join(cache, "files", "md5", oid[:2], oid[2:])
        yield os.path.join(cache, oid[:2], oid[2:])
        if not is_list(oid) and not path.startswith("/") and ".." not in path.split("/"):
            yield os.path.join(top, *path.split("/"))
