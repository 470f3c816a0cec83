"""What a push would make public, and whether everybody concerned agreed to it.

Nothing leaves before :func:`review` has looked: for objects that are too large for the host, for what
looks like a secret, and for code that is on no branch of the remote yet (a run carries the code
it ran, so pushing it publishes that code). A run that may not go is held back with its reason;
the others go.
"""

from __future__ import annotations

import os

from ledgit.errors import ConfigError
from ledgit.records.values import Values
from ledgit.store.journal import now_ms
from ledgit.store.sync.held import PURGED, REFUSED, SECRET, SIZE, UNPUSHED, Held, read_held
from ledgit.store.sync.moved import branches_elsewhere
from ledgit.store.sync.outgoing import Outgoing, find_outgoing, new_objects

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

    from ledgit.git import Repo
    from ledgit.store.folder import Folder
    from ledgit.store.sync.ask import Answer, CodeCommit, Question
    from ledgit.store.sync.remote import Remote
    from ledgit.store.sync.scanning import Scan
    from ledgit.store.sync.secrets import Allowed, Hit

    Progress = Callable[[str, int, int | None], None]
    Ask = Callable[[Question], Answer]

__all__ = ["Candidate", "Finding", "Review", "read_allowed", "review"]

POLICIES = ("ask", "all", "pushed-code")
_RUN_FOLDER = ".ledgit/run/"
_MESSAGE = "commit message"
_MOST_NAMED = 3
_MB = 1 << 20


class Candidate(Values):
    """A run that the remote's table lacks, or has an older head of.

    Attributes:
        id: The run's id.
        name: Its readable name; "": ask when it is to be told.
        heads: Its heads.
        start: When it started: ms since the epoch, UTC.
    """

    __slots__ = ("heads", "id", "name", "start")

    def __init__(self, id: str, name: str, heads: tuple[str, ...], start: int = 0) -> None:  # noqa: A002
        self.id, self.name, self.heads, self.start = id, name, heads, start


class Finding(Values):
    """Something that looks like a secret.

    Attributes:
        runs: Ids of the candidates that would publish it.
        path: The file, from the top of the repository, or ``commit message``.
        line: Its line, from 1.
        kind: What it looks like.
        shown: Its first characters.
        commit: A commit that has it.
        allowed: It is let through: every run that has it was named by the caller.
    """

    __slots__ = ("allowed", "commit", "kind", "line", "path", "runs", "shown")

    def __init__(
        self, runs: tuple[str, ...], path: str, line: int, kind: str, shown: str, commit: str, allowed: bool = False
    ) -> None:
        self.runs, self.path, self.line, self.kind = runs, path, line, kind
        self.shown, self.commit, self.allowed = shown, commit, allowed

    def __str__(self) -> str:
        place = self.path.removeprefix(_RUN_FOLDER)
        return f"{place}:{self.line} has what looks like {self.kind} ({self.shown})"


class Review(Values):
    """What may go and what stays; see ``docs/design/ledger.md``.

    Attributes:
        publish: Ids that may go, in the order given.
        held: The others, each with its reason.
        commits: Code that becomes public with :attr:`publish`, newest first.
        uncommitted: Those of :attr:`publish` that carry uncommitted changes.
        findings: What looks like a secret, wherever it was found.
        notes: Sentences for the user: large files, files that were not scanned.
        declined: The answer was no: nothing goes, and nothing is to be held.
        carried: Run → other candidates whose commits it brings along.
    """

    __slots__ = ("carried", "commits", "declined", "findings", "held", "notes", "publish", "uncommitted")

    def __init__(
        self,
        publish: Iterable[str] = (),
        held: dict[str, Held] | None = None,
        commits: Iterable[CodeCommit] = (),
        uncommitted: Iterable[str] = (),
        findings: Iterable[Finding] = (),
        notes: Iterable[str] = (),
        declined: bool = False,
        carried: dict[str, set[str]] | None = None,
    ) -> None:
        self.publish, self.commits, self.uncommitted = list(publish), list(commits), list(uncommitted)
        self.findings, self.notes, self.declined = list(findings), list(notes), declined
        self.held = {} if held is None else held
        self.carried = {} if carried is None else carried


def review(
    repo: Repo,
    folder: Folder,
    remote: Remote,
    candidates: Sequence[Candidate],
    *,
    where: Repo | None = None,
    policy: str | None = None,
    ask: Ask | None = None,
    scan: bool | None = None,
    allow_secrets: Collection[str] = (),
    progress: Progress | None = None,
    name_of: Callable[[Candidate], str] | None = None,
) -> Review:
    """Say which runs may go to *remote*. Writes nothing but an answer that is to be remembered.

    Args:
        repo: The user's repository.
        folder: Ledgit's folder.
        remote: Where the runs are to go.
        candidates: The runs.
        where: The repository with the remote's ledger as last seen; *repo* by default.
        policy: ``ask``, ``all`` or ``pushed-code``; by default ``ledgit.publish``, else ``ask``. Given here,
            ``ask`` asks even where an answer is remembered.
        ask: Gets the question and returns the answer; None: nobody can be asked.
        scan: Look for secrets; by default what ``ledgit.secretScan`` says: true (so if it isn't set), false,
            or ``thorough``, for which a library must be installed.
        allow_secrets: Ids of runs whose findings are no reason to hold them.
        progress: Told how far the scan is.
        name_of: Returns the name of a candidate that has none: asked where it is to be told.

    Raises:
        ConfigError: A setting has an impossible value.
        MissingDependency: A thorough scan is asked for without the library.
        GitFailed: The repository can't be read.
    """
    config = repo.config()
    chosen = policy or config.get("ledgit.publish") or "ask"
    if chosen not in POLICIES:
        raise ConfigError("ledgit.publish", chosen, "ask, all or pushed-code")
    work = _Work(repo, folder, remote, where or repo, candidates)
    if policy is None and chosen == "ask":
        chosen = _remembered(folder, remote) or chosen
    work.check_purged()
    if chosen == "pushed-code":
        work.hold_unpushed(_UNPUSHED)
    thorough = config.get("ledgit.secretScan", "true") == "thorough"
    scanning = scan if scan is not None else thorough or config.get_bool("ledgit.secretScan", True)
    scanner = _scanner(folder, thorough=thorough) if scanning else None
    work.look(scanner, progress)
    work.check_sizes()
    if scanner is not None:
        work.check_secrets(scanner, frozenset(allow_secrets))
    if chosen == "ask" and work.unpushed():
        if ask is None:
            work.hold_unpushed(_NOBODY)
        else:
            from ledgit.store.sync.ask import NO, ONLY_PUSHED, remember

            answer = ask(work.question())
            remember(folder, remote, answer)
            if answer == NO:
                return Review(findings=work.findings, notes=work.notes, declined=True)
            if answer == ONLY_PUSHED:
                work.hold_unpushed(_UNPUSHED)
    return work.result(name_of)


def _remembered(folder: Folder, remote: Remote) -> str | None:
    """Return the policy that was answered for good, if any."""
    if not os.path.exists(os.path.join(folder.path, "publish.json")):
        return None  # without loading questions and answers
    from ledgit.store.sync.ask import ALWAYS, remembered

    answer = remembered(folder, remote)
    return None if answer is None else "all" if answer == ALWAYS else "pushed-code"


_NOBODY = "it would publish code that is not on {remote} yet ({what}), and nobody could be asked; {do}"
_UNPUSHED = "it would publish code that is not on {remote} yet ({what}); {do}"
_DO = "push the code, or 'ledgit push --publish all' to publish it with its runs"
_DO_DIRTY = "'ledgit push --publish all' publishes it as it is"


class _Work:
    """One review: what is new, which run brings what, and what was decided so far."""

    def __init__(
        self, repo: Repo, folder: Folder, remote: Remote, where: Repo, candidates: Sequence[Candidate]
    ) -> None:
        self.repo, self.folder, self.remote, self.where = repo, folder, remote, where
        self.given = {candidate.id: candidate for candidate in candidates}
        self.held: dict[str, Held] = {}
        self.findings: list[Finding] = []
        self.notes: list[str] = []
        self.now = now_ms()
        for run_id, held in read_held(folder).items() if self.given else ():
            known = self.given.get(run_id)
            if known and held.kind == REFUSED and held.remote == remote.name and held.is_about(known.heads):
                self.held[run_id] = held
        heads = [head for candidate in candidates for head in candidate.heads]
        old = branches_elsewhere(folder, remote)
        self.outgoing = find_outgoing(repo, where, remote, heads, self.given, old) if heads else Outgoing()
        self._split()

    def _split(self) -> None:
        """Tell for each run which code it brings, which runs, and whether there are uncommitted changes in it."""
        self.edge: dict[str, frozenset[str]] = {}
        self.dirty: set[str] = set()
        self.carried: dict[str, set[str]] = {}
        same: dict[frozenset[str], frozenset[str]] = {}  # most runs stand on the same few code commits
        commits = self.outgoing.commits
        for run_id, candidate in self.given.items():
            edge = []
            for oid in self.outgoing.reach(candidate.heads, within=self.given):
                commit = commits[oid]
                if commit.run is None:
                    edge.append(oid)
                    continue
                if commit.code:
                    self.dirty.add(run_id)
                if commit.run != run_id:
                    self.carried.setdefault(run_id, set()).add(commit.run)
            if edge:
                code = frozenset(edge)
                self.edge[run_id] = same.setdefault(code, code)

    def left(self) -> Iterator[Candidate]:
        """Return the runs that nothing was found against yet."""
        return (candidate for run_id, candidate in self.given.items() if run_id not in self.held)

    def unpushed(self) -> list[Candidate]:
        """Return those of them that would publish code."""
        return [run for run in self.left() if run.id in self.edge or run.id in self.dirty]

    def hold(self, run_id: str, kind: str, reason: str) -> None:
        """Hold a run back; the first reason stays."""
        if run_id in self.given and run_id not in self.held:
            self.held[run_id] = Held(self.given[run_id].heads, reason, kind, self.now, self.remote.name)

    def hold_unpushed(self, sentence: str) -> None:
        """Hold back every run that would publish code."""
        counts: dict[frozenset[str], int] = {}
        for run in self.unpushed():
            edge = self.edge.get(run.id, frozenset())
            if edge not in counts:
                counts[edge] = len(self.outgoing.reach(edge))
            count = counts[edge]
            parts = [f"{count} commit{'s' * (count > 1)}"] if count else []
            parts += ["uncommitted changes"] if run.id in self.dirty else []
            do = _DO_DIRTY if run.id in self.dirty else _DO  # what was never committed can't be pushed
            self.hold(run.id, UNPUSHED, sentence.format(remote=self.remote.shown, what=" and ".join(parts), do=do))

    def question(self) -> Question:
        """Return what the user is to be asked."""
        from ledgit.store.sync.ask import Question

        runs = list(self.left())
        concerned = self.unpushed()
        return Question(
            remote=self.remote.shown,
            url=self.remote.url.shown,
            runs=len(runs),
            concerned=len(concerned),
            uncommitted=sum(run.id in self.dirty for run in concerned),
            commits=tuple(self._code(concerned)),
        )

    def _code(self, runs: Iterable[Candidate]) -> list[CodeCommit]:
        reached = self.outgoing.reach(oid for run in runs for oid in self.edge.get(run.id, ()))
        if not reached:
            return []
        from ledgit.store.sync.ask import CodeCommit

        return [
            CodeCommit(oid, commit.subject)
            for oid, commit in self.outgoing.commits.items()
            if oid in reached and commit.run is None
        ]

    def _reached(self) -> set[str]:
        """Return the commits that runs not held yet would bring."""
        return self.outgoing.reach(head for run in self.left() for head in run.heads)

    def _runs_of(self, commits: Iterable[str]) -> dict[str, list[str]]:
        """Return for each of *commits* the runs that bring it, in the order given."""
        wanted = set(commits)
        below: dict[str, set[str]] = {}  # most runs stand on the same few code commits
        found: dict[str, list[str]] = {}
        for run_id, run in self.given.items():
            reached = self.outgoing.reach(run.heads, within=self.given)
            brought = reached & wanted
            for oid in reached & self.edge.get(run_id, set()):
                if oid not in below:
                    below[oid] = self.outgoing.reach([oid]) & wanted
                brought |= below[oid]
            for oid in brought:
                found.setdefault(oid, []).append(run_id)
        return found

    def check_purged(self) -> None:
        """Hold back what stands on a purged run: that would be on the remote again."""
        from ledgit.store.sync.standing import find_purged

        purged = find_purged(self.repo, self.where, self.remote, self.outgoing)
        for oid, runs in self._runs_of(purged).items() if purged else ():
            for run_id in runs:
                reason = (
                    f"it stands on run {purged[oid][:8]}, which was purged and would be on {self.remote.shown} again;"
                    f" 'ledgit gc --purge {run_id[:8]}' drops it too, or push the code that it stands on, if all of"
                    " that may be public"
                )
                self.hold(run_id, PURGED, reason)

    def look(self, scan: Scan | None, progress: Progress | None) -> None:
        """Look at every new file once, for its size and, with *scan*, for secrets."""
        from ledgit.store.sync.hosts import host_of
        from ledgit.store.sync.scanning import look

        self.host = host_of(self.remote.url.push_url)
        self.limit = self.repo.config().get_int("ledgit.maxObjectSize", self.host.max_object)
        self.warn = self.host.warn_object or self.limit
        self.least = min(self.warn, self.limit) if self.limit else self.warn
        self.places = look(self.where, self.outgoing, self._reached(), least=self.least, scan=scan, progress=progress)

    def check_sizes(self) -> None:
        """Hold back what the host would refuse for its size."""
        host, limit, warn = self.host, self.limit, self.warn
        places = [place for place in self.places if self.least and place.size > self.least]
        if not places:
            return
        known = new_objects(self.where, self.outgoing, {place.blob for place in places})
        for place in sorted(places, key=lambda place: place.path):
            if place.blob not in known:
                continue
            size = f"{place.path} is {place.size / _MB:.0f} MB"
            if not limit or place.size <= limit:
                self.notes.append(
                    f"{size}, and {host.name} advise{'s' * host.one} against files above {warn // _MB} MB"
                )
                continue
            reason = (
                f"{size}, and {host.name} take{'s' * host.one} {limit / _MB:.0f} MB a file at most; keep it out of Git"
                " (.gitignore, DVC), or raise ledgit.maxObjectSize if the host takes it"
            )
            for runs in self._runs_of(place.commits).values():
                for run_id in runs:
                    self.hold(run_id, SIZE, reason)

    def check_secrets(self, scan: Scan, allow: Collection[str]) -> None:
        """Hold back what would publish something that looks like a secret."""
        suspicious = list(self._suspicious(scan))
        if not suspicious:
            return
        allowed = read_allowed(self.repo)
        known = new_objects(self.where, self.outgoing, {blob for _, blob, _, _ in suspicious if blob})
        runs_of = self._runs_of(oid for _, _, commits, _ in suspicious for oid in commits)
        order = {run_id: number for number, run_id in enumerate(self.given)}
        reasons: dict[str, list[str]] = {}
        seen: set[tuple[tuple[str, ...], str]] = set()
        for path, blob, commits, hit in suspicious:
            if (blob and blob not in known) or allowed.covers(path, hit):
                continue  # it is public already, under another name
            concerned = {run_id for oid in commits for run_id in runs_of.get(oid, ())}
            runs = tuple(sorted(concerned, key=order.__getitem__))
            if (runs, hit.secret) in seen:
                continue  # the message repeats what a file says
            seen.add((runs, hit.secret))
            finding = Finding(runs, path, hit.line, hit.kind, hit.shown, commits[-1], all(run in allow for run in runs))
            self.findings.append(finding)
            for run_id in runs:
                if run_id not in allow:
                    reasons.setdefault(run_id, []).append(str(finding))
        for run_id, found in reasons.items():
            more = f" (and {len(found) - _MOST_NAMED} more)" if len(found) > _MOST_NAMED else ""
            told = "; ".join(found[:_MOST_NAMED]) + more
            do = (
                f"if it is none: 'ledgit push --allow-secret {run_id[:8]}'; if it is one, change it where it is used,"
                f" and 'ledgit gc --purge {run_id[:8]}' drops the run"
            )
            self.hold(run_id, SECRET, f"{told}; {do}")

    def _suspicious(self, scan: Scan) -> Iterator[tuple[str, str, list[str], Hit]]:
        """Yield (path, blob or nothing, commits, what was found) of files and messages."""
        from ledgit.store.sync.secrets import MAX_BYTES

        names = sorted({place.path for place in self.places if place.hits is None})
        if names:
            more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
            listed = ", ".join(names[:_MOST_NAMED]) + more
            self.notes.append(f"larger than {MAX_BYTES // _MB} MB and so not scanned for secrets: {listed}")
        for place in self.places:
            for hit in place.hits or ():
                yield place.path, place.blob, place.commits, hit
        reached = self._reached()
        for oid, message in self.outgoing.messages():
            if oid in reached:
                for hit in scan(_MESSAGE, message.encode()):
                    yield _MESSAGE, "", [oid], hit

    def result(self, name_of: Callable[[Candidate], str] | None) -> Review:
        """Return what was decided. A run stays with those whose commits it would bring along."""
        more = True
        while more:
            more = False
            for run in list(self.left()):
                for other in sorted(self.carried.get(run.id, ())):
                    if other in self.held:
                        held, known = self.held[other], self.given[other]
                        name = known.name or (name_of(known) if name_of is not None else other[:8])
                        self.hold(
                            run.id,
                            held.kind,
                            f"it was started from the code of run {name}, which is held back: {held.reason}",
                        )
                        more = True
                        break
        runs = list(self.left())
        return Review(
            publish=[run.id for run in runs],
            held=self.held,
            commits=self._code(runs),
            uncommitted=[run.id for run in runs if run.id in self.dirty],
            findings=self.findings,
            notes=self.notes,
            carried=self.carried,
        )


def _scanner(folder: Folder, *, thorough: bool) -> Scan:
    """Return what finds secrets in a file.

    Raises:
        MissingDependency: A thorough scan is asked for without the library.
    """
    from ledgit.store.sync.secrets import scan_blob

    if not thorough:
        return scan_blob
    from ledgit.store.sync.secrets_thorough import Thorough

    second = Thorough(folder)
    return lambda path, data: scan_blob(path, data) or second.scan(data)


def read_allowed(repo: Repo) -> Allowed:
    """Return what the repository says is no secret."""
    from ledgit.store.config import committed_config
    from ledgit.store.sync.secrets import Allowed

    section = committed_config(repo, "secrets").get("secrets")
    items = section.get("allow") if isinstance(section, dict) else None
    if section is not None and not isinstance(items, list):
        raise ConfigError("secrets", str(section), "a list below 'allow:'")
    return Allowed(items or ())
