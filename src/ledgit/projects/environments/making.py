"""Virtual environments, made with the standard library and pip, or with uv."""

from __future__ import annotations

import os
import re
from collections.abc import Callable

from ledgit.projects.environments.contents import copy_source
from ledgit.projects.environments.declared import Wish
from ledgit.projects.environments.interpreters import Interpreter
from ledgit.projects.environments.own import Own, attach
from ledgit.projects.environments.tools import Failed, run_tool, unreachable
from ledgit.records.values import Values

__all__ = ["WANTED", "Job", "make_environment"]

WANTED = "wanted"
"""Folder in an environment that holds what it is made from, as long as it is made."""

_QUIET_PIP = ("--disable-pip-version-check", "--no-input", "--no-color")


class Job(Values):
    """An environment that is to be made.

    Attributes:
        folder: Where; not there yet.
        python: Its interpreter.
        wish: What is in it.
        project: The project's folder; tools run there, so that its settings for them count.
        own: How Ledgit gets into it; None if it is not asked for.
        wheels: Folder in which wheels are kept for when there is no network.
        offline: No network is to be tried.
        lock: Descriptor that tools inherit.
        progress: Told what takes long.
    """

    __slots__ = ("_told", "folder", "lock", "offline", "own", "progress", "project", "python", "wheels", "wish")

    def __init__(
        self,
        folder: str,
        python: Interpreter,
        wish: Wish,
        project: str,
        wheels: str,
        *,
        own: Own | None = None,
        offline: bool = False,
        lock: int = -1,
        progress: Callable[[str], object] | None = None,
    ) -> None:
        self.folder, self.python, self.wish, self.project, self.wheels = folder, python, wish, project, wheels
        self._told = False
        self.own, self.offline, self.lock, self.progress = own, offline, lock, progress

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
            progress=self._tell,
            lock=self.lock,
            doing=self.doing(manager),
        )

    def _tell(self, doing: str) -> None:
        """Say what takes long, once for all the tools that it takes."""
        if self.progress is not None and not self._told:
            self._told = True
            self.progress(doing)

    def _copied(self, lines: list[str]) -> list[str]:
        """Return *lines* with copies of the folders that they name: building writes into them."""
        folders = [path for path in (*self.wish.build.local, *self.wish.requirements.local) if os.path.isdir(path)]
        for number, path in enumerate(dict.fromkeys(folders)):
            copy = os.path.join(self.folder, WANTED, str(number), os.path.basename(path))
            copy_source(path, copy)
            pattern = re.compile(rf"{re.escape(path)}(?=$|[\[ ;])")
            lines = [pattern.sub(lambda _, copy=copy: copy, line, count=1) for line in lines]  # type: ignore[misc]
        return lines

    def write_requirements(self) -> list[str]:
        """Write what is wanted beside the environment; return the arguments that name it, [] if it is nothing."""
        wish, own = self.wish, self.own
        lines = [*wish.build.lines, *wish.requirements.lines]
        bound = [*wish.build.constraints, *wish.requirements.constraints]
        if own is not None and own.links:
            lines += own.missing
            if wish.complete:  # what Ledgit brings along need not be there twice
                brought = {f"{name}=={version}" for name, version in own.pins.items()}
                lines = [line for line in lines if line not in brought]
            else:
                bound += own.constraints
        elif own is not None:
            lines.append(own.line)
        if not lines:
            return []
        lines = self._copied(lines)
        texts = {"requirements.txt": lines}
        if bound:
            texts["constraints.txt"] = bound
        folder = os.path.join(self.folder, WANTED)
        os.makedirs(folder, exist_ok=True)
        for name, content in texts.items():
            with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
                file.write("".join(f"{line}\n" for line in content))
        arguments = ["-r", os.path.join(folder, "requirements.txt")]
        return arguments + (["-c", os.path.join(folder, "constraints.txt")] if bound else [])


def make_environment(job: Job, uv: str) -> None:
    """Make the environment, with *uv* if that is a program, else with the standard library and pip.

    Raises:
        Failed: The tool says that it can't.
    """
    if uv:
        quiet = ("--no-progress", "--color=never")
        job.run("uv", [uv, "venv", "--no-project", "--python", job.python.path, *quiet, job.folder], "make it")
        if job.wish.lock:
            _sync(job, uv, quiet)
            if job.own is None or job.own.links:
                return _finish(job)
    else:
        _make_venv(job)
    try:
        _install(job, uv)
    except Failed as failed:
        if job.own is None or not job.own.constraints or unreachable(failed.output):
            raise
        # Perhaps something needs other versions than this Ledgit has: then Ledgit gets those, too, as a package.
        job.own = Own("", {}, [], job.own.line, job.own.stamp)
        try:
            _install(job, uv)
        except Failed:
            raise failed from None
    _finish(job)
    return None


def _finish(job: Job) -> None:
    if job.own is not None and job.own.links:
        attach(job.own, job.folder, job.python.minor)
    _clear(os.path.join(job.folder, WANTED))  # addresses in it may hold passwords


def _sync(job: Job, uv: str, quiet: tuple[str, ...]) -> None:
    command = [uv, "sync", "--frozen", "--no-install-project", "--active", *quiet]
    if job.own is not None:
        command += ["--no-install-package", "ledgit"]
    command = ["env", f"VIRTUAL_ENV={job.folder}", f"UV_PROJECT_ENVIRONMENT={job.folder}", *command]
    _online_or_not(job, "uv", lambda offline: job.run("uv", [*command, *(["--offline"] * offline)], _INSTALL))


def _install(job: Job, uv: str) -> None:
    arguments = job.write_requirements()
    if not arguments:
        return
    if job.wish.complete:
        arguments.append("--no-deps")
    if uv:
        _install_with_uv(job, uv, arguments)
    else:
        _install_with_pip(job, arguments)


def _install_with_uv(job: Job, uv: str, arguments: list[str]) -> None:
    """Install with uv; where no index can be reached, from uv's own cache."""
    command = [uv, "pip", "install", "--python", job.interpreter, "--no-progress", "--color=never", *arguments]
    _online_or_not(job, "uv", lambda offline: job.run("uv", [*command, *(["--offline"] * offline)], _INSTALL))


_INSTALL = "install what it needs"


def _install_with_pip(job: Job, arguments: list[str]) -> None:
    """Install with pip; where no index can be reached, from the wheels that are kept.

    pip first puts together wheels of all that is needed, and installs those: what pip keeps of its downloads can't
    be used without the index, and a folder of wheels can.
    """
    new = os.path.join(job.folder, "wheels")
    pip = [job.interpreter, "-I", "-m", "pip", *_QUIET_PIP]
    log = os.path.join(job.folder, WANTED, "pip.log")
    finding = ["-f", job.wheels, *_bundled(job.python)]
    os.makedirs(job.wheels, exist_ok=True)
    _clear(new)

    def collect(offline: bool) -> str:
        command = [
            *pip,
            "wheel",
            "--progress-bar=off",
            "--wheel-dir",
            new,
            *finding,
            *(["--no-index"] * offline),
            *arguments,
        ]
        try:
            return job.run("virtualenv", command, _INSTALL)
        except Failed as failed:
            if offline or unreachable(failed.output) or "(from versions: none)" not in failed.output:
                raise
            # There may be no such package, or no network: with retries switched off only pip's log says which.
            try:
                return job.run("virtualenv", [*command, "--log", log], _INSTALL)
            except Failed:
                raise Failed(failed.manager, failed.reason, failed.output + _not_fetched(log)) from None

    _online_or_not(job, "virtualenv", collect)
    wheels = [os.path.join(new, name) for name in sorted(os.listdir(new))]
    job.run("virtualenv", [*pip, "install", "--no-index", "--no-deps", "--no-warn-script-location", *wheels], _INSTALL)
    _keep(job, wheels)


def _not_fetched(log: str) -> str:
    """Return what pip could not fetch: to the terminal it only says that there is no such package."""
    try:
        with open(log, encoding="utf-8", errors="replace") as file:
            return "".join(line for line in file if "Could not fetch URL" in line)
    except OSError:
        return ""


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
    return ["-f", os.path.dirname(python.wheels[0])] if python.wheels else []


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
            missing = failed.reason.partition(":\n")[2]
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
