"""What a sweep's trials run, and where: the code, the project in it, its environment, folders to run in."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

from ledgit.errors import ParameterError, UsageError
from ledgit.projects.environments.prepared import Prepared
from ledgit.projects.executors.orders import Code, TrialOrder
from ledgit.projects.sweeps.control import MARK
from ledgit.projects.sweeps.plan import fill_places
from ledgit.projects.sweeps.space import Choice, Space, parse_dimension
from ledgit.tracking.launching import cache_folder, child_environment

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ledgit.projects.mlproject import EntryPoint, Project
    from ledgit.projects.sources import Source
    from ledgit.projects.sweeps.plan import SweepPlan
    from ledgit.projects.workfolder import WorkFolder
    from ledgit.records.scalars import Scalar
    from ledgit.repository import Repository
    from ledgit.store import Facts

__all__ = ["Place", "Site"]

#: What a container gets to know of the run that it is.
_HANDED_ON = ("LEDGIT_RUN_ID", "LEDGIT_REPO", MARK)


class Place:
    """A folder that one trial after another runs in.

    Attributes:
        top: The top of the code.
        folder: Where commands run.
        problems: What could not be put there.
    """

    def __init__(self, top: str, directory: str, work: WorkFolder | None) -> None:
        self.top, self._work = top, work
        self.folder = work.folder(directory) if work is not None else os.path.join(top, directory) if directory else top
        self.problems = [] if work is None else work.problems
        self._used = False
        self._environ: dict[str, str] | None = None

    def prepare(self) -> None:
        """Make it as it was before the last trial; the user's own folder stays as it is."""
        if self._work is None:
            return
        if self._used:
            self._work.reset()
        else:
            self._work.note_state()
            self._used = True

    def environ(self, prepared: Prepared) -> dict[str, str]:
        """Return the variables of commands in it; which run they are has to be filled in."""
        if self._environ is None:
            base = child_environment("", self.top, PWD=self.folder)
            if self._work is not None:
                from ledgit.git import outside_environment

                base = outside_environment(base)  # a hook's GIT_DIR is the user's repository
            self._environ = prepared.environ(base)
        return self._environ

    def remove(self) -> None:
        """Remove it, unless it is the user's."""
        if self._work is not None:
            self._work.remove()


class Site:
    """The code of a sweep, ready to run; it lets go of *facts* when it is closed, or can't be made.

    Attributes:
        repository: Where the runs are recorded.
        plan: What is run.
        facts: Code, environment and identity, shared by all trials.
        place: The first folder.
        prepared: The environment of the commands.
        source_type: ``PROJECT``, or ``LOCAL`` for a command.
    """

    def __init__(
        self, repository: Repository, plan: SweepPlan, facts: Facts, make: Callable[[], WorkFolder | None]
    ) -> None:
        self.repository, self.plan, self.facts, self._make = repository, plan, facts, make
        self.source_type = "LOCAL" if plan.command else "PROJECT"
        self.prepared = Prepared("local")
        self.entry: EntryPoint | None = None
        self._code: Code | None = None
        self._source: Source | None = None
        self.place = self.another()

    @classmethod
    def make(
        cls,
        repository: Repository,
        plan: SweepPlan,
        facts: Facts,
        progress: Callable[[str], object] | None = None,
        source: Source | None = None,
    ) -> Site:
        """Put the code into a folder, read the project in it and prepare its environment.

        Args:
            repository: Where runs are recorded.
            plan: What is run.
            facts: The code, in *repository*.
            progress: Told in a sentence what takes long.
            source: Where the code was found, if it is not the repository's work tree.

        Raises:
            NotFound: Something of the code, or the folder that is named, is not there.
            ProjectError, EntryPointNotFound, ParameterError: The project can't be run so.
            EnvironmentFailed: Its environment can't be made.
            UsageError: There is no tree to run.
        """
        from ledgit.projects.workfolder import WorkFolder

        def folder() -> WorkFolder | None:
            if plan.in_place:
                return None
            if facts.tree is None:
                hint = "run the trials with --in-place, or set it to full"
                raise UsageError(f"ledgit.snapshot is none, so there is no copy of the code for a sweep; {hint}")
            return WorkFolder.make(repository.repo, facts.tree, facts.commit, caches=source.caches if source else ())

        try:
            site = cls(repository, plan, facts, folder)
        except BaseException:
            facts.release()
            if source is not None:
                source.release()
            raise
        site._source = source
        try:
            if not plan.command:
                site._read(progress)
        except BaseException:
            site.close()
            raise
        return site

    def another(self) -> Place:
        """Return a further folder.

        Raises:
            GitFailed, StorageError: It can't be made.
        """
        work = self._make()
        top = self.repository.path if work is None else work.path
        return Place(top, self.plan.directory, work)

    def close(self) -> None:
        """Remove the first folder, and let go of the code's objects: runs keep them."""
        self.place.remove()
        self.facts.release()
        if self._source is not None:
            self._source.release()

    def _read(self, progress: Callable[[str], object] | None) -> None:
        from ledgit.projects.mlproject import read_project

        called = self._source.called() if self._source is not None else ""
        users = os.path.join(self.repository.repo.work_tree or "", self.plan.directory)
        project = read_project(self.place.folder, called or os.path.basename(users.rstrip("/")))
        self.entry = project.entry_point(self.plan.entry_point)
        if self.plan.executor == "local":
            self._prepare(project, self.plan.manager, progress)

    def _prepare(self, project: Project, manager: str, progress: Callable[[str], object] | None) -> None:
        from ledgit.projects.environments import prepare
        from ledgit.store.facts import environment_facts

        self.prepared = prepare(project.environment, project, manager, cache_folder(), progress=progress)
        python = self.prepared.python
        if python and os.path.dirname(python) != os.path.dirname(sys.executable):
            self.facts = self.facts.with_environment(environment_facts(self.place.folder, python))

    def check(self, space: Space, base: str) -> dict[str, str]:
        """Try every value that the plan names, and return the space with local paths made absolute.

        Args:
            space: What is tried.
            base: The folder that given paths are relative to.

        Raises:
            ParameterError: A value is not of its parameter's type, a parameter has none, or is misspelled.
            ProjectError: The entry point's command can't be filled.
            UsageError: There is no such program.
        """
        texts = space.texts()
        given: dict[str, Any] = {one.name: one.at(0.0) for one in space.dimensions}
        words, _ = self.words_of(given, base)
        if self.plan.executor == "local" and self.prepared.manager != "docker":
            from ledgit.projects.launching import check_program

            check_program(words[0], self.environ("", "", self.place), self.place.folder)
        if self.entry is None:
            return texts
        from ledgit.projects.parameters import bind

        for one in space.dimensions:
            declared = self.entry.parameters.get(one.name)
            values = one.values if isinstance(one, Choice) else (one.at(0.0), one.at(1 - 2**-53))
            bound = [bind(self.entry, {**given, one.name: value}, base, self.place.folder) for value in values]
            if any(each.downloads for each in bound):
                raise ParameterError(self.entry.name, one.name, "is an address; a sweep needs the path of a copy")
            if declared is not None and declared.type == "path" and self.plan.executor == "local":
                paths: list[Any] = [each.values[one.name] for each in bound]
                texts[one.name] = parse_dimension(one.name, paths).text
        return texts

    def words_of(self, params: Mapping[str, Scalar], base: str = "") -> tuple[list[str], dict[str, Scalar]]:
        """Return the command of a trial without what starts it in its environment, and what its run records."""
        values = {name: value for name, value in params.items() if value is not None}
        if self.entry is None:
            return fill_places(self.plan.command, values), dict(values)
        from ledgit.projects.commands import argv, fill, shell
        from ledgit.projects.parameters import bind

        bound = bind(self.entry, values, base or self.place.folder)
        return argv(self.entry, bound) or shell(fill(self.entry, bound)), {**values, **bound.typed}

    def order(
        self,
        run_id: str,
        parent: str,
        number: int,
        attempt: int,
        params: Mapping[str, Scalar],
        name: str,
        *,
        here: bool,
    ) -> TrialOrder:
        """Return the order for one attempt.

        Args:
            run_id: The attempt's run.
            parent: The sweep's run.
            number: The trial's.
            attempt: The attempt's.
            params: The values of the sweep's parameters.
            name: Name of the run.
            here: It runs on this machine, in the user's clone.
        """
        plan, facts = self.plan, self.facts
        words, recorded = self.words_of(params)
        return TrialOrder(
            run_id=run_id,
            code=self.code(here=here),
            parent_run=parent,
            number=number,
            attempt=attempt,
            command=tuple(words) if here or plan.command else (),
            entry_point=plan.entry_point or _script(words),
            given=dict(params),
            params=recorded if here or plan.command else None,
            experiment=plan.experiment,
            name=name,
            tags=self._tags(number, attempt) if here else dict(plan.tags),
            directory=plan.directory,
            manager="local" if plan.command else plan.manager,
            code_facts=facts.code,
            identity=(facts.identity, facts.name, facts.email),
            source=plan.source,
            timeout=plan.timeout,
            grace=plan.grace,
            metric=plan.metric if plan.pruner not in ("", "none") else "",
        )

    def _tags(self, number: int, attempt: int) -> dict[str, str]:
        from ledgit.projects.sweeps.trials import ATTEMPT, TRIAL

        tags = {**self.plan.tags, TRIAL: str(number), ATTEMPT: str(attempt)}
        if self.entry is not None:
            tags["ledgit.project.env"] = self.prepared.label
        return tags

    def code(self, *, here: bool) -> Code:
        """Return the code as an order has it; for workers, with its objects."""
        if self._code is None:
            from ledgit.projects.executors.orders import code_of

            tree, commit = self.facts.tree or "", self.facts.commit
            self._code = Code(tree, commit) if here else code_of(self.repository, commit, tree)
        return self._code

    def words(self, order: TrialOrder, place: Place) -> list[str]:
        """Return what is started in *place*: the order's command in its environment."""
        return self.prepared.command(order.command, place.top, names=_HANDED_ON)

    def environ(self, run_id: str, parent: str, place: Place) -> dict[str, str]:
        """Return the variables of the command of run *run_id*, a trial of the sweep *parent*."""
        found = {**place.environ(self.prepared), MARK: parent}
        for name in ("LEDGIT_RUN_ID", "MLFLOW_RUN_ID"):
            if name in found:
                found[name] = run_id
        return found


def _script(words: list[str]) -> str:
    """Return the script among the words, else the program."""
    scripts = (".py", ".sh", ".ipynb", ".R", ".jl")
    return next((word for word in words if word.endswith(scripts)), words[0] if words else "")
