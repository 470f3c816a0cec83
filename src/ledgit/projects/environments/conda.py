"""Environments that conda, mamba or micromamba makes."""

from __future__ import annotations

import os

from ledgit._version import __version__
from ledgit.errors import EnvironmentFailed
from ledgit.projects.environments.interpreters import ask_interpreter
from ledgit.projects.environments.own import PACKAGE, Own, attach, own_for
from ledgit.projects.environments.prepared import Prepared
from ledgit.projects.environments.tools import ask_tool, find_program, run_tool

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ledgit.projects.environments.declared import Wish
    from ledgit.projects.environments.store import EnvironmentCache
    from ledgit.projects.mlproject import Project

    Progress = Callable[[str], object]

__all__ = ["create_command", "find_conda", "prepare_conda", "run_prefix"]

# The quick ones first; all three read the same file.
_PROGRAMS = ("micromamba", "mamba", "conda")
_FORMAT = 1


def find_conda() -> str | None:
    """Return conda, mamba or micromamba, on ``PATH`` or where installers put them; None if there is none."""
    home = os.path.expanduser("~")
    names = ("miniforge3", "mambaforge", "miniconda3", "anaconda3", "micromamba")
    folders = [os.path.join(home, name, part) for name in names for part in ("bin", "condabin")]
    return find_program(*_PROGRAMS, besides=[*folders, os.path.join(home, ".local", "bin")])


def create_command(program: str, folder: str, file: str, *, offline: bool = False) -> list[str]:
    """Return the words that make the environment of *file* in *folder*."""
    words = ["create", "--yes"] if os.path.basename(program) == "micromamba" else ["env", "create", "--quiet"]
    return [program, *words, "--prefix", folder, "--file", file, *(["--offline"] * offline)]


def run_prefix(program: str, folder: str) -> tuple[str, ...]:
    """Return the words before a command that run it in the environment, activated."""
    quiet = ("--no-capture-output",) if os.path.basename(program) == "conda" else ()
    return (program, "run", *quiet, "--prefix", folder)


def prepare_conda(
    wish: Wish, project: Project, store: EnvironmentCache, offline: bool, progress: Progress | None
) -> Prepared:
    """Make an environment with conda, or find it.

    Raises:
        EnvironmentFailed: There is no conda; Failed: it can't.
    """
    program = find_conda()
    if program is None:
        other = (
            f"its packages ({', '.join(wish.conda[:5])}) are conda's alone"
            if wish.conda
            else "--env-manager uv can make this environment, too"
        )
        raise EnvironmentFailed("conda", f"there is no conda, mamba or micromamba here; install one; {other}")
    text = _file_text(wish)
    key = _key(text, wish)

    def make(folder: str, lock: int) -> dict[str, Any]:
        import time

        file = f"{folder}.yaml"
        try:
            with open(file, "w", encoding="utf-8") as stream:
                stream.write(text)
            name = os.path.basename(program)
            run_tool(
                "conda",
                create_command(program, folder, file, offline=offline),
                "make it",
                cwd=project.folder,
                progress=progress,
                lock=lock,
                doing=f"making an environment with {name}: {', '.join([*wish.conda, *wish.requirements.names][:5])}",
            )
        finally:
            if os.path.exists(file):
                os.unlink(file)
        python = os.path.join(folder, "bin", "python")
        if not os.path.exists(python):
            raise EnvironmentFailed("conda", f"{os.path.basename(wish.source)} asks for no Python; add 'python=3.11'")
        links = _give_ledgit(wish, store, folder, python, lambda command: _run(command, lock)) if wish.own_asked else ""
        return {
            "manager": "conda",
            "links": links,
            "python": python,
            "version": (ask_tool([python, "--version"]) or "").removeprefix("Python "),
            "requirements": wish.shown,
            "notes": wish.notes,
            "made": round(time.time() * 1000),
        }

    def _run(command: list[str], lock: int) -> None:
        run_tool("conda", command, "install Ledgit", cwd=project.folder, progress=progress, lock=lock)

    def waiting() -> None:
        if progress is not None:
            progress("another process is making the same environment: waiting for it")

    noted = store.get(key, make, waiting)
    folder = store.path(key)
    if noted.get("links"):  # refreshed when something was installed beside this Ledgit
        _links(wish, store, str(noted["python"]))
    return Prepared(
        "conda",
        key,
        str(noted["python"]),
        prefix=run_prefix(program, folder),
        notes=tuple(map(str, noted.get("notes", ()))),
        folder=folder,
    )


def _links(wish: Wish, store: EnvironmentCache, python: str) -> tuple[Own, str] | None:
    found = ask_interpreter(python, store.folder)
    return None if found is None else (own_for(wish.own_extras, found, store.folder), found.minor)


def _give_ledgit(
    wish: Wish, store: EnvironmentCache, folder: str, python: str, run: Callable[[list[str]], object]
) -> str:
    """Let the environment have Ledgit; return the folder of links if that is how."""
    found = _links(wish, store, python)
    if found is None:
        raise EnvironmentFailed("conda", "the Python in it does not start")
    own, minor = found
    wanted = [*own.missing] if own.links else [own.line]
    if wanted:
        run([python, "-I", "-m", "pip", "install", "--disable-pip-version-check", "--no-input", *wanted])
    if own.links:
        attach(own, folder, minor)
    return own.links


def _file_text(wish: Wish) -> str:
    """Return the file for conda: channels and packages as the project has them, files that it names put in."""
    import yaml

    dependencies: list[object] = list(wish.conda)
    if wish.python or not any(name.startswith("python") for name in wish.conda):
        version = wish.python
        dependencies.append(f"python{'=' if version[:1].isdigit() else ''}{version}" if version else "python")
    dependencies.append("pip")
    lines = [*wish.build.lines, *wish.requirements.lines]
    if lines:
        dependencies.append({"pip": lines})
    document = {"channels": wish.channels or ["conda-forge"], "dependencies": dependencies}
    return yaml.safe_dump(document, sort_keys=False)


def _key(text: str, wish: Wish) -> str:
    import json
    from hashlib import sha256

    from ledgit.projects.environments.contents import digest
    from ledgit.projects.environments.store import KEY_LENGTH

    if wish.own_asked:
        text += f"# ledgit {__version__} {PACKAGE} {wish.own_extras}"
    for path in wish.requirements.local:
        text = text.replace(path, digest(path))
    system = os.uname()
    return sha256(json.dumps([_FORMAT, "conda", system.sysname, system.machine, text]).encode()).hexdigest()[
        :KEY_LENGTH
    ]
