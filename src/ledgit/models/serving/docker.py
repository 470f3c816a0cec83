"""A folder that ``docker build`` (or podman, buildah, kaniko) makes an image of: the model and what it needs."""

from __future__ import annotations

import os
import re
import shutil
import sys
from typing import TYPE_CHECKING

from ledgit._version import __version__
from ledgit.errors import Conflict, StorageError, UsageError
from ledgit.models.loading import open_model

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["build_docker"]

_DOCKERFILE = """\
# Serves {uri}
FROM {base}

RUN useradd --create-home --uid 10001 ledgit
WORKDIR /srv
COPY model/requirements.txt requirements.txt
{install}
COPY model model

USER ledgit
EXPOSE {port}
ENV PYTHONUNBUFFERED=1
HEALTHCHECK --start-period=60s CMD \\
    ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:{port}/health', timeout=5)"]
CMD {command}
"""
_IGNORE = "**/__pycache__\n"
_PICKLES = (".pkl", ".pickle", ".cloudpickle", ".joblib", ".pt", ".pth", ".bin")
_IMAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/:@-]*\Z")


def build_docker(
    uri: str,
    target: str,
    *,
    base: str | None = None,
    wheel: str | None = None,
    port: int = 8080,
    workers: int = 1,
    trust: bool | None = None,
    warn: Callable[[str], object] = lambda _: None,
) -> list[str]:
    """Write a Dockerfile and what it copies into a new folder; the image serves the model at ``/invocations``.

    The pinned requirements are installed before the model is copied, so a new model with the same requirements
    takes seconds. The server runs as a user without rights.

    Args:
        uri: The model.
        target: Folder to make; it must not exist, or be empty.
        base: The image to start from; by default that of this Python, ``python:3.11-slim``.
        wheel: A file of Ledgit's own to install instead of the released version.
        port: Port in the container.
        workers: Processes in the container.
        trust: Whether code of the model's maker may run in it; None: found out. What is said here holds in the image.
        warn: Is told, in one sentence, why the server in the image will not load the model, where it has a pickle
            or code that nobody vouches for.

    Returns:
        The paths written, relative to *target*.

    Raises:
        Conflict: There is something at *target*.
        UsageError: The name of an image that can't be one, or no such wheel.
        ModelNotFound: There is no such model.
        StorageError: The folder can't be written.
    """
    base = base or f"python:{sys.version_info.major}.{sys.version_info.minor}-slim"
    if not _IMAGE.match(base):
        raise UsageError(f"the base image is {base!r}, expected a name such as python:3.11-slim")
    if wheel is not None and not (wheel.endswith(".whl") and os.path.isfile(wheel)):
        raise UsageError(f"{wheel} is no wheel that is there")
    if os.path.lexists(target) and (not os.path.isdir(target) or os.listdir(target)):
        raise Conflict(f"{target} exists; name a folder that does not")
    made = not os.path.isdir(target)
    try:
        os.makedirs(target, exist_ok=True)
        return _write(uri, target, base, wheel, port, workers, trust, warn)
    except OSError as error:
        _clear(target, made=made)
        raise StorageError(target, error.strerror or str(error)) from error
    except BaseException:
        _clear(target, made=made)
        raise


def _write(
    uri: str,
    target: str,
    base: str,
    wheel: str | None,
    port: int,
    workers: int,
    trust: bool | None,
    warn: Callable[[str], object],
) -> list[str]:
    inside = os.path.join(target, "model")
    with open_model(uri, trust) as opened:
        shutil.copytree(opened.folder, inside, ignore=shutil.ignore_patterns("__pycache__"))
        granted = opened.trust.granted
        if not granted and (code := _code_in(inside)):
            warn(
                f"the server in this image will refuse to load the model: {code} runs code, and"
                f" {opened.trust.objection}; --trust vouches for it"
            )
    needs = os.path.join(inside, "requirements.txt")
    if not os.path.exists(needs):
        with open(needs, "w", encoding="utf-8") as stream:
            stream.write("# the model names none\n")
    install = f"RUN pip install --no-cache-dir -r requirements.txt 'ledgit[serve]=={__version__}'"
    if wheel is not None:
        name = os.path.basename(wheel)
        shutil.copyfile(wheel, os.path.join(target, name))
        install = f'COPY {name} {name}\nRUN pip install --no-cache-dir -r requirements.txt "./{name}[serve]"'
    everywhere = "0.0.0.0"  # noqa: S104 - in the container; what is published from it, who runs it decides
    words = ["ledgit", "models", "serve", "/srv/model", "--host", everywhere, "--port", str(port)]
    if workers > 1:
        words += ["--workers", str(workers)]
    if granted:
        words.append("--trust")  # who made the image has said so, or made the model
    command = "[" + ", ".join(f'"{word}"' for word in words) + "]"
    said = " ".join(uri.split())
    text = _DOCKERFILE.format(uri=said, base=base, install=install, port=port, command=command)
    for name, content in (("Dockerfile", text), (".dockerignore", _IGNORE)):
        with open(os.path.join(target, name), "w", encoding="utf-8") as stream:
            stream.write(content)
    return sorted(
        os.path.relpath(os.path.join(folder, name), target) for folder, _, names in os.walk(target) for name in names
    )


def _code_in(folder: str) -> str:
    """Return what in a model's folder runs code when it is loaded; "" for nothing."""
    files = (
        os.path.relpath(os.path.join(where, name), folder) for where, _, names in os.walk(folder) for name in names
    )
    # What is in loader/ is MLflow's way to a model of safetensors; Ledgit never runs it.
    found = [file for file in files if file.endswith(_PICKLES) or (file.startswith("code/") and file.endswith(".py"))]
    return min(found, default="")


def _clear(target: str, *, made: bool) -> None:
    if made:
        shutil.rmtree(target, ignore_errors=True)
        return
    for name in ("model", "Dockerfile", ".dockerignore"):
        path = os.path.join(target, name)
        if os.path.isdir(path):
            shutil.rmtree(path, ignore_errors=True)
        elif os.path.exists(path):
            os.unlink(path)
