"""The demonstration's acts, in the order a reader sees them."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import Any

from ledgit.demo.folder import clear_folder, mark_folder
from ledgit.demo.shell import Shell
from ledgit.errors import LedgitError, MissingDependency

#: Folder in the demo's, unknown to its Git, that stands for other machines.
_ELSEWHERE = "elsewhere"
#: Prints a few digits as CSV.
_ROWS = "from sklearn.datasets import load_digits as load; print(load(as_frame=True).data.head(3).to_csv(index=False))"


def run_demo(folder: str, write: Callable[[str], object]) -> None:
    """Build a scratch repository in *folder*, train models in it and show what Ledgit prints.

    Args:
        folder: A new or empty directory, or one that an earlier demonstration made, which is
            built again.
        write: Gets the text to show, piece by piece, with its line ends.

    Raises:
        UsageError: The folder holds something else.
        MissingDependency: scikit-learn is not installed.
    """
    from importlib.util import find_spec

    if find_spec("sklearn") is None:
        raise MissingDependency("the demo", "scikit-learn")
    folder = os.path.abspath(folder)
    clear_folder(folder)
    shell = Shell(folder, write)
    _build(shell, folder)
    _train(shell, folder)
    _look(shell)
    _use_git(shell)
    _register(shell)
    _share(shell, folder)
    _advise(shell, os.path.relpath(folder))


def _build(shell: Shell, folder: str) -> None:
    shell.say("A scratch repository with one training script, committed on main:")
    shell.quiet("git", "init", "-q", "--initial-branch=main")
    mark_folder(folder)
    # Written to this repository alone, so that what the reader commits there later works as well.
    shell.quiet("git", "config", "user.name", "Ledgit demo")
    shell.quiet("git", "config", "user.email", "demo@example.org")
    shell.quiet("git", "config", "commit.gpgSign", "false")
    _put_script(folder, "linear.py")
    _commit(shell, "Train a linear model")
    shell.show("git", "log", "--oneline")


def _train(shell: Shell, folder: str) -> None:
    shell.say("Each of these writes a run. Nothing was set up: the script says `import ledgit as mlflow`.")
    shell.show("python", "train.py", "--learning-rate", "0.0001")
    shell.show("python", "train.py", "--learning-rate", "0.01")
    shell.show("python", "train.py", "--data", "wine")

    shell.say("A branch with another model:")
    shell.show("git", "switch", "--quiet", "--create", "forest")
    _put_script(folder, "forest.py")
    _commit(shell, "Train a random forest instead")
    shell.show("python", "train.py", "--trees", "30")
    shell.show("python", "train.py", "--trees", "120")

    shell.say("An edit that nobody commits. The run keeps the code as it was all the same:")
    path = os.path.join(folder, "train.py")
    with open(path, encoding="utf-8") as file:
        code = file.read()
    with open(path, "w", encoding="utf-8") as file:
        file.write(code.replace('FORESTS["random"]', 'FORESTS["extra"]'))
    shell.show("git", "diff", "-U0", "train.py")
    shell.show("python", "train.py", "--trees", "120")


def _look(shell: Shell) -> None:
    shell.say("Every run of every branch:")
    shell.show("ledgit", "ls")
    shell.say("The good ones on digits, best first:")
    shell.show("ledgit", "ls", "metrics.accuracy > 0.9", "--experiment", "digits", "--sort", "metrics.accuracy desc")

    best, forest = _find(shell, dirty=True), _find(shell, trees=120, dirty=False)
    shell.say("What made the best run better than the one before it:")
    shell.show("ledgit", "diff", forest["name"], best["name"])
    shell.say("One run's own story. A tag is an edit, an edit is a commit:")
    shell.show("ledgit", "tag", best["name"], "keep=yes")
    shell.show("ledgit", "log", best["name"])


def _use_git(shell: Shell) -> None:
    best, linear = _find(shell, dirty=True), _find(shell, learning_rate=0.01)
    shell.say("A run is a commit whose parent is the code it ran, so plain Git works on it:")
    commit = shell.show("ledgit", "rev", best["name"]).strip()
    shell.show("git", "log", "--oneline", "--graph", commit)
    shell.show("git", "diff", "--stat", linear["commit"], commit, "--", "train.py")
    shell.show("git", "show", f"{commit}:.ledgit/run/params.yaml")
    shell.say("Branches, index and work tree are as you left them; only your own edit is there:")
    shell.show("git", "status", "--short", "--branch")


def _register(shell: Shell) -> None:
    best, forest = _find(shell, dirty=True), _find(shell, trees=120, dirty=False)
    shell.say("Models get versions and stages. Each is an annotated tag, with who, when and why:")
    shell.show("ledgit", "registry", "register", forest["name"], "digits", "--version", "v1.0.0")
    shell.show("ledgit", "registry", "register", best["name"], "digits", "--bump", "minor", "-m", "more random trees")
    shell.show("ledgit", "registry", "promote", "digits@v1.1.0", "prod", "-m", "best on the test set")
    shell.show("ledgit", "registry", "ls")
    shell.show("git", "tag", "-n")


def _share(shell: Shell, folder: str) -> None:
    best = _find(shell, dirty=True)
    shell.say("What the best run logged as files. The model is too large for Git, so it is kept beside it:")
    shell.show("ledgit", "artifacts", "ls", best["name"])

    shell.say("Share it: a host for the code and the runs, and a folder (or S3, SSH …) for what is large:")
    with open(os.path.join(folder, ".git", "info", "exclude"), "a", encoding="utf-8") as file:
        file.write(f"/{_ELSEWHERE}/\n")
    shell.quiet("git", "init", "-q", "--bare", "--initial-branch=main", f"{_ELSEWHERE}/host.git")
    shell.quiet("git", "remote", "add", "origin", os.path.join(folder, _ELSEWHERE, "host.git"))
    shell.show("git", "push", "--quiet", "origin", "main", "forest")
    shell.show("ledgit", "artifacts", "remote", f"{_ELSEWHERE}/storage")
    shell.show("ledgit", "push", "--all")

    shell.say("A colleague clones the code, pulls the runs, and gets the model and a plot:")
    colleague = f"{_ELSEWHERE}/colleague"
    shell.show("git", "clone", "--quiet", f"{_ELSEWHERE}/host.git", colleague)
    shell.show("ledgit", "-C", colleague, "pull")
    shell.show("ledgit", "-C", colleague, "artifacts", "remote", "../storage")
    shell.show("ledgit", "-C", colleague, "artifacts", "get", best["name"], "model", "plots/confusion.svg")

    shell.say("The colleague predicts with what is in production, wherever it came from:")
    with open(os.path.join(folder, colleague, "rows.csv"), "w", encoding="utf-8") as file:
        file.write(shell.quiet("python", "-c", _ROWS))
    shell.show("ledgit", "-C", colleague, "models", "predict", "models:/digits@prod", "rows.csv")


def _advise(shell: Shell, folder: str) -> None:
    shell.say(
        f"Try next:\n"
        f"  cd {folder}\n"
        f"  ledgit show                                    the newest run in full\n"
        f"  ledgit ls --branch main                        the runs of one branch\n"
        f"  ledgit run -- python train.py --trees 200      any command, with its output and exit code\n"
        f"  ledgit branch RUN                              the code of a run as a branch\n"
        f"  ledgit artifacts get RUN                       the files that a run logged\n"
        f"  python                                         >>> import ledgit; ledgit.open().runs\n"
        f"The ledgit command is in the virtual environment's bin folder; add that to PATH if it is not found."
    )


def _put_script(folder: str, name: str) -> None:
    import shutil

    source = os.path.join(os.path.dirname(__file__), "files", name)
    shutil.copyfile(source, os.path.join(folder, "train.py"))


def _commit(shell: Shell, message: str) -> None:
    shell.quiet("git", "add", "train.py")
    shell.quiet("git", "commit", "-q", "--no-verify", "-m", message)


def _find(shell: Shell, *, dirty: bool | None = None, **params: object) -> dict[str, Any]:
    """Return the newest run on digits with these params and this kind of code state, as JSON has it."""
    runs: list[dict[str, Any]] = json.loads(shell.quiet("ledgit", "ls", "--experiment", "digits", "--json"))
    for run in runs:
        if (dirty is None or run["code"]["dirty"] == dirty) and params.items() <= run["params"].items():
            return run
    message = f"the demo finds none of its runs with {params or 'uncommitted changes'}; 'ledgit doctor' may say why"
    raise LedgitError(message)
