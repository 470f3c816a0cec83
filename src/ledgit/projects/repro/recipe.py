"""All that a repetition of a run needs, as the run's commit has it, and what was not recorded."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ledgit.errors import RunStateError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ledgit.records import Environment, InputRecord, RunRecord
    from ledgit.records.scalars import Scalar
    from ledgit.repository import Run

__all__ = ["Lacking", "Recipe", "Redacted", "python_script", "recipe_of", "recipe_of_record"]

REDACTED = "***"
_WITH_VALUE = {"-W", "-X", "--check-hash-based-pycs"}
_NAME_BEFORE = re.compile(r"([A-Za-z_][A-Za-z0-9_.-]*)[\"']?\s*[=:]?\s*[\"']?$")


@dataclass(frozen=True, slots=True)
class Lacking:
    """Something that the run did not record.

    Attributes:
        what: ``command``, ``code``, ``secret``, ``left out``, ``submodule``, ``environment`` or ``directory``.
        text: What is missing, and what to do.
        fatal: Without it the run can't be repeated.
    """

    what: str
    text: str
    fatal: bool = False

    def to_dict(self) -> dict[str, object]:
        """Return it for JSON."""
        return {"what": self.what, "text": self.text, "fatal": self.fatal}


@dataclass(frozen=True, slots=True)
class Redacted:
    """A word of the command with a secret in it that was left out: *name* is what ``--set NAME=VALUE`` calls it."""

    place: int
    name: str


@dataclass(frozen=True, slots=True)
class Recipe:
    """What it takes to repeat a run.

    Attributes:
        run_id: The run.
        name: What people call it.
        experiment: Label of its experiment.
        head: The run's newest commit, whose tree has the code.
        commit: The code commit that was checked out; None where there was none.
        branch: The branch that was checked out.
        tree: The code as it was, uncommitted changes included; None where that was not recorded.
        directory: Where below the top of the tree the command ran; "" at the top.
        command: The command line, without its secrets.
        redacted: Which words of it lack a secret.
        entry_point: The script, or the project's entry point.
        params: As they were logged.
        environment: Interpreter, packages and machine; None if they were not recorded.
        inputs: Data sets.
        left_out: (path, bytes, reason) of files that are not in *tree*.
        submodules: Those that had changes of their own.
        source_type: ``LOCAL``, ``NOTEBOOK``, ``PROJECT`` or ``JOB``.
        manager: Of the environment of a project's run: ``local``, ``uv`` …; "" of others.
        start: When the run started, ms since the epoch.
        end: When it ended.
        lacking: What was not recorded.
    """

    run_id: str
    name: str
    experiment: str
    head: str | None
    commit: str | None
    branch: str | None
    tree: str | None
    directory: str = ""
    command: tuple[str, ...] = ()
    redacted: tuple[Redacted, ...] = ()
    entry_point: str = ""
    params: Mapping[str, Scalar] = field(default_factory=dict)
    environment: Environment | None = None
    inputs: tuple[InputRecord, ...] = ()
    left_out: tuple[tuple[str, int, str], ...] = ()
    submodules: tuple[str, ...] = ()
    source_type: str = "LOCAL"
    manager: str = ""
    start: int = 0
    end: int | None = None
    lacking: tuple[Lacking, ...] = ()

    @property
    def repeatable(self) -> bool:
        """Whether nothing is missing without which it can't be repeated."""
        return not any(one.fatal for one in self.lacking)

    def to_dict(self) -> dict[str, object]:
        """Return it for JSON."""
        environment = self.environment
        return {
            "run": self.run_id,
            "name": self.name,
            "experiment": self.experiment,
            "commit": self.commit,
            "tree": self.tree,
            "directory": self.directory,
            "command": list(self.command),
            "redacted": [one.name for one in self.redacted],
            "entry_point": self.entry_point,
            "params": dict(self.params),
            "python": None if environment is None else environment.python or None,
            "packages": 0 if environment is None else len(environment.packages),
            "inputs": [{"name": one.name, "digest": one.digest, "context": one.context} for one in self.inputs],
            "lacking": [one.to_dict() for one in self.lacking],
            "repeatable": self.repeatable,
        }


def recipe_of(run: Run) -> Recipe:
    """Return what it takes to repeat *run*; whatever is missing is in :attr:`Recipe.lacking`.

    Raises:
        RunStateError: It is still running, or deleted.
        NotHere: Its commit is not in this clone, and was not to be fetched.
    """
    if run.active or run.status in ("RUNNING", "SCHEDULED"):
        raise RunStateError(f"run {run.name} is still running; repeat it when it has ended")
    if run.deleted:
        raise RunStateError(f"run {run.name} is deleted; 'ledgit restore {run.id[:8]}' brings it back")
    return recipe_of_record(run.record(), run.name, run.state.experiment, run.head)


def recipe_of_record(record: RunRecord, name: str, experiment: str, head: str | None) -> Recipe:
    """Return the recipe that *record* holds; *name*, *experiment* and *head* are those that count now."""
    info = record.info
    code = info.code
    command = tuple(info.command)
    redacted = tuple(
        Redacted(place, _secret_name(command, place)) for place in range(len(command)) if _has(command, place)
    )
    submodules = tuple(path for path, facts in sorted(code.submodules.items()) if facts.get("dirty"))
    lacking = [
        *_no_command(command, info.source_type, record.tags),
        *(Lacking("secret", _secret_text(one)) for one in redacted),
        *(Lacking("left out", f"{_left_out(path, size, why)}") for path, size, why in code.left_out),
        *(Lacking("submodule", f"changes in the submodule {path} are in no snapshot") for path in submodules),
    ]
    if code.tree is None and code.commit is None:
        text = (
            "the run recorded no code (it was imported, or made with 'ledgit.snapshot = none'); --code REV names some"
        )
        lacking.append(Lacking("code", text, fatal=True))
    elif code.tree is None:
        text = f"the run recorded only the commit {(code.commit or '')[:12]} ('ledgit.snapshot = none')"
        lacking.append(Lacking("code", text + (", and there were uncommitted changes" if code.dirty else "")))
    if record.environment is None or not record.environment.packages:
        lacking.append(Lacking("environment", "the run recorded no packages, so the present interpreter's are used"))
    return Recipe(
        run_id=info.id,
        name=name,
        experiment=experiment,
        head=head,
        commit=code.commit,
        branch=code.branch,
        tree=code.tree,
        directory=info.directory.strip("/"),
        command=command,
        redacted=redacted,
        entry_point=info.entry_point,
        params=dict(record.params),
        environment=record.environment,
        inputs=tuple(record.inputs),
        left_out=code.left_out,
        submodules=submodules,
        source_type=info.source_type,
        manager=record.tags.get("ledgit.project.env", "").partition(" ")[0],
        start=info.start,
        end=info.end,
        lacking=tuple(lacking),
    )


def python_script(command: Sequence[str]) -> tuple[str, int] | None:
    """Return what a Python command line runs, and at which word: ``-c``, ``-m``, ``-`` or a script.

    ``("", place)`` where it runs nothing: a prompt. None of another program's command line.
    """
    if not command or not re.fullmatch(r"(?:python|pypy)[0-9.]*(?:\.exe)?", os.path.basename(command[0])):
        return None
    place = 1
    while place < len(command):
        word = command[place]
        if word in _WITH_VALUE:
            place += 2
            continue
        if word == "-" or not word.startswith("-"):
            return word, place
        if not word.startswith("--"):
            for letter in word[1:]:
                if letter in "cm":
                    return f"-{letter}", place
                if letter in "WX":
                    break
        place += 1
    return "", place


def _has(command: Sequence[str], place: int) -> bool:
    return REDACTED in command[place]


def _no_command(command: tuple[str, ...], source_type: str, tags: Mapping[str, str]) -> list[Lacking]:
    """Say why the command line can't be run again, if so."""

    def no(text: str) -> list[Lacking]:
        return [Lacking("command", text, fatal=True)]

    if not command:
        return no(
            "it recorded no command: it was imported, or logged with 'ledgit record', so nothing tells which program"
            " made its values"
        )
    if source_type == "NOTEBOOK" or any("ipykernel" in word or "colab_kernel" in word for word in command[:4]):
        return no(
            "the run was made in a notebook, cell by cell, and which cells ran is not recorded; run the notebook as"
            " a whole with 'ledgit run -- jupyter execute NOTEBOOK', and repeat that run"
        )
    script = python_script(command)
    if script is not None:
        word, place = script
        if word == "" or any(re.fullmatch(r"-[A-VY-Za-z]*i[A-Za-z]*", one) for one in command[1:place]):
            return no("the run was made at Python's prompt, and what was typed is not recorded; put it into a script")
        if word == "-":
            return no("the program came through standard input, which is not recorded; put it into a script")
        words = [os.path.basename(word), *command[place + 1 : place + 4]]
        if word == "-m":
            words = list(command[place + 1 : place + 4])
    else:
        words = [os.path.basename(command[0]), *command[1:4]]
        if words[0] in ("ipython", "ipython3", "jupyter-console", "bpython", "ptpython") and len(command) == 1:
            return no("the run was made at a prompt, and what was typed is not recorded; put it into a script")
    if words[0] in ("ledgit", "git-ledgit") and "record" in words:
        return no("the run was logged with 'ledgit record', so which program made its values is not recorded")
    if (words[0] in ("ledgit", "git-ledgit") and "sweep" in words) or "ledgit.sweep" in tags:
        return no("the run is a sweep; its trials are runs that can be repeated")
    return []


def _secret_name(command: Sequence[str], place: int) -> str:
    """Return the name of the option or variable whose value was left out, or the word's number."""
    before, _, _ = command[place].partition(REDACTED)
    found = _NAME_BEFORE.search(before)
    if found:
        return found.group(1).lstrip("-")
    previous = command[place - 1] if place else ""
    if not before and previous.startswith("-") and "=" not in previous:
        return previous.lstrip("-")
    return str(place)


def _secret_text(one: Redacted) -> str:
    return f"the value of {one.name!r} in the command was left out as a secret; --set {one.name}=VALUE gives it"


def _left_out(path: str, size: int, why: str) -> str:
    if path == ".":
        return f"not all of the code is in the run's snapshot: {why}"
    return f"{path} is not in the run's snapshot: {why}" + (f" ({size:,} bytes)" if size else "")
