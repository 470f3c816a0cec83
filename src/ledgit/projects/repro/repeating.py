"""Repeat a run: its code in a fresh work folder, its environment, its data, its command; then judge what came out."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from ledgit.errors import NotFound, RunStateError, UsageError
from ledgit.projects.repro.executing import REPRO, Executed, Order, execute, outcome_of
from ledgit.projects.repro.recipe import Recipe, recipe_of
from ledgit.projects.repro.reproduction import Plan, Reproduction, ReproOptions
from ledgit.projects.repro.verdict import FAILED, Verdict, judge

if TYPE_CHECKING:
    from ledgit.projects.repro.codetree import CodeTree
    from ledgit.projects.repro.data import InputCheck
    from ledgit.projects.repro.interpreter import Chosen
    from ledgit.projects.workfolder import WorkFolder
    from ledgit.repository import Repository, Run
    from ledgit.store.given import Facts

__all__ = ["VERDICT", "make_plan", "reproduce"]

VERDICT = "ledgit.repro.verdict"
REASONS = "ledgit.repro.reasons"
_MOST_REASONS = 20
_ENVIRONMENT = "ledgit.project.env"
#: Repeats at most where ``--repeats`` does not say: enough to see whether chance is at work.
_MOST = 3

Tell = Callable[[str], object]


def make_plan(repository: Repository, run: Run, options: ReproOptions) -> Plan:
    """Return what :func:`reproduce` would do; no folder and no environment is made.

    Raises:
        RunStateError, NotHere, NotFound: As :func:`reproduce`.
    """
    from ledgit.projects.repro.interpreter import choose, others

    recipe = _recipe(run, options)
    code = _code(repository, recipe, options)
    try:
        chosen = choose(recipe, "local", options.cache, repository.path)
        anew = bool(chosen.lacking) and options.manager is None
        manager = options.manager or ("the default manager" if anew else "local")
        why = f"made anew: here {others(chosen.lacking)} than recorded" if anew else chosen.why
        return Plan(recipe, options.code, code.tree, why, manager, chosen.lacking)
    finally:
        code.release()


def reproduce(
    repository: Repository,
    run: Run,
    options: ReproOptions,
    tell: Tell | None = None,
    siblings: Sequence[Run] = (),
) -> Reproduction:
    """Repeat *run*, record its repetitions as runs, and say whether it came out the same.

    Args:
        repository: Where it is.
        run: A run that has ended.
        options: How.
        tell: Is told what takes long, and what is done, in a line.
        siblings: Other runs of the same command and code: where the command makes many runs, they are judged with
            it, see :attr:`Reproduction.siblings`.

    Raises:
        RunStateError: It is running or deleted, or was recorded without what it takes to repeat it.
        UsageError: A secret of its command was not given.
        NotHere, NotFound: Its commit, or the code asked for, is not in this clone.
        EnvironmentFailed: Its environment can't be made.
        KeyboardInterrupt: Somebody pressed Ctrl-C; what ran is recorded as KILLED.
    """
    from ledgit.projects.workfolder import WorkFolder, remove_dead

    recipe = _recipe(run, options)
    remove_dead(repository)
    code = _code(repository, recipe, options)
    try:
        with WorkFolder.make(repository, code.tree, code.commit) as work:
            attempt = Attempt(repository, run, recipe, options, code, work, tell or _nobody)
            attempt.siblings_wanted = tuple(siblings)
            return attempt.go()
    finally:
        code.release()


def _nobody(_text: str) -> None:
    return


def _recipe(run: Run, options: ReproOptions) -> Recipe:
    recipe = recipe_of(run)
    fatal = [one for one in recipe.lacking if one.fatal and not (one.what == "code" and options.code)]
    if fatal:
        raise RunStateError(f"run {recipe.name} can't be repeated: {fatal[0].text}")
    return recipe


def _code(repository: Repository, recipe: Recipe, options: ReproOptions) -> CodeTree:
    from ledgit.projects.repro.codetree import code_tree, tree_at

    if options.code is not None:
        return tree_at(repository.repo, options.code)
    return code_tree(repository.repo, recipe)


class Attempt:
    """One reproduction at work."""

    def __init__(
        self,
        repository: Repository,
        run: Run,
        recipe: Recipe,
        options: ReproOptions,
        code: CodeTree,
        work: WorkFolder,
        tell: Tell,
    ) -> None:
        self.repository, self.original, self.recipe, self.options = repository, run, recipe, options
        self.code, self.work, self.tell = code, work, tell
        self.executed: list[Executed] = []
        self.checks: list[InputCheck] = []
        self.notes: list[str] = []
        self.site_folders: tuple[str, ...] = ()
        self.siblings_wanted: tuple[Run, ...] = ()
        self.siblings: list[Reproduction] = []
        self._named = self._started = 0

    def go(self) -> Reproduction:
        """Do all of it."""
        from ledgit.projects.environments import hold
        from ledgit.projects.repro.interpreter import choose
        from ledgit.projects.repro.words import with_secrets

        recipe, options = self.recipe, self.options
        words = with_secrets(recipe, options.secrets)
        self._check_folder()
        chosen = choose(recipe, options.manager, options.cache, self.work.path, self.tell)
        with hold(chosen.prepared):
            return self._go_in(chosen, words)

    def _go_in(self, chosen: Chosen, words: tuple[str, ...]) -> Reproduction:
        from ledgit.projects.repro.words import refit

        recipe, options, work = self.recipe, self.options, self.work
        if chosen.rebuilt or chosen.lacking:
            self.tell(f"environment: {chosen.why}")
        self.notes += chosen.notes
        self.site_folders = tuple(entry for entry in chosen.sys_path if _has_packages(entry))
        self._get_data()
        work.note_state()
        top = self.repository.repo.work_tree
        command = refit(
            words, top, work.path, chosen.python, lambda path: os.path.isfile(os.path.join(work.path, path))
        )
        facts = self._facts(chosen)
        before = _code_folders(chosen, top, work.path)
        order = Order(
            self.repository,
            self.original,
            recipe,
            tuple(command),
            work,
            chosen,
            facts,
            before=before,
            timeout=options.timeout,
            show=options.show,
            trace=options.trace,
        )
        where = f" in {recipe.directory}/" if recipe.directory else ""
        self.tell(f"running{where}: {' '.join(recipe.command)}")
        self._named = self._earlier()
        verdict = self._repeat(order)
        self._record(self.executed, verdict)
        self.siblings = self._judge_siblings(chosen)
        diagnosis = None
        if options.diagnose:
            from ledgit.projects.repro.diagnosing import diagnose

            diagnosis = diagnose(self, order, verdict)
        return Reproduction(
            recipe,
            verdict,
            tuple(one.run.id for one in self.executed),
            tuple(one.run.name for one in self.executed),
            chosen.why,
            chosen.prepared.label,
            options.code,
            tuple(self.checks),
            sum(one.seconds for one in self.executed),
            diagnosis,
            tuple(self.siblings),
        )

    # ------------------------------------------------------------------ before

    def _check_folder(self) -> None:
        try:
            self.work.folder(self.recipe.directory)
        except (NotFound, UsageError):
            where = "the code that was asked for" if self.options.code else "the run's tree"
            said = f"run {self.recipe.name} ran in {self.recipe.directory}/, which {where} has not"
            raise RunStateError(said) from None

    def _get_data(self) -> None:
        from ledgit.projects.repro.data import fetch_inputs, fetch_tracked

        if any("DVC" in problem for problem in self.work.problems):
            self.tell("getting what DVC tracks from its remote")
            self.notes += fetch_tracked(self.work.path)
        self.notes += [problem for problem in self.work.problems if "DVC" not in problem]
        self.checks = fetch_inputs(self.recipe, self.work.path, self.repository.repo.work_tree)
        for check in self.checks:
            if check.differs:
                self.tell(f"data: {check.name}: {check.how}")

    def _facts(self, chosen: Chosen) -> Facts:
        from ledgit.store.given import take_facts

        facts = take_facts(
            self.repository.repo,
            chosen.python,
            self.code.tree,
            self.code.commit,
            branch=None if self.options.code else self.recipe.branch,
            folder=self.work.path,
        )
        return facts.with_environment(chosen.facts)

    def _earlier(self) -> int:
        """Return how many repetitions of the run there are already: names are numbered."""
        return len(self.repository.runs.filter(f"tags.\"ledgit.repro\" = '{self.recipe.run_id}'"))

    # ------------------------------------------------------------------ the command

    def _repeat(self, order: Order) -> Verdict:
        wanted = self.options.repeats
        while True:
            self.executed.append(self.run_once(order))
            verdict = self.judge()
            done = len(self.executed)
            if wanted is not None:
                if done >= wanted:
                    return verdict
            else:
                # Two signs are enough: it is explained, it fails, it was looked at twice.
                signs = (bool(verdict.classes), verdict.level == FAILED, done > 1)
                if verdict.reproduced or done >= _MOST or sum(signs) > 1:
                    return verdict
                self.tell("it came out otherwise; once more, to see whether chance is at work")

    def run_once(self, order: Order, tags: Mapping[str, str] | None = None) -> Executed:
        """Run the command in the work folder as it was at first, and return the run that is the partner."""
        from ledgit.projects.repro.matching import further_runs, partners

        if self._started:
            self.work.reset()
        self._started += 1
        self._named += 1
        name = f"{self.recipe.name}-repro" + (f"-{self._named}" if self._named > 1 else "")
        label = order.chosen.prepared.label
        done = execute(order, name, {_ENVIRONMENT: label, **(tags or {})})
        if done.interrupted:
            raise KeyboardInterrupt
        others = further_runs(self.repository, done.run.id)
        if not others:
            return done
        found = partners(self.repository, self.original, (done.run, *others))
        done = replace(done, made=found)
        other = found[self.original.id]
        if other.id == done.run.id:
            return done
        return self._exchange(done, other, tags or {})

    def _exchange(self, done: Executed, other: Run, tags: Mapping[str, str]) -> Executed:
        """Let *other*, a further run of the same execution, be the repetition."""
        from ledgit.projects.repro.executing import BY

        other.set_tags({REPRO: self.recipe.run_id, **tags})
        done.run.set_tags({BY: done.run.id})
        done.run.delete_tag(REPRO)
        record = other.record()
        return replace(done, run=other, record=record, outcome=outcome_of(other, record, done.outcome.problem))

    # ------------------------------------------------------------------ after

    def judge(self) -> Verdict:
        """Return the verdict on what was executed so far."""
        return self._verdict(self.original, self.recipe, self.executed)

    def _verdict(self, run: Run, recipe: Recipe, executed: list[Executed]) -> Verdict:
        from ledgit.projects.repro.explaining import Explaining

        first = executed[0]
        explaining = Explaining(self.repository, recipe, self.code, self.options, self.work.path, first)
        checks = self.checks if recipe is self.recipe else ()
        findings = explaining.findings(checks, self.site_folders, run)
        original = outcome_of(run, run.record())
        repeats = [one.outcome for one in executed]
        verdict = judge(original, repeats, findings, self.options.tolerance, self.notes)
        return replace(verdict, notes=(*verdict.notes, *explaining.guesses())) if verdict.unexplained else verdict

    def _judge_siblings(self, chosen: Chosen) -> list[Reproduction]:
        """Judge the other runs of the same command by what it made, as far as that settles it."""
        found: list[Reproduction] = []
        if not all(one.made for one in self.executed):
            return found
        used = {one.run.id for one in self.executed}
        for run in self.siblings_wanted:
            executed = []
            if not all(run.id in one.made for one in self.executed):
                continue  # another execution of the command made it, or this one did not
            for one in self.executed:
                other = one.made[run.id]
                record = other.record()
                outcome = outcome_of(other, record, one.outcome.problem)
                executed.append(replace(one, run=other, record=record, outcome=outcome))
            ids = {one.run.id for one in executed}
            if ids & used:
                continue
            recipe = recipe_of(run)
            verdict = self._verdict(run, recipe, executed)
            if not verdict.reproduced and self.options.repeats is None and len(executed) < 2:
                continue  # whether chance is at work has to be looked at
            used |= ids
            for one in executed:
                one.run.set_tags({REPRO: run.id})
            self._record(executed, verdict)
            names = tuple(one.run.name for one in executed)
            runs = tuple(one.run.id for one in executed)
            found.append(
                Reproduction(recipe, verdict, runs, names, chosen.why, chosen.prepared.label, self.options.code)
            )
        return found

    def _record(self, executed: list[Executed], verdict: Verdict) -> None:
        """Write the verdict into the runs that are repetitions."""
        runs = [self.repository.run(one.run.id) for one in executed]
        tags = {VERDICT: verdict.tag}
        if verdict.reasons:
            tags[REASONS] = "\n".join(f"{one.kind}: {one.text}" for one in verdict.reasons[:_MOST_REASONS])
        self.repository.tag_runs(runs, tags)


def _has_packages(folder: str) -> bool:
    """Whether packages are installed in *folder*: where the interpreter keeps them, or by ``pip --target``."""
    if folder.endswith("-packages"):
        return True
    try:
        return any(name.endswith(".dist-info") for name in os.listdir(folder))
    except OSError:
        return False


def _code_folders(chosen: Chosen, top: str | None, folder: str) -> tuple[str, ...]:
    """Return where the work folder has what the interpreter would take from the user's work tree: editable installs."""
    if top is None:
        return ()
    found = []
    for entry in chosen.sys_path:
        inner = os.path.relpath(entry, top) if entry.startswith(top.rstrip("/") + "/") else None
        if inner is not None and "site-packages" not in inner and os.path.isdir(os.path.join(folder, inner)):
            found.append(os.path.join(folder, inner))
    return tuple(found)
