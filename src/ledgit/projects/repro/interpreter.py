"""The environment of a repetition: the present interpreter if it has what was recorded, else one made anew."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ledgit.errors import EnvironmentFailed
from ledgit.projects.repro.blame import Pair, packages_differ
from ledgit.projects.repro.findings import listed
from ledgit.projects.repro.recipe import python_script
from ledgit.records import Environment

if TYPE_CHECKING:
    from ledgit.projects.environments.prepared import Prepared
    from ledgit.projects.repro.recipe import Recipe

__all__ = ["Chosen", "choose", "describe", "present_interpreters"]

_QUESTION = "import json, sys; print(json.dumps(sys.path[1:]))"
_PATIENCE = 20.0


@dataclass(frozen=True, slots=True)
class Chosen:
    """What a repetition runs in.

    Attributes:
        prepared: What starts a command in it.
        facts: It, as runs record environments.
        sys_path: Where its interpreter looks for modules.
        rebuilt: It was made from what the run recorded (or found among those that were).
        lacking: What of the recorded packages the present interpreter has not, or has in another version.
        why: Why it is this one, in a sentence.
        notes: What of it could not be made.
    """

    prepared: Prepared
    facts: Mapping[str, Any]
    sys_path: tuple[str, ...]
    rebuilt: bool
    lacking: tuple[Pair, ...]
    why: str
    notes: tuple[str, ...] = ()

    @property
    def environment(self) -> Environment:
        """It, as it is compared."""
        return describe(self.facts)

    @property
    def python(self) -> str:
        """The interpreter."""
        return self.prepared.python or sys.executable


def choose(
    recipe: Recipe, manager: str | None, cache: str, folder: str, progress: Callable[[str], object] | None = None
) -> Chosen:
    """Return the environment for a repetition.

    Args:
        recipe: The run's.
        manager: ``local``: the present interpreter, whatever it has. Another one: made by that. None: the present
            one if it has all that was recorded, else made anew.
        cache: Where environments are kept.
        folder: Where a lock file may be.
        progress: Is told what takes long.

    Raises:
        EnvironmentFailed: It can't be made.
    """
    from ledgit.projects.environments.prepared import Prepared
    from ledgit.store.facts import environment_facts

    recorded = recipe.environment
    if recipe.manager == "docker" and manager != "local":
        raise EnvironmentFailed(
            "docker",
            "the run was made in a container, which is not made again yet; 'ledgit run' with the same parameters and"
            " 'ledgit diff' do, --env-manager local runs it outside of a container",
        )
    python, facts, lacking = _best(recipe, folder)
    if manager == "local" or (manager is None and not lacking) or recorded is None or not recorded.packages:
        if lacking:
            why = f"the present interpreter, as asked for, though {others(lacking)}"
        elif recorded is None or not recorded.packages:
            why = "the present interpreter: the run recorded no packages"
        else:
            why = "the present interpreter: it has what was recorded"
        path = (os.path.dirname(python),) if os.path.basename(os.path.dirname(python)) == "bin" else ()
        local = Prepared("local", python=python, path=path)
        return Chosen(local, facts, _sys_path(python), False, tuple(lacking), why)
    prepared, notes = _rebuild(recorded, manager, cache, folder, progress)
    facts = environment_facts(folder, prepared.python)
    told = listed([f"{name} {old or 'none'}, not {new or 'none'}" for name, old, new in lacking], 3)
    why = "an environment made from what was recorded" + (f": {told}" if lacking else ", as asked for")
    return Chosen(prepared, facts, _sys_path(prepared.python), True, tuple(lacking), why, tuple(notes))


def others(lacking: Sequence[Pair]) -> str:
    return "a package is another" if len(lacking) == 1 else f"{len(lacking)} packages are others"


def _best(recipe: Recipe, folder: str) -> tuple[str, dict[str, Any], list[Pair]]:
    """Return the first of the present interpreters that has what was recorded, else the first; and what it lacks."""
    from ledgit.store.facts import environment_facts

    recorded = recipe.environment
    first: tuple[str, dict[str, Any], list[Pair]] | None = None
    for python in present_interpreters(recipe.command):
        facts = environment_facts(folder, None if python == sys.executable else python)
        lacking: list[Pair] = []
        if recorded is not None and recorded.packages:
            present = describe(facts)
            # What is here besides was not there to be imported.
            lacking = [pair for pair in packages_differ(recorded, present) if pair[1] is not None]
            if recorded.python and recorded.python != present.python:
                lacking.insert(0, ("python", recorded.python, present.python))
        if not lacking:
            return python, facts, lacking
        first = first or (python, facts, lacking)
    assert first is not None
    return first


def present_interpreters(command: tuple[str, ...]) -> list[str]:
    """Return the interpreters that *command* could be run by here: that of its first word, and Ledgit's own."""
    import shutil

    found = []
    if python_script(command) is not None:
        word = command[0]
        if os.path.isabs(word):
            found += [word] if os.access(word, os.X_OK) else []
        else:
            found += [path for path in [shutil.which(os.path.basename(word))] if path is not None]
    return list(dict.fromkeys([*found, sys.executable]))


def describe(facts: Mapping[str, Any]) -> Environment:
    """Return *facts*, as a run records them, as the environment that is read from it again."""
    known = {key: facts.get(key) for key in Environment.__dataclass_fields__}
    filled = {key: value for key, value in known.items() if value is not None}
    return Environment(**{**filled, "gpus": tuple(filled.get("gpus", ()))})


def _rebuild(
    recorded: Environment,
    manager: str | None,
    cache: str,
    folder: str,
    progress: Callable[[str], object] | None,
) -> tuple[Prepared, list[str]]:
    from ledgit.projects.environments import prepare
    from ledgit.projects.environments.recorded import from_recorded
    from ledgit.projects.mlproject import Project

    wanted = from_recorded(recorded, folder=folder)
    try:
        spec = wanted.spec()
        try:
            made = prepare(spec, Project("repro", {}, spec, folder), manager or "", cache, progress=progress)
        except EnvironmentFailed:
            without = from_recorded(recorded, folder=folder, fetch=False)
            if without.requirements == wanted.requirements:
                raise
            # A repository that is gone, a folder that can't be built any more: the program may do without.
            wanted, spec = without, without.spec()
            made = prepare(spec, Project("repro", {}, spec, folder), manager or "", cache, progress=progress)
    except EnvironmentFailed as error:
        raise EnvironmentFailed(
            error.manager, f"{error.reason}\n--env-manager local runs it in what is here, and says what differs"
        ) from None
    return made, [str(one) for one in wanted.lacking] + list(made.notes)


def _sys_path(python: str) -> tuple[str, ...]:
    """Return where *python* looks for modules."""
    if python == sys.executable:
        return tuple(entry for entry in sys.path if entry)
    import json
    import subprocess

    try:
        done = subprocess.run([python, "-c", _QUESTION], capture_output=True, timeout=_PATIENCE, check=True)
        return tuple(str(entry) for entry in json.loads(done.stdout))
    except (OSError, ValueError, subprocess.SubprocessError):
        return ()
