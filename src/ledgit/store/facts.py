"""What is known about a run besides what it logs: code, environment, user.

Collected beside training by a thread that runs only git commands and small file reads: no
heavy import, no long hold of the interpreter.
"""

from __future__ import annotations

import os
import sys

from ledgit.store.origins import origins

TYPE_CHECKING = False
if TYPE_CHECKING:
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


def _cpus() -> int:
    """Return how many processors this process and its children may use: what numeric libraries make threads for."""
    own = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else ()
    return len(own) or os.cpu_count() or 0


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


_cpu: str | None = None
_CPU_KEYS = ("model name", "cpu model", "uarch", "cpu part")


def cpu_model() -> str:
    """Return the model of the processor from the first lines of /proc/cpuinfo; "" where the kernel doesn't say."""
    global _cpu  # noqa: PLW0603 - it doesn't change under a running process
    if _cpu is None:
        found: dict[str, str] = {}
        try:
            with open("/proc/cpuinfo", "rb", buffering=0) as file:
                for line in file.read(4096).decode("utf-8", "replace").splitlines():
                    key, _, value = line.partition(":")
                    found.setdefault(key.strip().lower(), " ".join(value.split()))
        except OSError:
            pass
        _cpu = next((found[key] for key in _CPU_KEYS if found.get(key)), "")
    return _cpu


# What another interpreter is asked: version, implementation, where its packages are.
_QUESTION = (
    "import json, sys; print(json.dumps(['.'.join(map(str, sys.version_info[:3])), sys.implementation.name, sys.path]))"
)
_PATIENCE = 20.0


def _interpreter(python: str | None) -> tuple[str, str, tuple[str, ...]]:
    """Return version, implementation of *python*, by default of this process, and where it looks for packages."""
    if python is not None:
        import json
        import subprocess

        try:
            done = subprocess.run([python, "-c", _QUESTION], capture_output=True, timeout=_PATIENCE, check=True)
            version, implementation, path = json.loads(done.stdout)
            return version, implementation, tuple(path[1:])  # [0] is the folder of -c
        except (OSError, ValueError, subprocess.SubprocessError):
            return "", "", ()
    return ".".join(map(str, sys.version_info[:3])), sys.implementation.name, tuple(sys.path)


def environment_facts(work_tree: str | None, python: str | None = None) -> dict[str, Any]:
    """Return the environment as the fields of :class:`ledgit.records.Environment`.

    No value of an environment variable is looked at.

    Args:
        work_tree: Where a lock file may be.
        python: The interpreter the run uses, if it is not this process.
    """
    version, implementation, path = _interpreter(python)
    lock_file = lock_hash = ""
    if work_tree:
        for name in LOCK_FILES:
            try:
                with open(os.path.join(work_tree, name), "rb") as file:
                    content = file.read()
            except OSError:
                continue
            from hashlib import sha256  # with OpenSSL, 3 ms

            lock_file, lock_hash = name, "sha256:" + sha256(content).hexdigest()
            break
    gpus, driver = _gpus()
    system = os.uname()
    return {
        "python": version,
        "implementation": implementation,
        "platform": f"{system.sysname} {system.release}",
        "machine": system.machine,
        "cpu": cpu_model(),
        "cpus": _cpus(),
        "packages": packages(path),
        "origins": origins(path, work_tree),
        "lock_file": lock_file or None,
        "lock_hash": lock_hash or None,
        "gpus": gpus,
        "driver": driver or None,
    }
