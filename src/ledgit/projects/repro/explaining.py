"""What differs between a run and its repetition, gathered class by class; what may be to blame where nothing does."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from ledgit.projects.repro.blame import environment_findings, hardware_findings
from ledgit.projects.repro.data import input_findings
from ledgit.projects.repro.executing import NOT_STARTED
from ledgit.projects.repro.findings import CODE, Finding, listed
from ledgit.projects.repro.interpreter import describe
from ledgit.projects.repro.watched import (
    Places,
    changed_code,
    named_files,
    unrecorded_files,
    wanted_modules,
    watched_findings,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ledgit.projects.repro.codetree import CodeTree
    from ledgit.projects.repro.data import InputCheck
    from ledgit.projects.repro.executing import Executed
    from ledgit.projects.repro.recipe import Recipe
    from ledgit.projects.repro.reproduction import ReproOptions
    from ledgit.repository import Repository, Run

__all__ = ["Explaining"]

_MOST_NAMED = 5
_NOT_FOUND = re.compile(r"No module named '(\w+)")


class Explaining:
    """Compares the facts of one execution with the recipe of the run it repeats."""

    def __init__(
        self,
        repository: Repository,
        recipe: Recipe,
        code: CodeTree,
        options: ReproOptions,
        folder: str,
        executed: Executed,
    ) -> None:
        repo = repository.repo
        home = options.home or os.path.expanduser("~")
        self.repository, self.recipe, self.code, self.options, self.executed = (
            repository,
            recipe,
            code,
            options,
            executed,
        )
        self.places = Places(folder, os.path.abspath(repo.common_dir), repo.work_tree, home, executed.began)

    def findings(self, checks: Iterable[InputCheck], folders: Sequence[str], original: Run) -> list[Finding]:
        """Return what differs.

        Args:
            checks: Of the data, before the command ran.
            folders: Where packages are installed.
            original: The run that is repeated.
        """
        from ledgit.tracking.data_dvc import find_tracked

        executed = self.executed
        failed = executed.outcome.status != "FINISHED"
        recorded, present = self.recipe.environment, executed.record.environment or describe({})
        found = self._other_code(original)
        found += watched_findings(
            self.recipe, executed.trace, self.places, lambda path: find_tracked(path) is not None, failed=failed
        )
        if executed.outcome.exit_code == 127 and NOT_STARTED in executed.outcome.problem:
            found.append(Finding(CODE, f"a program that is not in the repository: {executed.outcome.problem}"))
        logged = () if failed else tuple(executed.record.inputs)
        found += input_findings(checks, self.recipe.inputs, logged)
        found += environment_findings(recorded, present, executed.trace, folders)
        found += hardware_findings(recorded, present)
        return found + self._not_found(found)

    def _not_found(self, known: Sequence[Finding]) -> list[Finding]:
        """Return the module that the command failed for, where nothing else says where it was."""
        match = _NOT_FOUND.search(self.executed.outcome.problem)
        if match is None or any(re.search(rf"\b{match[1]}\b", one.text) for one in known):
            return []
        text = f"the module {match[1]} is neither in the run's tree nor among the packages that were recorded"
        return [Finding(CODE, f"{text}: PYTHONPATH may have named a folder with it, which is not recorded")]

    def guesses(self) -> list[str]:
        """Return what may be to blame where nothing that was recorded differs."""
        said = []
        unknown = unrecorded_files(self.recipe, self.executed.trace, self.places)
        if unknown:
            said.append(f"the program reads {listed(unknown)}, of which the run recorded no digest (log_input does)")
        for name, code in wanted_modules(self.executed.trace, self.places)[:_MOST_NAMED]:
            said.append(f"code: the module {name}, which {code} imports, is not found; PYTHONPATH may have named it")
        for path, code in named_files(self.executed.trace, self.places)[:_MOST_NAMED]:
            said.append(f"code: {path}, which {code} names, is in your work tree and not in the run's tree")
        said.append(
            "nothing that was recorded differs, and repeats agree; never recorded are environment variables, what"
            " comes over the network, and programs outside of the repository"
        )
        return said

    def _other_code(self, original: Run) -> list[Finding]:
        """Return what differs between the tree that ran and the run's own."""
        from ledgit.store.checkout import code_changes, has_tree

        recipe, repo = self.recipe, self.repository.repo
        if not self.code.whole:
            if not original.record().info.code.dirty:
                return []
            text = f"the run recorded only the commit {(recipe.commit or '')[:12]}, and there were uncommitted changes"
            return [Finding(CODE, text)]
        rev = self.options.code
        if rev is None:
            return []
        if recipe.tree is None or recipe.head is None or not has_tree(repo, recipe.head):
            return [Finding(CODE, f"{rev} instead of the run's own code, which was not recorded")]
        changed = [change.path for change in code_changes(repo, recipe.head, self.code.tree)]
        seen, other = changed_code(changed, self.executed.trace, self.places)
        found = []
        if seen:
            found.append(Finding(CODE, f"{rev} instead of the run's tree: other {listed(seen)}"))
        if other:
            text = f"{rev} instead of the run's tree: other {listed(other)}, which the program does not open"
            found.append(Finding(CODE, text, differs=False))
        return found
