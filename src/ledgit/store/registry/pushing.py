"""Sending tags: after their runs, oldest first, a few at a time, each with its claim; created only, never forced.

Hosts start nothing for a push of more than three tags, and what reacts to a promotion must hear of it.
What somebody else took meanwhile stays theirs. A version that is theirs needs a decision; a number, or
the counter of a stage, doesn't: ours gets the next one.
"""

from __future__ import annotations

from ledgit.errors import Conflict, LedgitError, RemoteError, RunPurged, VersionExists
from ledgit.records.registry_names import ASSIGN, REGISTER, UNASSIGN, claim_slug, next_free, parse_tag, slug_of
from ledgit.records.values import Values
from ledgit.store.registry.kinds import PROJECT
from ledgit.store.registry.moving import Unshared, drop_unshared, recount, renumber, unshared_tags
from ledgit.store.registry.tagging import KEPT, TAGS, VERSIONS, claim_ref

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from ledgit.git import Objects, PushResult, PushUpdate
    from ledgit.store.sync.line import Line, Progress
    from ledgit.store.sync.pushed import Pushed, PushOptions

__all__ = ["TagsPushed", "push_tags", "updates_of"]

MOST_AT_ONCE = 3
"""Tags in a push: GitHub creates no event for more."""
_ATTEMPTS = 5
_SENDING = "sending registry tags"


class TagsPushed(Values):
    """What became of the tags that the remote lacked.

    Attributes:
        sent: Those that are there now, oldest first; in a dry run those that would go.
        held: Those that stayed here: tag → why.
        moved: Those that got another number or counter: old → new tag (the same where its number changed).
        models: Models whose tags have changed on the remote.
        notes: Sentences about what was changed on the way.
    """

    __slots__ = ("held", "models", "moved", "notes", "sent")

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.held: dict[str, str] = {}
        self.moved: dict[str, str] = {}
        self.models: set[str] = set()
        self.notes: list[str] = []

    def __bool__(self) -> bool:
        return bool(self.sent or self.held or self.moved or self.notes)


def push_tags(line: Line, options: PushOptions, done: Pushed, progress: Progress | None = None) -> TagsPushed:
    """Send the registry's tags whose runs are on the remote.

    Args:
        line: The remote, with its ledger as it is after the push of the runs.
        options: How the runs were pushed.
        done: What became of them.
        progress: Is told (what, done, total or None).

    Where the remote can't be used any more, that is a note; what has arrived is known by the next push.
    """
    return _Sending(line, options, done, progress).run()


class _Sending:
    def __init__(self, line: Line, options: PushOptions, done: Pushed, progress: Progress | None) -> None:
        self.line, self.options, self.runs, self.progress = line, options, done, progress
        self.done = TagsPushed()
        self.stay: set[str] = set()  # registration commits whose version stays
        self.unshared: set[str] = set()  # those of projects that were not shared
        self.tree = self._table()

    def _table(self) -> str | None:
        from ledgit.git import read_ref

        return self.line.tree_of(read_ref(self.line.where, self.line.remote.tracking))

    def run(self) -> TagsPushed:
        todo = [one for one in unshared_tags(self.line.repo, self._objects) if self._may_go(one)]
        if self.options.dry_run:
            self.done.sent = [one.tag for one in todo]
            return self.done
        total = len(todo)
        for at in range(0, total, MOST_AT_ONCE):
            if self.progress is not None:
                self.progress(_SENDING, at, total)
            batch = todo[at : at + MOST_AT_ONCE]
            try:
                self._send(batch)
            except RemoteError as error:
                self.done.notes.append(f"the runs are there, and the other tags go with the next push: {error}")
                return self.done
        if self.progress is not None and total:
            self.progress(_SENDING, total, total)
        return self.done

    def _send(self, batch: Sequence[Unshared]) -> None:
        if all(result.ok for result in self._push(batch)):
            for one in batch:
                self._arrived(one)
            return
        for one in batch:  # all or none went: which of them is it?
            self._alone(one)

    @property
    def _objects(self) -> Objects:
        from ledgit.git import Objects

        return Objects.of(self.line.repo)

    # ------------------------------------------------------------------ which

    def _may_go(self, one: Unshared) -> bool:
        """Whether the tag can be sent now; else it is held, with the reason, or nothing is to be said."""
        from ledgit.git import read_ref

        only = self.options.runs
        if only is not None and one.message.run not in only:
            return False
        if one.action == REGISTER and one.message.kind == PROJECT:
            self.unshared.add(one.commit)  # of no use to anybody without its data and branch
            return False
        if one.commit in self.unshared:
            self.done.notes.append(f"{one.tag} goes after 'ledgit project share {_quoted(one.model)}'")
            return False
        reason = self._reason(one, read_ref(self.line.repo, TAGS + one.tag))
        if reason:
            self.done.held[one.tag] = reason
            self.stay.add(one.commit)
        return not reason

    def _reason(self, one: Unshared, here: str | None) -> str:
        if here is None:
            return "it was deleted here; 'ledgit doctor --mend' brings it back"
        if here != one.oid:
            return "somebody made it anew by hand; delete that, and 'ledgit doctor --mend' brings it back"
        if one.commit in self.stay and one.action != REGISTER:
            return "its version stays here"
        secret = self._secret(one)
        if secret:
            return secret
        run = one.message.run or self._run_of(one.commit)
        if not run:
            return ""
        held = self.runs.held.get(run)
        if held is not None:
            return f"its run stays here: {held.reason}"
        if run in self.runs.left:
            return f"its run stays here: {self.runs.left[run]}"
        if self.options.dry_run and run in {*self.runs.sent.new, *self.runs.sent.edited}:
            return ""
        try:
            commits = self._shared_commits(run, one.commit)
        except RunPurged:
            return f"its run {run[:8]} was purged; 'git tag -d' and 'git update-ref -d {KEPT}{one.tag}' let it go"
        except LedgitError as error:
            return str(error)
        if commits is None:
            return (
                f"its run {run[:8]} is not on {self.line.remote.shown} yet; it goes when that has ended and was pushed"
            )
        parents = self._objects.commit(one.commit).parents
        if any(parent.startswith(known) for parent in parents[:1] for known in commits):
            return ""
        return self._unreviewed(one, run, parents)

    def _run_of(self, commit: str) -> str | None:
        for text in self._objects.commit(commit).message.splitlines():
            if text.startswith("Ledgit-Run: "):
                return str(text.removeprefix("Ledgit-Run: "))
        return None

    def _shared_commits(self, run: str, commit: str) -> list[str] | None:
        """Return the run's commits that the remote's ledger names; None if it doesn't list the run."""
        from ledgit.records.names import RUN_FOLDER
        from ledgit.records.run import decode_run
        from ledgit.records.table import day_of
        from ledgit.store.ledger import lines_of

        data = self._objects.at(commit, f"{RUN_FOLDER}/run.yaml")
        if data is None or self.tree is None:
            return None
        start = decode_run(data).start
        lines = lines_of(self.line.objects, self.tree, run, day_of(start))
        if any(line.purged for line in lines):
            raise RunPurged([run])
        if not lines:
            return None
        return [oid for line in lines for oid in (line.head, *line.past) if oid]

    def _unreviewed(self, one: Unshared, run: str, parents: Sequence[str]) -> str:
        """Look at a commit that is not among those of the run on the remote: a checkpoint, or an edit held back."""
        from ledgit.store.sync.pushing import reviewed

        if self.options.dry_run:
            return ""
        head = one.commit
        if len(parents) == 1 and self._objects.commit(parents[0]).tree == self._objects.commit(head).tree:
            head = parents[0]  # a registration changes no file, so that it would be taken for code
        result = reviewed(self.line, {run: (head,)}, self.options, self.progress)
        if result.declined:
            return "its code was not to be published"
        if run in result.held:
            return str(result.held[run].reason)
        if self.options.artifacts:
            from ledgit.store.artifacts.uploading import Sending

            stay = Sending(self.line.repo, self.line.folder, self.progress).before({run: (one.commit,)})
            return stay.get(run, "")
        return ""

    def _secret(self, one: Unshared) -> str:
        """Return what is to be said if the message has what looks like a secret; "" if it hasn't."""
        config = self.line.repo.config()
        if config.get("ledgit.secretScan", "true") != "thorough" and not config.get_bool("ledgit.secretScan", True):
            return ""
        from ledgit.store.sync.publish import read_allowed
        from ledgit.store.sync.secrets import scan_blob

        found = scan_blob(one.tag, one.data)
        allowed = read_allowed(self.line.repo) if found else None
        hit = next((hit for hit in found if allowed is not None and not allowed.covers(one.tag, hit)), None)
        if hit is None or (one.message.run or "") in self.options.allow_secrets:
            return ""
        return f"line {hit.line} of its message has what looks like {hit.kind} ({hit.shown})"

    # ------------------------------------------------------------------ sending

    def _push(self, batch: Sequence[Unshared]) -> list[PushResult]:
        from ledgit.git import push

        updates = [update for one in batch for update in updates_of(one)]
        there = self.line.remote.url
        return push(self.line.repo, there, updates, prompt=self.line.prompt, progress=None)

    def _alone(self, one: Unshared) -> None:
        """Send one tag, or find out who is in its way."""
        if one.commit in self.stay and one.action != REGISTER:
            self.done.held[one.tag] = "its version stays here"
            return
        for _ in range(_ATTEMPTS):
            results = self._push([one])
            if all(result.ok for result in results):
                self._arrived(one)
                return
            again = self._settle(one, results)
            if again is None:
                return
            one = again
        self._hold(one, "somebody else was quicker, again and again; push once more")

    def _settle(self, one: Unshared, results: Sequence[PushResult]) -> Unshared | None:
        """Return what to try next in place of *one*; None: nothing."""
        slug = slug_of(one.model)
        there = self._look(slug, one.model)
        theirs = there.get(TAGS + one.tag)
        claim = None if one.message.number is None else claim_ref(one.model, one.message.number)
        try:
            if theirs is not None and theirs != one.oid:
                return self._clashed(one, there)
            if claim is not None and there.get(claim) not in (None, one.oid):
                numbers = [
                    int(text)
                    for ref in there
                    if ref.startswith(VERSIONS) and (text := _last(ref)).isascii() and text.isdigit()
                ]
                new = renumber(self.line.repo, self.line.folder, one, max(numbers, default=0))
                old = one.message.number
                self.done.moved[one.tag] = new.tag
                self.done.notes.append(
                    f"{one.tag} is version {new.message.number} now: somebody else registered a version {old} meanwhile"
                )
                return new
        except RemoteError:
            raise
        except LedgitError as error:
            self._hold(one, str(error))
            return None
        refused = next((result for result in results if result.status == "refused"), None)
        if refused is not None:
            self._hold(one, refused.explain())
            return None
        return one  # who was in the way is gone

    def _clashed(self, one: Unshared, there: dict[str, str]) -> Unshared | None:
        action = one.action
        if action == REGISTER:
            self._hold(one, str(self._exists(one, there)))
            return None
        if action in (ASSIGN, UNASSIGN):
            names = [
                name for ref in there if ref.startswith(TAGS) and (name := parse_tag(ref[len(TAGS) :])) is not None
            ]
            new = recount(self.line.repo, self.line.folder, one, max((name.counter or 0 for name in names), default=0))
            self.done.moved[one.tag] = new.tag
            self.done.notes.append(
                f"{one.tag} is {new.tag} now: somebody else moved the stage meanwhile; it stands where it was"
                " assigned last"
            )
            return new
        drop_unshared(self.line.repo, one)
        self.done.moved[one.tag] = one.tag
        self.done.notes.append(f"{one.tag} was made by somebody else meanwhile: theirs stands")
        return None

    def _exists(self, one: Unshared, there: dict[str, str]) -> VersionExists:
        from ledgit.store.registry.modeltags import ModelTags

        version = one.message.version or ""
        found = (parse_tag(ref[len(TAGS) :]) for ref in there if ref.startswith(TAGS))
        taken = {name.version for name in found if name is not None and name.version}
        taken |= set(ModelTags(self.line.repo, self._objects, one.model).versions)
        free = next_free(version, sorted(taken))
        command = f"ledgit registry move {_quoted(f'{one.model}@{version}')} {free}"
        return VersionExists(one.model, version, free, self.line.remote.shown, command)

    def _look(self, slug: str, model: str) -> dict[str, str]:
        from ledgit.git import list_remote

        patterns = [f"{TAGS}{slug}@*", f"{TAGS}{slug}#*", f"{VERSIONS}{claim_slug(model)}/*"]
        return list_remote(self.line.repo, self.line.remote.url, patterns, prompt=self.line.prompt)

    def _hold(self, one: Unshared, reason: str) -> None:
        self.done.held[one.tag] = reason
        if one.action == REGISTER:
            self.stay.add(one.commit)

    def _arrived(self, one: Unshared) -> None:
        """Note that the remote has it: from now on others can bring it back."""
        from ledgit.git import RefUpdate, update_refs

        self.done.sent.append(one.tag)
        self.done.models.add(one.model)
        try:
            update_refs(self.line.repo, [RefUpdate(KEPT + one.tag, None, one.oid)], durable=False)
        except Conflict:
            return  # the next push finds it there


def updates_of(one: Unshared) -> list[PushUpdate]:
    """Return what makes the tag *one* on a remote, created only: the tag, and a version's claim."""
    from ledgit.git import PushUpdate

    updates = [PushUpdate(TAGS + one.tag, one.oid, force="")]
    if one.message.number is not None and one.action == REGISTER:
        updates.append(PushUpdate(claim_ref(one.model, one.message.number), one.oid, force=""))
    return updates


def _last(ref: str) -> str:
    return ref.rpartition("/")[2]


def _quoted(text: str) -> str:
    return text if all(char.isalnum() or char in "@._-/:=" for char in text) else f'"{text}"'
