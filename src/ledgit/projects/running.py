"""From what a person asks for to a run: the project found, its files put in place, its command made, and run."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field

from ledgit.errors import NotARepository, ProjectError, UsageError
from ledgit.projects.launching import Launch, Launched, launch
from ledgit.projects.sources import Source, bring_here, resolve
from ledgit.projects.workfolder import WorkFolder, remove_dead
from ledgit.repository import Repository
from ledgit.store import Folder, take_facts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from ledgit.projects.child import Child
    from ledgit.projects.environments import Hold, Prepared
    from ledgit.projects.mlproject import Project
    from ledgit.projects.parameters import Bound
    from ledgit.store import ActiveRun, Facts

    Progress = Callable[[str, int, int | None], None]

__all__ = ["Plan", "Request", "execute", "make_plan"]

_MOST_TOLD = 5


@dataclass(frozen=True, slots=True)
class Request:
    """What a person asks for.

    Attributes:
        uri: The project; see :func:`ledgit.projects.sources.resolve`.
        entry_point: Name of an entry point, or a script; "": the run's, where *uri* is one, else ``main``.
        command: Program and arguments to run in the project's folder, instead of an entry point.
        parameters: Of the entry point, by name.
        version: A branch, tag or commit.
        manager: What makes the environment; "": what fits the project.
        in_place: Run in the folder itself, not in a copy.
        experiment: Label of the run's experiment.
        name: Name of the run.
        tags: Tags of the run.
        params: Params of the run besides the entry point's.
        parent_run: The run it is nested in.
        timeout: Seconds after which it is ended.
        keep: Files and folders to keep.
        output: Keep what it prints.
        capture: Record what the command's own argument parser makes of its arguments.
        build_image: Build a container image with the project's files in it.
    """

    uri: str = "."
    entry_point: str = ""
    command: tuple[str, ...] = ()
    parameters: Mapping[str, object] = field(default_factory=dict)
    version: str = ""
    manager: str = ""
    in_place: bool = False
    experiment: str = "Default"
    name: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    params: Mapping[str, object] = field(default_factory=dict)
    parent_run: str | None = None
    timeout: float | None = None
    keep: tuple[str, ...] = ()
    output: bool = True
    capture: bool = False
    build_image: bool = False


class Plan:
    """All that is about to run; as a context manager it tidies up.

    Attributes:
        request: What was asked for.
        repository: Where the run is recorded.
        source: The project, found.
        project: What its file says.
        entry_point: Name of what is run.
        bound: Its parameters.
        command: What is started.
        prepared: The environment.
        manager: What makes it.
        hold: Keeps it from being removed meanwhile.
        facts: Code and environment.
        work: The folder it runs in; None in place.
        notes: What is to be said.
    """

    def __init__(self, request: Request, repository: Repository, source: Source) -> None:
        self.request, self.repository, self.source = request, repository, source
        self.project: Project
        self.entry_point = ""
        self.bound: Bound | None = None
        self.command: tuple[str, ...] = ()
        self.prepared: Prepared | None = None
        self.facts: Facts | None = None
        self.work: WorkFolder | None = None
        self.manager = ""
        self.hold: Hold | None = None
        self.notes = list(source.notes)

    def __enter__(self) -> Plan:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def folder(self) -> str:
        """The project's folder: where the command runs."""
        if self.work is not None:
            return self.work.folder(self.source.subdir)
        return os.path.join(str(self.source.repo.work_tree), *filter(None, self.source.subdir.split("/")))

    def close(self) -> None:
        """Remove the work folder, and let go of what was kept for the run."""
        if self.work is not None:
            self.work.remove()
        if self.facts is not None:
            self.facts.release()
        if self.hold is not None:
            self.hold.release()
        self.source.release()

    def launch(self) -> Launch:
        """Return it as what is launched."""
        source, prepared = self.source, self.prepared
        tags = {"ledgit.project": source.address}
        if source.commit and (source.foreign or source.kind in ("git", "bundle")):  # a mirror's own, too
            tags["ledgit.project.commit"] = source.commit
        if prepared is not None:
            tags["ledgit.project.env"] = prepared.label
        params, texts = self._params()
        return Launch(
            command=self.command,
            work=self.work,
            directory=source.subdir,
            facts=self.facts,
            prepared=prepared,
            entry_point=self.entry_point,
            params=params,  # type: ignore[arg-type]  # logged as scalars
            texts=texts,
            source=source.address,
            experiment=self.request.experiment,
            name=self.request.name,
            tags={**tags, **self.request.tags},
            parent_run=self.request.parent_run,
            timeout=self.request.timeout,
            keep=self.request.keep,
            output=self.request.output,
            notes=tuple(self.notes),
            capture=self.request.capture,
        )

    def _params(self) -> tuple[dict[str, object], dict[str, str]]:
        params = dict(self.request.params)
        if self.bound is None:
            return params, {}
        params = {**self.bound.typed, **params}
        given = {**self.bound.values, **self.bound.extra}
        # Of others the program makes a value of the same type, and what it logs reads as ours does. A word of its own
        # beside ours would be an error in the middle of its training.
        texts = {name: text for name, text in given.items() if name in self.bound.unsure and name in params}
        return params, texts


def make_plan(
    request: Request,
    repository: Repository | None,
    cache: str,
    base: str,
    progress: Progress | None = None,
    *,
    dry: bool = False,
) -> Plan:
    """Find the project, put its files where it is to run, and make its command and environment.

    Args:
        request: What is asked for.
        repository: The repository around, where the run is recorded; None: the project's own.
        cache: Ledgit's cache folder.
        base: The folder that paths among the parameters start from.
        progress: Is told (what, done, total or None) of what takes long.
        dry: Nothing is going to run: no snapshot is taken, no environment made.

    Raises:
        LedgitError: The project, its entry point, a parameter or the environment is not what it should be; nothing
            is recorded, and nothing is left behind.
    """
    source = resolve(request.uri, request.version, cache, repository, progress)
    recording = repository if source.foreign and repository is not None else Repository(source.repo)
    plan = Plan(request, recording, source)
    try:
        if request.in_place:
            _check_in_place(request, source)
        if dry:
            if source.tree is not None:  # to be read, and gone again when the plan is closed
                plan.work = WorkFolder.make(source.repo, source.tree, source.commit)
        else:
            remove_dead(recording)
            if request.in_place:
                plan.facts = take_facts(source.repo)  # before the command changes anything
            else:
                _put_in_place(plan)
        _make_command(plan, base, cache, dry=dry)
        if dry:
            from ledgit.projects.environments import choose_manager

            plan.manager = choose_manager(plan.project.environment, request.manager)
        else:
            _prepare(plan, cache, progress)
    except ProjectError as error:
        plan.close()
        # Where the file stood is a copy that is gone now.
        if plan.work is None or not error.file.startswith(plan.work.path + os.sep):
            raise
        raise ProjectError(os.path.relpath(error.file, plan.work.path), error.reason, error.line) from None
    except BaseException:
        plan.close()
        raise
    return plan


def _check_in_place(request: Request, source: Source) -> None:
    if source.tree is not None:
        what = f"-v {request.version}" if request.version else f"a project from {source.address}"
        raise UsageError(f"--in-place runs the files that are in your folder, and {what} is something else")
    if source.foreign:
        raise UsageError("--in-place needs a project of the repository that the run is recorded in; go there first")


def _put_in_place(plan: Plan) -> None:
    source, target = plan.source, plan.repository.repo
    if source.tree is None:
        facts = take_facts(source.repo)
        if facts.tree is None:
            facts.release()
            raise UsageError("ledgit.snapshot is 'none', so there is no copy of the code to run; add --in-place")
        _say_what_is_not_there(plan, facts)
        if source.foreign:
            try:
                source.commit = facts.commit
                bring_here(source, target, facts.tree)
                plan.facts = take_facts(target, tree=facts.tree)
            finally:
                facts.release()
        else:
            plan.facts = facts
    elif source.foreign:
        bring_here(source, target, source.tree)
        plan.facts = take_facts(target, tree=source.tree)
    else:
        # Of a mirror, the history is nobody's ledger's.
        own = source.kind in ("folder", "version", "run")
        plan.facts = take_facts(
            target, tree=source.tree, commit=source.commit if own else None, branch=source.branch if own else None
        )
    facts = plan.facts
    assert facts.tree is not None
    caches = source.caches
    if source.kind == "git":  # whose data nobody here has pulled
        caches = (*caches, os.path.join(Folder.of(source.repo).path, "data"))
    plan.work = WorkFolder.make(plan.repository, facts.tree, facts.commit, caches=caches)
    if source.kind == "git" and plan.work.problems:
        from ledgit.projects.executors.inputs import fetch_data

        fetch_data(plan.work, caches[-1])
    plan.notes += plan.work.problems
    plan.work.problems = []


def _say_what_is_not_there(plan: Plan, facts: Facts) -> None:
    code = facts.code or {}
    left_out = [(path, reason) for path, _, reason in code.get("left_out") or ()]
    for path, reason in left_out[:_MOST_TOLD]:
        plan.notes.append(f"{path} is not in the project's folder as it is in yours: {reason}")
    if len(left_out) > _MOST_TOLD:
        plan.notes.append(f"{len(left_out) - _MOST_TOLD} more files are not there")
    for path, state in (code.get("submodules") or {}).items():
        if state.get("dirty"):
            plan.notes.append(
                f"submodule {path} has changes that are not committed in it: the project runs with its commit instead"
            )


def _make_command(plan: Plan, base: str, cache: str, *, dry: bool) -> None:
    from ledgit.projects.commands import argv, fill, shell
    from ledgit.projects.mlproject import read_project
    from ledgit.projects.parameters import bind

    request, folder = plan.request, plan.folder
    plan.project = read_project(folder, plan.source.called())
    plan.notes += [f"{os.path.basename(plan.project.file)}: {note}" for note in plan.project.notes]
    if request.command:
        if request.parameters:
            raise UsageError("-P is for entry points; a command after '--' has its parameters among its words")
        plan.command = request.command
        plan.entry_point = _script(request.command, folder)
        return
    entry_point = plan.project.entry_point(request.entry_point or plan.source.entry_point or "main")
    bound = bind(entry_point, request.parameters, base, folder)
    if bound.downloads and not dry:
        from ledgit.projects.downloads import fetch_parameters

        bound = fetch_parameters(entry_point, bound, cache)
    plan.entry_point, plan.bound = entry_point.name, bound
    plan.command = tuple(argv(entry_point, bound) or shell(fill(entry_point, bound)))


def _script(command: tuple[str, ...], folder: str) -> str:
    """Return the script among the words, else the program."""
    scripts = (".py", ".sh", ".ipynb", ".R", ".jl")
    found = (word for word in command if word.endswith(scripts) and os.path.isfile(os.path.join(folder, word)))
    return next(found, command[0])


def _prepare(plan: Plan, cache: str, progress: Progress | None) -> None:
    import sys

    from ledgit.projects.environments import hold, prepare

    tell = None if progress is None else lambda text: progress(text, 0, None)
    plan.prepared = prepare(
        plan.project.environment,
        plan.project,
        plan.request.manager,
        cache,
        progress=tell,
        build_image=plan.request.build_image,
    )
    plan.hold = hold(plan.prepared)
    plan.manager = plan.prepared.manager
    plan.notes += plan.prepared.notes
    python = plan.prepared.python
    mine = not python or os.path.dirname(python) == os.path.dirname(sys.executable)
    if plan.facts is not None and (not mine or plan.source.tree is not None or plan.source.foreign):
        from ledgit.store.facts import environment_facts

        plan.facts = plan.facts.with_environment(environment_facts(plan.folder, None if mine else python))


def execute(plan: Plan, started: Callable[[ActiveRun, Child], object] | None = None) -> Launched:
    """Run what was planned, to its end.

    Raises:
        UsageError: The program can't be started; nothing is recorded.
        StorageError: The run can't be recorded.
    """
    return launch(plan.repository, plan.launch(), started)


def repository_around(path: str | None) -> Repository | None:
    """Return the repository around *path* (default: the current folder); None if there is none."""
    from ledgit.repository import open_repository

    try:
        return open_repository(path)
    except NotARepository:
        return None
