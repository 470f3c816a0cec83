"""Jupyter: ``%load_ext ledgit``, the ``%%ledgit`` cell magic, and the cells that were executed.

Every run that ends in a notebook gets ``notebook/cells.py`` (the cells executed since the run
started, the current one too) as an artifact. A kernel that is restarted or shut down with a
run open ends it KILLED; one that is killed frees the run's lock, and every reader shows KILLED.
"""

from __future__ import annotations

import shlex
from typing import Any

from ledgit.errors import UsageError
from ledgit.tracking import runs

__all__ = ["load_ipython_extension", "unload_ipython_extension"]

USAGE = "%%ledgit [--name NAME] [--experiment NAME] [--tag KEY=VALUE] [--nested]"


def load_ipython_extension(shell: Any) -> None:
    """Switch on the ``%%ledgit`` cell magic; ``%load_ext ledgit`` calls this."""
    shell.register_magic_function(_magic(shell), magic_kind="cell", magic_name="ledgit")


def unload_ipython_extension(shell: Any) -> None:
    """Switch the cell magic off again."""
    shell.magics_manager.magics["cell"].pop("ledgit", None)


def _magic(shell: Any) -> Any:
    def ledgit(line: str, cell: str) -> None:
        """Run the cell inside a run: ``%%ledgit [--name NAME] [--experiment NAME] [--tag KEY=VALUE] [--nested]``."""
        options = _parse(line)
        experiment = options["experiment"]
        if experiment is not None:
            from ledgit.tracking.experiments import set_experiment

            experiment = set_experiment(experiment).id
        run = runs.start_run(
            run_name=options["name"], experiment_id=experiment, tags=options["tags"], nested=options["nested"]
        )
        with run:
            # run_cell shows the error itself; raising it would show it twice.
            result = shell.run_cell(cell, store_history=False)
            if not result.success:
                run.finish("FAILED")

    return ledgit


def _parse(line: str) -> dict[str, Any]:
    found: dict[str, Any] = {"name": None, "experiment": None, "tags": {}, "nested": False}
    words = iter(shlex.split(line))
    for word in words:
        option, equals, value = word.partition("=")
        if option == "--nested":
            found["nested"] = True
        elif option in {"--name", "--experiment", "-e", "--tag", "-t"}:
            text = value if equals else next(words, None)
            if text is None:
                raise UsageError(f"{option} needs a value: {USAGE}")
            if option in {"--name", "--experiment", "-e"}:
                found["name" if option == "--name" else "experiment"] = text
            else:
                key, _, label = text.partition("=")
                found["tags"][key] = label
        elif word.startswith("-") or found["name"] is not None:
            raise UsageError(f"{word!r} was not understood: {USAGE}")
        else:
            found["name"] = word
    return found
