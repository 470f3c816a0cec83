"""Whether a version is what it says: from its tag and signature to run, code, model files and data.

The chain is one of hashes: the tag names a commit, the commit a tree, the tree every file and the digests of
what is kept elsewhere. So whoever trusts the signature of the tag can trust the last byte, if each step holds.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ledgit.errors import LedgitError, NotFound
from ledgit.registry.checking import CLAIMS, TAGS, Checker
from ledgit.registry.signatures import BAD, GOOD, NONE, Signature, check_signature
from ledgit.registry.tags import known, trailers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from ledgit.git import Commit
    from ledgit.records.artifacts import ArtifactRecord
    from ledgit.records.inputs import InputRecord
    from ledgit.records.registry_state import Event, ModelVersion
    from ledgit.registry.tags import TagObject
    from ledgit.repository import Repository
    from ledgit.run import Run
    from ledgit.store.artifacts.verifying import Verified

    Progress = Callable[[str, int, int | None], None]

__all__ = ["Chain", "Step", "VerifyChainOptions", "verify_all", "verify_version"]

OK, WRONG, UNSURE = "ok", "wrong", "unsure"


@dataclass(frozen=True, slots=True)
class VerifyChainOptions:
    """How to verify.

    Attributes:
        remote: Also read what the artifact remote has.
        require_signature: A version without a good signature is a finding, too.
        stage: The version was named by this stage: the promotion is verified as well.
    """

    remote: bool = False
    require_signature: bool = False
    stage: str = ""


@dataclass(slots=True)
class Step:
    """One step of the chain.

    Attributes:
        name: ``tag signature registration run code model data promotion …``.
        text: What was found, for people.
        findings: What is wrong: one sentence each.
        notes: What can't be told, or is worth knowing.
        facts: The same for programs.
    """

    name: str
    text: str = ""
    findings: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def state(self) -> str:
        """``ok``, ``wrong``, or ``unsure`` where something could not be told."""
        return WRONG if self.findings else UNSURE if self.notes else OK


@dataclass(slots=True)
class Chain:
    """What was found about one version.

    Attributes:
        version: Which.
        steps: In order, from the tag to the data.
        files: The model's files as the registration has them.
        inputs: The data sets that the run used.
        run: The run, if it is known here.
        commit: The registration commit, if it is here.
    """

    version: ModelVersion
    steps: list[Step] = field(default_factory=list)
    files: list[ArtifactRecord] = field(default_factory=list)
    inputs: list[InputRecord] = field(default_factory=list)
    run: Run | None = None
    commit: Commit | None = None

    @property
    def findings(self) -> list[str]:
        """Everything that is wrong."""
        return [text for step in self.steps for text in step.findings]

    @property
    def genuine(self) -> bool:
        """Whether nothing is wrong."""
        return not self.findings

    def step(self, name: str) -> Step:
        """Return the step of this name."""
        return next(step for step in self.steps if step.name == name)

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON's types."""
        return {
            "model": self.version.model,
            "version": self.version.version,
            "number": self.version.number,
            "tag": self.version.tag,
            "genuine": self.genuine,
            "findings": self.findings,
            "steps": [
                {"step": step.name, "state": step.state, "text": step.text}
                | {"findings": step.findings, "notes": step.notes}
                | step.facts
                for step in self.steps
            ],
        }


def verify_version(
    repository: Repository,
    version: ModelVersion,
    options: VerifyChainOptions | None = None,
    progress: Progress | None = None,
) -> Chain:
    """Follow a version from its tag to the data, and hash everything on the way.

    Raises:
        ConfigError: The artifact remote is to be read, and there is none.
        RemoteError, MissingDependency: It can't be used.
    """
    return next(verify_all(repository, [(version, "" if options is None else options.stage)], options, progress))


class _Shared:
    """What versions have in common: the tags, and what was hashed of a tree that several were made from."""

    def __init__(self, repository: Repository) -> None:
        from ledgit.git import list_refs

        self.refs = {**list_refs(repository.repo, TAGS), **list_refs(repository.repo, CLAIMS)}
        self.checker = Checker(repository.repo, self.refs, (), lambda _filter, _run: None, claims=False)
        self.hashed: dict[tuple[str, str], Verified] = {}


class _Verifying:
    def __init__(
        self,
        repository: Repository,
        version: ModelVersion,
        options: VerifyChainOptions,
        progress: Progress | None,
        shared: _Shared,
    ) -> None:
        self.repository, self.version, self.options, self.progress = repository, version, options, progress
        self.repo = repository.repo
        self.shared, self.refs, self.checker = shared, shared.refs, shared.checker
        self.chain = Chain(version)

    def run(self) -> Chain:
        """Do it all; a step that can't be gone on from ends the chain."""
        chain = self.chain
        tag = self.tag(TAGS + self.version.tag, "tag")
        if tag is None:
            return chain
        self.signature(tag, "signature")
        if self.options.stage:
            self.promotion()
        chain.commit = self.registration(tag)
        if chain.commit is None:
            return chain
        parent = self.checker.read.commit(chain.commit.parents[0]) if chain.commit.parents else None
        if self.version.kind == "project":
            from ledgit.registry.verify_projects import verify_code, verify_folder

            verify_code(self.add("code"), parent)
            where = self.version.path or ""
            verify_folder(self.repository, self.add("files"), chain.commit, where, self.version.digest)
            return chain
        self.of_run(parent)
        self.code(parent)
        self.model(chain.commit)
        self.contents(chain.commit)
        self.data(chain.commit)
        return chain

    def add(self, name: str, text: str = "", **facts: Any) -> Step:
        """Begin the next step; *progress* hears of each, and whatever it raises ends it all."""
        if self.progress is not None:
            self.progress(f"looking at the {name} of {self.version.tag}", len(self.chain.steps), None)
        self.chain.steps.append(Step(name, text, facts=facts))
        return self.chain.steps[-1]

    # ------------------------------------------------------------------ tag and signature

    def tag(self, ref: str, name: str) -> TagObject | None:
        """Read a tag and look whether it is what the registry makes, and where it was made."""
        step = self.add(name, ref.removeprefix(TAGS))
        oid = self.refs.get(ref)
        if oid is None:
            step.findings.append(f"the tag {ref.removeprefix(TAGS)} is gone")
            return None
        tag = self.checker.read.tag(oid)
        step.findings += [refused.reason for refused in self.checker.check([ref])]
        kept = self.refs_kept(ref)
        if kept is not None and kept != oid:
            step.findings.append(f"the tag was moved: it was made as {kept[:8]}, and is {oid[:8]} now")
        if not self.checker.read.intact(oid):
            step.findings.append(f"the object of the tag, {oid[:8]}, is missing or damaged")
        if tag is not None:
            reason = "" if tag.message is None else tag.message.reason or ""
            why = f": {reason}" if reason else ""
            step.text = f"{ref.removeprefix(TAGS)} by {tag.tagger}, {_moment(tag.when)}{why}"
            step.facts = {"oid": oid, "author": str(tag.tagger), "reason": reason or None, "when": _moment(tag.when)}
        return tag

    def refs_kept(self, ref: str) -> str | None:
        """Return the object that the tag was when it was made here; None if it was shared since, or made elsewhere."""
        from ledgit.git import read_ref

        return read_ref(self.repo, f"refs/ledgit/registry/{ref.removeprefix(TAGS)}")

    def signature(self, tag: TagObject, name: str) -> Signature:
        """Have Git check a tag's signature."""
        found = check_signature(self.repo, tag.oid, tag.content)
        step = self.add(name, f"it {found.shown}", signature=found.state, kind=found.kind or None)
        step.facts |= {"signer": found.signer or None, "key": found.key or None}
        if found.state == BAD:
            step.findings.append(f"the tag {tag.name} {found.shown}")
        elif found.state == GOOD and found.address.casefold() != tag.tagger.address.casefold():
            step.findings.append(f"the tag {tag.name} says that {tag.tagger} made it, and is signed by {found.signer}")
        elif found.state != GOOD and self.options.require_signature:
            step.findings.append(f"the tag {tag.name} {found.shown}")
        elif found.state == NONE:
            step.notes.append("so nothing but its own words says who made it")
        elif found.state != GOOD:
            step.notes.append("whether the signature is good can't be told here")
        return found

    def promotion(self) -> None:
        """Look at the tag by which the version came to the stage that it was named by."""
        from ledgit.registry.reading import RegistryReading

        reading = RegistryReading(self.repository)
        event: Event | None = reading.standing(self.version, self.options.stage)
        if event is None:
            self.add("promotion").findings.append(f"nothing says how it came to {self.options.stage}")
            return
        tag = self.tag(TAGS + event.tag, "promotion")
        if tag is not None:
            self.signature(tag, "promotion's signature")

    # ------------------------------------------------------------------ commits

    def registration(self, tag: TagObject) -> Commit | None:
        """Read the commit that the tag points to; what it must be, `tag` has looked at."""
        commit = self.checker.read.commit(tag.target)
        step = self.add("registration", tag.target, commit=tag.target)
        if commit is None:
            step.findings.append(f"the registration commit {tag.target[:8]} is not here; 'git fetch --tags' gets it")
            return None
        if not self.checker.read.intact(tag.target):
            step.findings.append(f"the registration commit {tag.target[:8]} is damaged")
        below = "commit of code" if self.version.kind == "project" else "run's commit"
        if tag.name in trailers(commit.message, "Ledgit-Version"):
            step.text = f"{tag.target[:8]}, child of the {below}, with the same files"
        else:
            step.text = f"{tag.target[:8]}, a commit that registers nothing"
            step.notes.append(f"what is below is about its own files, whatever {tag.name} says")
        return commit

    def of_run(self, parent: Commit | None) -> None:
        """Find the run, and look whether the commit that was registered is one of its own."""
        from ledgit.registry.genuine import belongs

        run_id = self.version.run or ""
        step = self.add("run", run_id, run=run_id or None)
        if not run_id:
            step.findings.append("the tag does not say which run the model is from")
            return
        index = self.repository.index
        index.refresh()
        state = index.get(run_id)
        if state is None or state.purged:
            purged = state is not None or index.is_purged(run_id)
            why = "was purged" if purged else "is not known here; 'ledgit pull' gets the runs of the remote"
            step.findings.append(f"run {run_id[:8]} {why}")
            return
        run = self.chain.run = self.repository.run(run_id)
        author = "" if parent is None else f", by {known(*parent.author[:2])}"
        step.text = f"{run.name} ({run_id[:8]}){author}, {run.status}, started {_moment(run.start // 1000)}"
        step.facts |= {"name": run.name, "status": run.status, "commit": parent.oid if parent is not None else None}
        if parent is None:
            return  # said of the tag
        told = belongs(self.repository, state, parent, self.version.path or "", self.version.digest, {})
        if told is False:
            step.findings.append(f"the commit {parent.oid[:8]} that was registered is not one of run {run.name}")
        elif told is None:
            step.notes.append(
                "whether the registered commit is one of the run's can't be told: its commits are not here"
            )
        if run.deleted:
            step.notes.append("the run is marked as deleted")

    def code(self, parent: Commit | None) -> None:
        """Say which code it was."""
        run = self.chain.run
        code = None if run is None else run.code
        if code is None or code.commit is None:
            self.add("code", "no commit was checked out when the run started")
            return
        dirty = " with uncommitted changes" if code.dirty else ""
        branch = f" of {code.branch}" if code.branch else ""
        step = self.add("code", f"{code.commit[:8]}{branch}{dirty}", commit=code.commit, tree=code.tree)
        step.facts |= {"branch": code.branch, "dirty": code.dirty}
        if parent is None:
            return
        step.facts["files"] = parent.tree
        if self.checker.read.commit(code.commit) is None and parent.parents:
            step.notes.append("the commit it started from is not here")

    # ------------------------------------------------------------------ files

    def model(self, commit: Commit) -> None:
        """Compare the model's files with the digest that the tag says."""
        from ledgit.store.registry import model_digest, model_files

        path, said = self.version.path or "", self.version.digest
        step = self.add("model", path or "all artifacts of the run", path=path, digest=said)
        try:
            files = self.chain.files = model_files(self.repository.objects, commit.oid, path)
        except (NotFound, LedgitError) as error:
            step.findings.append(f"the model's files can't be listed: {error}")
            return
        digest = model_digest(files, path)
        count = sum(record.nfiles or 1 for record in files)
        from ledgit.records.harmless import size

        amount = size(sum(record.size for record in files))
        step.text = (
            f"{path or 'all artifacts'}: {count:,} {'file' if count == 1 else 'files'}, {amount}, {digest[:19]}…"
        )
        if said is None:
            step.findings.append("the tag does not say what the model's files are")
        elif digest != said:
            step.findings.append(f"the model's files are {digest}, and the tag says {said}: they were altered")

    def contents(self, commit: Commit) -> None:
        """Hash every byte of the registered tree, and of what is kept beside Git."""
        from ledgit.records.harmless import size
        from ledgit.store.artifacts.verifying import VerifyOptions, verify_runs

        run_id = self.version.run or "0" * 32
        done = self.shared.hashed.get((run_id, commit.tree))
        if done is None:
            options = VerifyOptions(remote=self.options.remote)
            heads = {run_id: (commit.oid,)}
            done = verify_runs(self.repo, self.repository.folder, heads, options, self.progress)
            self.shared.hashed[run_id, commit.tree] = done
        step = self.add("contents", f"{size(done.bytes)} hashed; objects of Git: {done.git:,}, ")
        step.text += f"small artifacts: {done.files:,}, large ones here: {done.objects:,}"
        if self.options.remote:
            step.text += f", on the artifact remote: {done.there:,}"
        step.facts = {"git_objects": done.git, "artifacts": done.files + done.objects, "bytes": done.bytes}
        for problem in done.damaged:
            where = {"cache": "this clone's cache", "remote": done.remote, "git": "Git"}[problem.where]
            why = f": {problem.why}" if problem.why else ""
            copies = f"; good copies: {', '.join(problem.copies)}" if problem.copies else ""
            step.findings.append(f"{problem.path} is {problem.state} in {where}{why}{copies}")
        if done.elsewhere:
            step.notes.append(
                f"{done.elsewhere:,} large artifacts are not in this clone; --remote reads them on the artifact remote"
            )

    def data(self, commit: Commit) -> None:
        """Look at the data sets that the run used, as far as they are here."""
        from ledgit.registry.datasets import read_inputs, survey

        try:
            inputs = self.chain.inputs = read_inputs(self.repository.objects, commit.oid)
        except LedgitError as error:
            self.add("data").findings.append(f"the list of data sets can't be read: {error}")
            return
        if not inputs:
            self.add("data", "the run recorded no data sets")
        for found in survey(self.repo, self.repository.objects, commit.oid, inputs):
            step = self.add("data", found.text)
            step.facts = {"data": found.facts["name"], **found.facts}
            step.findings += found.findings
            step.notes += found.notes


def _moment(seconds: int) -> str:
    from ledgit.records.run import iso

    return iso(seconds * 1000)[:19] + "Z"


def verify_all(
    repository: Repository,
    versions: Sequence[tuple[ModelVersion, str]],
    options: VerifyChainOptions | None = None,
    progress: Progress | None = None,
) -> Iterator[Chain]:
    """Verify several versions, each with the stage it was named by ("" for none), one after the other.

    Raises:
        ConfigError, RemoteError, MissingDependency: As for :func:`verify_version`.
    """
    from dataclasses import replace

    shared = _Shared(repository)
    shared.checker.load(TAGS + version.tag for version, _ in versions)
    options = options or VerifyChainOptions()
    for version, stage in versions:
        yield _Verifying(repository, version, replace(options, stage=stage), progress, shared).run()
