"""What is known about a run besides what it logs: code, environment, user.

Collected beside training by a thread that runs only git commands and small file reads: no
heavy import, no long hold of the interpreter.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Callable
from typing import Any

__all__ = ["environment_facts", "packages"]

LOCK_FILES = (
    "uv.lock",
    "poetry.lock",
    "pdm.lock",
    "Pipfile.lock",
    "pixi.lock",
    "conda-lock.yml",
    "requirements.lock",
    "requirements.txt",
    "environment.yml",
)

_cached: tuple[tuple[str, ...], dict[str, str]] | None = None


def packages(path: tuple[str, ...] | None = None) -> dict[str, str]:
    """Return the installed distributions as normalised name → version.

    Read from the names of the ``*.dist-info`` folders on ``sys.path``, first one wins, as
    importing does. importlib.metadata opens every METADATA file: 40 times slower for the
    same answer.
    """
    global _cached  # noqa: PLW0603 - installed packages don't change under a running process
    where = tuple(sys.path) if path is None else path
    if _cached is not None and _cached[0] == where:
        return _cached[1]
    found: dict[str, str] = {}
    for folder in where:
        try:
            names = os.listdir(folder or ".")
        except OSError:
            continue
        for name in names:
            if name.endswith((".dist-info", ".egg-info")):
                package, _, version = name.rpartition(".")[0].partition("-")
                if package and version:
                    version = version.split("-py")[0]
                    found.setdefault(package.lower().replace("_", "-").replace(".", "-"), version)
    result = dict(sorted(found.items()))
    _cached = (where, result)
    return result


def _gpus() -> tuple[list[str], str]:
    """Return GPU model names and the driver version, from /proc: no NVIDIA library is loaded."""
    base = "/proc/driver/nvidia"
    models: list[str] = []
    driver = ""
    try:
        for gpu in sorted(os.listdir(f"{base}/gpus")):
            with open(f"{base}/gpus/{gpu}/information", encoding="utf-8", errors="replace") as file:
                models.extend(line.split(":", 1)[1].strip() for line in file if line.startswith("Model"))
        with open(f"{base}/version", encoding="utf-8", errors="replace") as file:
            words = file.readline().split()
        driver = next((word for word in words if word[:1].isdigit() and "." in word), "")
    except OSError:
        pass
    return models, driver


def environment_facts(work_tree: str | None) -> dict[str, Any]:
    """Return the environment as the fields of :class:`ledgit.records.Environment`.

    No value of an environment variable is looked at.
    """
    lock_file = lock_hash = ""
    if work_tree:
        for name in LOCK_FILES:
            try:
                with open(os.path.join(work_tree, name), "rb") as file:
                    lock_file, lock_hash = name, "sha256:" + hashlib.sha256(file.read()).hexdigest()
                break
            except OSError:
                continue
    gpus, driver = _gpus()
    system = os.uname()
    return {
        "python": ".".join(map(str, sys.version_info[:3])),
        "implementation": sys.implementation.name,
        "platform": f"{system.sysname} {system.release}",
        "machine": system.machine,
        "cpus": os.cpu_count() or 0,
        "packages": packages(),
        "lock_file": lock_file or None,
        "lock_hash": lock_hash or None,
        "gpus": gpus,
        "driver": driver or None,
    }


def run_in_thread(work: Callable[[], None], name: str) -> Any:
    """Start *work* in a daemon thread and return the thread."""
    import threading

    thread = threading.Thread(target=work, name=name, daemon=True)
    thread.start()
    return thread
