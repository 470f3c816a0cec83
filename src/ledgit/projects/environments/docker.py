"""Projects in containers: the image that a ``docker_env`` names; :class:`Prepared` has the command line."""

from __future__ import annotations

import os
import re

from ledgit.projects.environments.prepared import CODE_FOLDER, Prepared
from ledgit.projects.environments.tools import Failed, ask_tool, find_program, run_tool

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ledgit.projects.mlproject import EnvironmentSpec, Project

__all__ = ["prepare_docker"]

_ENGINES = ("docker", "podman")


def prepare_docker(
    spec: EnvironmentSpec, project: Project, *, build: bool, progress: Callable[[str], object] | None
) -> Prepared:
    """Return what runs commands in the image that *spec* names; it is pulled if it is not here.

    Args:
        spec: A ``docker_env``.
        project: Whose files an image that is built gets.
        build: Build an image with the project's files in it instead of mounting them.
        progress: Told what takes long.

    Raises:
        Failed: No engine answers, or the image can't be pulled or built.
    """
    program = find_program(*_ENGINES)
    if program is None:
        raise Failed("docker", "there is no docker and no podman here; install one, or use --env-manager local")
    engine = os.path.basename(program)
    if ask_tool([program, "version", "--format", "{{.Server.Version}}"]) is None:
        hint = "start it, or ask for permission to use it"
        raise Failed("docker", f"{engine} is installed, but no container engine answers; {hint}")
    image = str(spec.mapping["image"])
    found = _image_id(program, image)
    if found is None:
        doing = f"pulling the image {image}"
        run_tool("docker", [program, "pull", "--quiet", image], f"pull {image}", progress=progress, doing=doing)
        found = _image_id(program, image)
    if found is None:
        raise Failed("docker", f"{engine} pulled {image}, but has no such image")
    if build:
        image = _build(program, image, project, progress)
        found = _image_id(program, image) or found
    names, values = _environment(spec.mapping.get("environment"))
    volumes = spec.mapping.get("volumes")
    return Prepared(
        "docker",
        found,
        variables=values,
        prefix=(program,),
        image=image,
        built=build,
        hand_on=(*names, *values),
        mounts=[_volume(str(one), project.folder) for one in volumes] if isinstance(volumes, list) else (),
    )


def _image_id(program: str, image: str) -> str | None:
    return ask_tool([program, "image", "inspect", "--format", "{{.Id}}", image]) or None


def _build(program: str, image: str, project: Project, progress: Callable[[str], object] | None) -> str:
    from ledgit.projects.environments.contents import digest

    name = re.sub(r"[^a-z0-9]+", "-", project.name.lower()).strip("-") or "project"
    tag = f"ledgit-{name}:{digest(project.folder)[:12]}"
    if _image_id(program, tag) is None:
        recipe = f"FROM {image}\nCOPY . {CODE_FOLDER}/\nWORKDIR {CODE_FOLDER}\n"
        command = [program, "build", "--quiet", "--tag", tag, "--file", "-", project.folder]
        run_tool("docker", command, f"build {tag}", progress=progress, doing=f"building the image {tag}", feed=recipe)
    return tag


def _environment(listed: object) -> tuple[list[str], dict[str, str]]:
    names: list[str] = []
    values: dict[str, str] = {}
    for item in listed if isinstance(listed, list) else ():
        if isinstance(item, list | tuple):
            values[str(item[0])] = str(item[1])
        else:
            names.append(str(item))
    return names, values


def _volume(volume: str, folder: str) -> str:
    """Return a volume with its place on this machine absolute: engines take a relative one for a volume's name."""
    here, colon, there = volume.partition(":")
    if colon and here.startswith((".", "~")):
        here = os.path.normpath(os.path.join(folder, os.path.expanduser(here)))
    return f"{here}{colon}{there}"
