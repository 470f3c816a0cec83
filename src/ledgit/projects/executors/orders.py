"""What travels between a sweep and its workers: plain values, so that any transport can carry them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ledgit.records.scalars import Scalar
    from ledgit.repository import Repository

__all__ = ["COMPLETE", "FAILED", "KILLED", "PRUNED", "Code", "TrialOrder", "TrialReport", "code_of"]

#: States of a trial: the tag ``ledgit.sweep.state`` has them, but for the last: such a trial is to be tried again.
COMPLETE, PRUNED, FAILED, KILLED = "complete", "pruned", "failed", "killed"


@dataclass(frozen=True, slots=True)
class Code:
    """The code of trials.

    Attributes:
        tree: Id of the tree that runs.
        commit: Id of the commit it was made from; None where there is none.
        pack: The objects that *address* does not have; all of them without one. Empty where the worker is to
            ask for them (`Channel.code`).
        address: Where *commit* can be fetched from, without credentials: the worker's own count. "" if all
            comes with *pack*.
    """

    tree: str
    commit: str | None = None
    pack: bytes = field(default=b"", repr=False)
    address: str = ""

    @property
    def key(self) -> str:
        """What tells codes apart: by it a worker knows the clone that it has."""
        from hashlib import sha256

        return sha256(f"{self.commit or ''} {self.tree}".encode("ascii")).hexdigest()[:20]

    def bare(self) -> Code:
        """Return the same without what is large."""
        return replace(self, pack=b"")


def code_of(repository: Repository, commit: str | None, tree: str, address: str = "") -> Code:
    """Return the code *tree*, made from *commit*, as it is sent to workers.

    Args:
        repository: Where both are.
        commit: The commit, None in an empty repository. Its history does not travel.
        tree: What is to run; uncommitted changes make it another tree than the commit's.
        address: A remote's name or address that has the commit and that workers can reach; then only what it
            lacks goes along. "": everything does.

    Raises:
        NoRemote: There is no such remote.
        GitFailed, NotFound: Something of the code is not in this clone.
    """
    from ledgit.git import address as address_of
    from ledgit.git.parcels import pack_code, pack_tree

    if not address or commit is None:
        return Code(tree, commit, pack_code(repository.repo, commit, tree))
    objects = repository.objects
    pack = pack_tree(objects, objects.commit(commit).tree, tree)
    return Code(tree, commit, pack, address_of(repository.repo, address).shown)


@dataclass(frozen=True, slots=True)
class TrialOrder:
    """One attempt of one trial: all that a worker needs to run and record it.

    There are no values of the coordinator's environment in it.

    Attributes:
        run_id: The attempt's run; another one for each attempt.
        parent_run: The sweep's run.
        number: The trial's.
        attempt: The attempt's, from 0.
        code: What runs.
        command: Arguments of the command as it stands. Empty: *entry_point* of the project that is in the code.
        entry_point: The entry point, or the script.
        given: What is given to the entry point's parameters; the worker binds it, so that a ``path`` is one there.
        params: What is recorded as the run's params; None: what the entry point's parameters became.
        experiment: Name of the experiment.
        name: Name of the run; a random one if None.
        tags: Tags of the run, besides those that the worker sets.
        directory: Where in the tree the command runs, or the project is; "" at the top.
        manager: What makes the environment that the project declares; "" as `prepare` decides, ``local``: none.
        code_facts: The code as the run records it (`ledgit.store.Facts.code`).
        identity: What of the person is told (``full``, ``name``, ``none``), name and address.
        threshold: Bytes from which on an artifact goes through DVC.
        remote: Address of the artifacts' remote, without credentials; "": what the code's own files say.
        source: Address of the project, without credentials.
        timeout: Seconds after which the command is ended; None: never.
        grace: Seconds between asking it to end and killing it.
        metric: The metric that pruning goes by: its points are told while the command runs; "" for none.
        limit: Bytes of large artifacts that a report may carry.
        push: The remote that the worker pushes the run to; "": the run comes back with the report.
        scratch: Where on the worker clones and work folders are; "": below its cache folder.
    """

    run_id: str
    code: Code
    parent_run: str | None = None
    number: int = 0
    attempt: int = 0
    command: tuple[str, ...] = ()
    entry_point: str = "main"
    given: Mapping[str, Scalar] = field(default_factory=dict)
    params: Mapping[str, Scalar] | None = None
    experiment: str = "Default"
    name: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    directory: str = ""
    manager: str = "local"
    code_facts: Mapping[str, Any] | None = None
    identity: tuple[str, str, str] = ("none", "", "")
    threshold: int = 256 * 1024
    remote: str = ""
    source: str = ""
    timeout: float | None = None
    grace: float = 10.0
    metric: str = ""
    limit: int = 64 << 20
    push: str = ""
    scratch: str = ""


@dataclass(frozen=True, slots=True)
class TrialReport:
    """What became of an attempt, and the run it recorded.

    Attributes:
        run_id: The attempt's run.
        number: The trial's.
        attempt: The attempt's.
        status: ``FINISHED``, ``FAILED`` or ``KILLED``.
        state: ``complete``, ``pruned``, ``failed``, or ``killed``: it was stopped, and is to be tried again.
        exit_code: The command's; 128 and the signal's number if one ended it.
        seconds: How long the command took.
        worker: Host and process, for people.
        runs: Run → commit of all that *pack* has: the attempt's, and those of earlier attempts of the sweep that
            were lost on this worker.
        tree: The code's tree, which *pack* stands on.
        pack: Objects of the runs' commits; b"" if they were pushed.
        objects: Content of large artifacts by their MD5.
        missing: Artifacts whose content stayed on the worker, with the reason.
        pushed: Where the runs were pushed to, for people; "" if they are in *pack*.
        problems: What could not be recorded, or not be cleaned up.
    """

    run_id: str
    number: int
    attempt: int
    status: str
    state: str
    exit_code: int
    seconds: float
    worker: str
    runs: Mapping[str, str]
    tree: str
    pack: bytes = field(default=b"", repr=False)
    objects: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    missing: tuple[str, ...] = ()
    pushed: str = ""
    problems: tuple[str, ...] = ()
