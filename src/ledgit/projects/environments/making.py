"""Virtual environments, made with the standard library and pip, or with uv."""

from __future__ import annotations

import os
from collections.abc import Callable

from ledgit.errors import EnvironmentFailed
from ledgit.projects.environments.declared import Wish
from ledgit.projects.environments.interpreters import Interpreter
from ledgit.projects.environments.tools import Failed, run_tool, unreachable
from ledgit.records.values import Values

__all__ = ["Job", "make_with_pip", "make_with_uv"]

_QUIET_PIP = ("--disable-pip-version-check", "--no-input", "--no-color")


class Job(Values):
    """An environment that is to be made.

    Attributes:
        folder: Where; not there yet.
        python: Its interpreter.
        wish: What is in it.
        project: The project's folder; tools run there, so that its settings for them count.
        constraints: Versions that bind besides those of the wish.
        wheels: Folder in which wheels are kept for when there is no network.
        offline: No network is to be tried.
        lock: Descriptor that tools inherit.
        progress: Told what takes long.
    """

    __slots__ = ("constraints", "folder", "lock", "offline", "progress", "project", "python", "wheels", "wish")

    def __init__(
        self,
        folder: str,
        python: Interpreter,
        wish: Wish,
        project: str,
        wheels: str,
        *,
        constraints: tuple[str, ...] = (),
        offline: bool = False,
        lock: int = -1,
        progress: Callable[[str], object] | None = None,
    ) -> None:
        self.folder, self.python, self.wish, self.project, self.wheels = folder, python, wish, project, wheels
        self.constraints, self.offline, self.lock, self.progress = constraints, offline, lock, progress

    @property
    def interpreter(self) -> str:
        """The environment's own ``python``."""
        return os.path.join(self.folder, "bin", "python")

    def doing(self, manager: str) -> str:
        """Say what is being made, for the line that is shown meanwhile."""
        names = self.wish.requirements.names
        more = f" and {len(names) - 4} more" if len(names) > 5 else ""
        shown = ", ".join(names if len(names) <= 5 else names[:4]) or "Python alone"
        return f"making an environment with {manager} (Python {self.python.version}): {shown}{more}"

    def run(self, manager: str, argv: list[str], what: str) -> str:
        """Run a tool for this environment. Raises Failed."""
        return run_tool(
            manager,
            argv,
            what,
            cwd=self.project,
            progress=self.progress,
            lock=self.lock,
            doing=self.doing(manager),
        )

    def write_requirements(self) -> list[str]:
        """Write what is wanted beside the environment; return the arguments that name it, [] if it is nothing."""
        wish = self.wish
        lines = [*wish.build.lines, *wish.requirements.lines]
        if not lines:
            return []
        texts = {"requirements.txt": lines}
        bound = [*wish.build.constraints, *wish.requirements.constraints, *self.constraints]
        if bound:
            texts["constraints.txt"] = bound
        folder = os.path.join(self.folder, "wanted")
        os.makedirs(folder)
        for name, content in texts.items():
            with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
                file.write("".join(f"{line}\n" for line in content))
        arguments = ["-r", os.path.join(folder, "requirements.txt")]
        return arguments + (["-c", os.path.join(folder, "constraints.txt")] if bound else [])


def make_with_uv(job: Job, uv: str) -> None:
    """Make the environment with uv; where no index can be reached, from uv's own cache.

    Raises:
        Failed: uv says that it can't.
    """
    quiet = ["--no-progress", "--color=never"]
    job.run("uv", [uv, "venv", "--no-project", "--python", job.python.path, *quiet, job.folder], "make it")
    if job.wish.lock:
        command = [uv, "sync", "--frozen", "--no-install-project", "--active", *quiet]
        command = ["env", f"VIRTUAL_ENV={job.folder}", f"UV_PROJECT_ENVIRONMENT={job.folder}", *command]
    else:
        arguments = job.write_requirements()
        if not arguments:
            return
        command = [uv, "pip", "install", "--python", job.interpreter, *quiet, *arguments]
        if job.wish.complete:
            command.append("--no-deps")
    _online_or_not(job, "uv", lambda offline: job.run("uv", [*command, *(["--offline"] * offline)], _INSTALL))


_INSTALL = "install what it needs"


def make_with_pip(job: Job) -> None:
    """Make the environment with ``venv`` and pip; where no index can be reached, from the wheels that are kept.

    pip first puts together wheels of all that is needed, and installs those: what pip keeps of its downloads can't
    be used without the index, and a folder of wheels can.

    Raises:
        Failed: One of the two says that it can't.
    """
    _make_venv(job)
    arguments = job.write_requirements()
    if not arguments:
        return
    new = os.path.join(job.folder, "wheels")
    pip = [job.interpreter, "-I", "-m", "pip", *_QUIET_PIP]
    finding = ["--find-links", job.wheels, *_bundled(job.python)]
    os.makedirs(job.wheels, exist_ok=True)
    if job.wish.complete:
        arguments.append("--no-deps")

    def collect(offline: bool) -> str:
        command = [*pip, "wheel", "--progress-bar=off", "--wheel-dir", new, *finding, *(["--no-index"] * offline), *arguments]
        return job.run("virtualenv", command, _INSTALL)

    _online_or_not(job, "virtualenv", collect)
    wheels = [os.path.join(new, name) for name in sorted(os.listdir(new))]
    job.run("virtualenv", [*pip, "install", "--no-index", "--no-deps", "--no-warn-script-location", *wheels], _INSTALL)
    _keep(job, wheels)


def _make_venv(job: Job) -> None:
    """Make an empty environment with pip in it.

    ``ensurepip`` takes 3 s to put pip there, because it starts pip from the archive; taking it out of that archive
    is what comes of it, and takes a tenth of a second.
    """
    made = [job.python.path, "-I", "-m", "venv"]
    if not job.python.wheels:
        try:
            job.run("virtualenv", [*made, job.folder], "make it")
        except Failed as failed:
            hint = "install the system's package 'python3-venv', or use --env-manager uv"
            raise Failed("virtualenv", f"{failed.reason}\n{hint}", failed.output) from None
        return
    job.run("virtualenv", [*made, "--without-pip", job.folder], "make it")
    import zipfile

    packages = os.path.join(job.folder, "lib", f"python{job.python.minor}", "site-packages")
    for wheel in job.python.wheels:
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(packages)
    for name in ("pip", "pip3", f"pip{job.python.minor}"):
        path = os.path.join(job.folder, "bin", name)
        with open(path, "w", encoding="utf-8") as file:
            # By the shell: a path may be too long for "#!", or have blanks.
            file.write('#!/bin/sh\nexec "$(dirname "$0")/python" -m pip "$@"\n')
        os.chmod(path, 0o755)  # noqa: S103 - a program


def _bundled(python: Interpreter) -> list[str]:
    return ["--find-links", os.path.dirname(python.wheels[0])] if python.wheels else []


def _online_or_not(job: Job, manager: str, run: Callable[[bool], str]) -> None:
    """Run an installation; once more without the network if that is what it failed by."""
    try:
        run(job.offline)
    except Failed as failed:
        if job.offline:
            raise Failed(
                manager, f"it may not use the network, and not all is kept here: {failed.reason}", failed.output
            ) from None
        if not unreachable(failed.output):
            raise
        if job.progress is not None:
            job.progress("no package index can be reached: taking what is kept on this machine")
        _clear(os.path.join(job.folder, "wheels"))
        try:
            run(True)
        except Failed as second:
            missing = second.reason.partition(":\n")[2]
            shown = f"\n{missing}" if missing else ""
            reason = (
                "no package index can be reached, and not all that it needs is kept on this machine;"
                f" repeat it when there is a network{shown}"
            )
            raise Failed(manager, reason, failed.output + second.output) from None


def _clear(folder: str) -> None:
    from ledgit.projects.environments.store import remove_tree

    remove_tree(folder)


def _keep(job: Job, wheels: list[str]) -> None:
    """Move the wheels to those that are kept, but for such as were built from folders: their content changes."""
    local = _local_names(job)
    for wheel in wheels:
        name = os.path.basename(wheel)
        if local is not None and name.partition("-")[0].lower().replace("_", "-") not in local:
            os.replace(wheel, os.path.join(job.wheels, name))
    _clear(os.path.join(job.folder, "wheels"))


def _local_names(job: Job) -> set[str] | None:
    """Return the names of what is built from folders and archives; None if one is not known."""
    from ledgit.projects.environments.requirements import normal_name

    names = set()
    for path in [*job.wish.build.local, *job.wish.requirements.local]:
        if path.endswith(".whl"):
            names.add(normal_name(os.path.basename(path).partition("-")[0]))
            continue
        try:
            import tomllib

            with open(os.path.join(path, "pyproject.toml"), "rb") as file:
                names.add(normal_name(str(tomllib.load(file)["project"]["name"])))
        except (OSError, KeyError, TypeError, ValueError):
            return None
    vcs = any("git+" in line or "://" in line for line in job.wish.requirements.lines if not line.startswith("-"))
    return None if vcs else names


def manager_error(failed: Failed) -> EnvironmentFailed:
    """Return the error that people see."""
    return EnvironmentFailed(failed.manager, failed.reason)
