"""Whether tags are what the registry makes, and what the policy allows: for CI and for a server's hook.

A tag is *genuine* if it is annotated, names itself as its ref does, says in its message what its name says, and
points to the registration commit of its version: a child of one of the run's commits, with the same tree, that
names run and version. Whether its author may do what it does, the policy says.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ledgit.records.registry_names import (
    ASSIGN,
    CREATE,
    DEREGISTER,
    REGISTER,
    UNASSIGN,
    TagName,
    claim_slug,
    parse_tag,
    slug_of,
)
from ledgit.registry.policy import Act, Person, Policy
from ledgit.registry.signatures import GOOD, check_signature
from ledgit.registry.tags import ObjectReader, TagObject, known, trailers

if TYPE_CHECKING:
    from ledgit.git import Commit, Repo

    Gate = Callable[[str, str], bool | None]
    Made = Callable[[str, Commit, str, str | None, Mapping[str, str]], bool]

__all__ = ["CLAIMS", "TAGS", "Checker", "Refused", "claimed"]

TAGS = "refs/tags/"
CLAIMS = "refs/ledgit/versions/"
_AHEAD = 86_400  # seconds that a tag's date may be ahead of the clock here


@dataclass(frozen=True, slots=True)
class Refused:
    """A ref that is not what it should be, and why: one sentence."""

    ref: str
    reason: str

    @property
    def name(self) -> str:
        """The tag's name, or the ref's."""
        return self.ref.removeprefix(TAGS)


@dataclass
class Checker:
    """Checks tags against each other and a policy.

    Attributes:
        repo: Where the objects are.
        refs: All tags of the registry and all claims, as they will be: name → object id.
        policies: Each must allow what a tag does.
        gate: Tells of (filter, run id) whether it holds.
        env: Variables for git.
        pusher: The address of who pushes, where that is known; "" where it is not.
        run_name: Tells a run's name for people.
        made: Tells whether a commit is one of a run's own.
        claims: Whether each version's claim must be here; a clone need not have fetched them.
        past: Whether the tags were here before, so that what a version was assigned to may be older than its end.
        fresh: The refs that come with one push; of a version that ends with it the same holds.
    """

    repo: Repo
    refs: Mapping[str, str]
    policies: Sequence[Policy]
    gate: Gate
    env: Mapping[str, str] = field(default_factory=dict)
    pusher: str = ""
    run_name: Callable[[str], str] = str
    made: Made = field(default=lambda *_: True)
    claims: bool = True
    past: bool = False
    fresh: Collection[str] = ()

    def __post_init__(self) -> None:
        self.read = ObjectReader(self.repo, self.env)
        self._named = {ref: name for ref in self.refs if (name := parse_tag(ref.removeprefix(TAGS))) is not None}
        self._versions = {
            (name.artifact, name.version): ref
            for ref, name in self._named.items()
            if name.action == REGISTER and name.counter is None
        }
        self._ended = {
            (name.artifact, name.version): ref for ref, name in self._named.items() if name.action == DEREGISTER
        }

    # ------------------------------------------------------------------ tags

    def check(self, refs: Iterable[str]) -> list[Refused]:
        """Return what is wrong with the tags *refs* (full names); nothing where all is well."""
        wanted = self.load(refs)
        return [Refused(ref, why) for ref in wanted for why in self._wrong(ref)]

    def load(self, refs: Iterable[str]) -> list[str]:
        """Read tags, what they point to, and what is below that, all at once; return those that are the registry's."""
        wanted = [ref for ref in refs if ref in self._named]
        self.read.load(self.refs[ref] for ref in wanted)
        tags = [tag for ref in wanted if (tag := self.read.tag(self.refs[ref])) is not None]
        self.read.load(tag.target for tag in tags)
        commits = [commit for tag in tags if (commit := self.read.commit(tag.target)) is not None]
        self.read.load(parent for commit in commits for parent in commit.parents[:1])
        return wanted

    def _wrong(self, ref: str) -> Iterator[str]:
        named, oid = self._named[ref], self.refs[ref]
        tag = self.read.tag(oid)
        if tag is None:
            missing = self.read.read(oid) is None
            yield (
                "its object is missing"
                if missing
                else ("it is a lightweight tag, so nothing says who made it and why; 'ledgit registry' makes such tags")
            )
            return
        problems = list(self._not_genuine(ref, named, tag))
        yield from problems
        if problems or tag.message is None:
            return
        if self.pusher and self.pusher.casefold() != tag.tagger.address.casefold():
            yield f"it says that {tag.tagger} made it, and {self.pusher} pushes it"
        if not any(policy.rules for policy in self.policies):
            return
        act = self._act(named, tag)
        if act.run and any(policy.demands(act, "require") for policy in self.policies):
            # Else a version of anything could be called one of a run that passes.
            yield from self._not_of_run(named, tag, act)
        for policy in self.policies:
            yield from (str(broken) for broken in policy.judge(act, self.gate))

    def _not_genuine(self, ref: str, named: TagName, tag: TagObject) -> Iterator[str]:
        if tag.name != ref.removeprefix(TAGS):
            yield f"it is another tag's object: it calls itself {tag.name!r}"
        if tag.when > time.time() + _AHEAD:
            date = time.strftime("%Y-%m-%d", time.gmtime(tag.when))
            yield f"it says that it was made on {date}, which is yet to come"
        message = tag.message
        if message is None or tag.problem:
            yield f"it looks like a tag of the registry, but {tag.problem}"
            return
        if message.model is None or slug_of(message.model) != named.artifact:
            yield f"its message is about the model {message.model!r}"
            return
        if named.version is not None and message.version != named.version:
            yield f"its message is about version {message.version!r}"
            return
        if named.stage is not None and (message.stage is None or slug_of(message.stage) != named.stage):
            yield f"its message is about the stage {message.stage!r}"
            return
        if tag.kind != "commit":
            yield f"it points to a {tag.kind}, not to a commit"
        elif named.action == REGISTER and named.counter is not None:
            yield "a version is registered once, and this would be again"
        elif named.action == REGISTER:
            yield from self._not_registered(tag)
        elif named.action in (ASSIGN, UNASSIGN, DEREGISTER):
            yield from self._not_of_version(ref, named, tag)
        elif named.action == CREATE:
            yield "GTO's tags of created artifacts mean nothing here"

    def _not_registered(self, tag: TagObject) -> Iterator[str]:
        message = tag.message
        assert message is not None
        commit = self.read.commit(tag.target)
        if commit is None:
            yield f"the commit it points to, {tag.target[:8]}, is missing"
            return
        wanted = tag.name
        if wanted not in trailers(commit.message, "Ledgit-Version"):
            yield f"the commit it points to, {tag.target[:8]}, is not the registration of {wanted}"
            return
        run = trailers(commit.message, "Ledgit-Run")
        project = message.kind == "project"
        if run != [message.run] if not project else run or message.run:
            yield f"its registration is of run {', '.join(run) or 'none'}, and its message of run {message.run}"
            return
        below = "commit" if project else "run's commit"
        parent = self.read.commit(commit.parents[0]) if len(commit.parents) == 1 else None
        if parent is None:
            shallow = ": this clone is shallow, so 'git fetch --unshallow' may bring it" if self.repo.shallow else ""
            yield f"the {below} below its registration is missing{shallow}"
        elif parent.tree != commit.tree:
            yield f"its registration has other files than the {below} below it"
        elif message.run is not None and message.run not in trailers(parent.message, "Ledgit-Run"):
            yield f"the commit below its registration, {parent.oid[:8]}, is not one of run {message.run[:8]}"
        if message.number is None:
            yield "its message has no version number"
            return
        claim = claimed(message.model or "", message.number)
        if claim in self.refs or self.claims:
            if self.refs.get(claim) == tag.oid:
                return
            has = "has another tag" if claim in self.refs else "was not pushed with it"
            yield f"its number {message.number} is not its own: {claim} {has}"

    def _not_of_version(self, ref: str, named: TagName, tag: TagObject) -> Iterator[str]:
        message = tag.message
        assert message is not None
        of = self._versions.get((named.artifact, message.version))
        if of is None:
            if named.action == UNASSIGN and message.version is None:
                return
            yield f"version {message.version} of {message.model} is not registered"
            return
        version = self.read.tag(self.refs[of])
        if version is None or version.target != tag.target:
            yield f"it does not point to where {of.removeprefix(TAGS)} does"
        end = self._ended.get((named.artifact, message.version))
        known = self.past or end in self.fresh  # else somebody could let a stage have stood where it never did
        if named.action == ASSIGN and end is not None and not (known and self._was_over(named, tag, end)):
            yield f"version {message.version} of {message.model} was deregistered"
        if named.counter is not None:
            same = [
                other
                for other, name in self._named.items()
                if other != ref and name.artifact == named.artifact and name.counter == named.counter
            ]
            if same:
                yield f"its number {named.counter} is taken by {same[0].removeprefix(TAGS)}"

    def _was_over(self, named: TagName, tag: TagObject, end: str) -> bool:
        """Whether another version, or none, stood at the stage before the version of this one ended by *end*."""
        ended = self.read.tag(self.refs[end])
        return (
            ended is not None
            and tag.when < ended.when
            and any(
                (name.artifact, name.stage) == (named.artifact, named.stage)
                and name.action in (ASSIGN, UNASSIGN)
                and (name.counter or 0) > (named.counter or 0)
                for name in self._named.values()
            )
        )

    # ------------------------------------------------------------------ the policy

    def _act(self, named: TagName, tag: TagObject) -> Act:
        message = tag.message
        assert message is not None
        version = message.version or ""
        act = Act(event=named.action, model=message.model or "", version=version, stage=message.stage or "")
        run = ""
        makers: tuple[Person, ...] = ()
        registered = self._versions.get((named.artifact, version))
        if registered is not None:
            run, makers = self._origin(self.refs[registered], own=named.action == REGISTER)
        if not any(policy.demands(act, "signed") for policy in self.policies):
            signer, said = None, ""
        else:
            signature = check_signature(self.repo, tag.oid, tag.content, self.env)
            signer, said = (signature.address if signature.state == GOOD else None), f"it {signature.shown}"
        return Act(
            event=act.event,
            model=act.model,
            version=version,
            stage=act.stage,
            author=tag.tagger,
            makers=makers,
            run=run,
            run_name=self.run_name(run) if run else "",
            signer=signer,
            signature=said,
        )

    def _not_of_run(self, named: TagName, tag: TagObject, act: Act) -> Iterator[str]:
        registered = self._versions.get((named.artifact, act.version))
        version = None if registered is None else self.read.tag(self.refs[registered])
        message = None if version is None else version.message
        commit = self.read.commit(tag.target)
        parent = self.read.commit(commit.parents[0]) if commit is not None and commit.parents else None
        if message is None or parent is None:
            yield "nothing says which commit it was registered from"
        elif not self.made(act.run, parent, message.path or "", message.digest, self.env):
            yield f"the commit that was registered, {parent.oid[:8]}, is not one of run {act.run_name or act.run[:8]}"

    def _origin(self, oid: str, *, own: bool) -> tuple[str, tuple[Person, ...]]:
        """Return the run that the version of tag *oid* is from, and who made run and version.

        With *own* the author is registering it, so only who made the run counts.
        """
        tag = self.read.tag(oid)
        if tag is None or tag.message is None:
            return "", ()
        makers = [] if own else [tag.tagger]
        commit = self.read.commit(tag.target)
        parent = self.read.commit(commit.parents[0]) if commit is not None and commit.parents else None
        if parent is not None:
            makers.insert(0, known(*parent.author[:2]))
        return tag.message.run or "", tuple(makers)


def claimed(model: str, number: int) -> str:
    """Return the ref that claims a version's number."""
    return f"{CLAIMS}{claim_slug(model)}/{number}"
