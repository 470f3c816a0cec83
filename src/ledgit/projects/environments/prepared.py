"""An environment that is ready: what starts a command in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ledgit.records.values import Values

__all__ = ["CODE_FOLDER", "Prepared"]

CODE_FOLDER = "/mlflow/projects/code"
"""Where the project is in a container; MLflow's."""


class Prepared(Values):
    """An environment that commands can be started in.

    Attributes:
        manager: ``local``, ``virtualenv``, ``uv``, ``conda`` or ``docker``.
        key: 32 hex digits that stand for its content, of ``docker`` the image's id; "" of ``local``.
        python: The interpreter to describe, absolute; "" where it is in a container.
        path: Folders to put before ``PATH``.
        variables: What the command gets besides the user's variables, ``PATH`` not among them.
        prefix: Words before the command: ``conda run …``; of ``docker`` see :meth:`command`.
        python_path: Folders to put before ``PYTHONPATH``.
        notes: What is not quite as the project asked for, a sentence each.
        folder: Where it lies; "" of ``local`` and ``docker``.
        mounts: Of ``docker``: volumes as the project declares them, ``/here:/there``.
        hand_on: Of ``docker``: names of the user's variables that the container gets, too.
        image: Of ``docker``: its name.
        built: Of ``docker``: the image has the project's files in it, so they are not mounted.
    """

    __slots__ = (
        "built",
        "folder",
        "hand_on",
        "image",
        "key",
        "manager",
        "mounts",
        "notes",
        "path",
        "prefix",
        "python",
        "python_path",
        "variables",
    )

    def __init__(
        self,
        manager: str,
        key: str = "",
        python: str = "",
        path: Sequence[str] = (),
        variables: Mapping[str, str] | None = None,
        prefix: Sequence[str] = (),
        *,
        python_path: Sequence[str] = (),
        notes: Sequence[str] = (),
        folder: str = "",
        mounts: Sequence[str] = (),
        hand_on: Sequence[str] = (),
        image: str = "",
        built: bool = False,
    ) -> None:
        self.manager, self.key, self.python = manager, key, python
        self.path, self.variables, self.prefix = tuple(path), dict(variables or {}), tuple(prefix)
        self.python_path, self.notes, self.folder = tuple(python_path), tuple(notes), folder
        self.mounts, self.hand_on, self.image, self.built = tuple(mounts), tuple(hand_on), image, built

    @property
    def label(self) -> str:
        """The value of the tag ``ledgit.project.env``: the manager, and the first 16 digits of the key."""
        return f"{self.manager} {self.key.removeprefix('sha256:')[:16]}".rstrip()

    def environ(self, base: Mapping[str, str]) -> dict[str, str]:
        """Return the variables of a command: those of *base*, the user's, and what this environment changes."""
        found = {**base, **self.variables}
        if self.folder:  # what would lead its interpreter somewhere else
            found.pop("PYTHONHOME", None)
        for name, folders in (("PATH", self.path), ("PYTHONPATH", self.python_path)):
            if folders:
                found[name] = ":".join([*folders, *([found[name]] if found.get(name) else [])])
        return found

    def command(
        self,
        argv: Sequence[str],
        folder: str,
        *,
        names: Sequence[str] = (),
        name: str = "",
        volumes: Sequence[str] = (),
    ) -> list[str]:
        """Return the words that run *argv* in this environment.

        Args:
            argv: The command.
            folder: The work folder that it is started in, absolute; a container gets it at ``/mlflow/projects/code``.
            names: Variables that a container is to get as they are in the environment of what is returned
                (``LEDGIT_RUN_ID``); their values never stand in the command line.
            name: Of the container, so that :meth:`stop_command` finds it.
            volumes: Further ones: ``/here:/there``.
        """
        if self.manager != "docker":
            return [*self.prefix, *argv]
        words = [*self.prefix, "run", "--rm", "--init"]
        words += ["--name", name] if name else []
        for mount in [*([] if self.built else [f"{folder}:{CODE_FOLDER}"]), *self.mounts, *volumes]:
            words += ["--volume", mount]
        words += ["--workdir", CODE_FOLDER]
        # By name alone: the engine takes the values from its own environment, and no process list shows them.
        for variable in dict.fromkeys([*self.hand_on, *names]):
            words += ["--env", variable]
        return [*words, self.image, *argv]

    def stop_command(self, name: str) -> list[str] | None:
        """Return what ends the container *name* if killing its command did not; None where there is no container."""
        return [self.prefix[0], "kill", name] if self.manager == "docker" else None
