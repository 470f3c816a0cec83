"""What of environment and hardware is not as it was. Pure but for the names of installed packages' folders."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence

from ledgit.projects.repro.findings import ENVIRONMENT, HARDWARE, Finding, listed
from ledgit.projects.repro.trace import Trace, normalized
from ledgit.records import Environment

__all__ = ["environment_findings", "hardware_findings", "packages_differ"]

_HARDWARE = (
    ("machine", "architecture"),
    ("cpu", "CPU"),
    ("cpus", "number of CPUs"),
    ("driver", "GPU driver"),
    ("cuda", "CUDA"),
    ("platform", "system"),
)
# Ledgit itself: it records, it does not compute.
_OURS = "ledgit"
_IMPORTED_AS = {
    "scikit-learn": "sklearn",
    "scikit-image": "skimage",
    "pyyaml": "yaml",
    "pillow": "PIL",
    "opencv-python": "cv2",
    "opencv-python-headless": "cv2",
    "beautifulsoup4": "bs4",
    "python-dateutil": "dateutil",
    "protobuf": "google",
    "xgboost-cpu": "xgboost",
    "tensorflow-cpu": "tensorflow",
}
_LARGEST = 16 << 20

Pair = tuple[str, str | None, str | None]
"""A package, the version that was recorded, and the one that is here."""


def packages_differ(recorded: Environment, present: Environment) -> list[Pair]:
    """Return the packages that are not the same, by name; Ledgit itself is not looked at.

    Of two of one version that were installed from other commits, the versions say so: ``1.0 from git+URL@COMMIT``.
    """
    had = {normalized(name): version for name, version in recorded.packages.items()}
    have = {normalized(name): version for name, version in present.packages.items()}
    found = []
    for name in sorted({*had, *have} - {_OURS}):
        old, new = had.get(name), have.get(name)
        if old is not None and old == new:
            before, after = _origin(recorded, name), _origin(present, name)
            # A record without an origin may be older than origins are.
            if not before or before == after:
                continue
            old, new = f"{old} from {before}", f"{new} from {after or 'an index'}"
        if old != new:
            found.append((name, old, new))
    return found


def _origin(environment: Environment, name: str) -> str:
    """Return where a package is from, as far as it says what is in it: of a folder nobody knows the content then."""
    said = environment.origins.get(name, "")
    return "a folder" if said.startswith(("file:", "-e ")) and "#" not in said else said


def environment_findings(
    recorded: Environment | None, present: Environment, trace: Trace, folders: Iterable[str] = ()
) -> list[Finding]:
    """Return what differs between the recorded interpreter and packages and those of the repetition.

    Args:
        recorded: Of the run; None if it recorded none: then nothing can be told.
        present: Of the repetition.
        trace: What the repetition opened: a package that it does not open blames nothing.
        folders: Where the repetition's packages are installed.
    """
    if recorded is None:
        return []
    found = []
    for key, what in (("python", "Python"), ("implementation", "Python implementation")):
        old, new = getattr(recorded, key), getattr(present, key)
        if old and new and old.lower() != new.lower():
            found.append(Finding(ENVIRONMENT, f"{what}: {old} → {new}"))
    if not recorded.packages or not present.packages:
        return found
    used: list[str] = []
    unused: list[str] = []
    places = list(folders)
    for pair in packages_differ(recorded, present):
        name, old, new = pair
        text = f"{name}: {old or 'not installed'} → {new or 'not installed'}"
        (used if not trace.active or _is_used(pair, trace, places) else unused).append(text)
    found += [Finding(ENVIRONMENT, text) for text in used]
    if unused:
        text = f"packages that the program does not import: {listed(unused)}"
        found.append(Finding(ENVIRONMENT, text, differs=False))
    return found


def _is_used(pair: Pair, trace: Trace, folders: Sequence[str]) -> bool:
    name, _, version = pair
    if version is None:  # what is not here was at most asked for
        guesses = {name.replace("-", "_"), name, _IMPORTED_AS.get(name, name)}
        return not guesses.isdisjoint(trace.modules)
    return not _tops(name, version.partition(" ")[0], folders).isdisjoint(trace.packages)


def _tops(name: str, version: str, folders: Sequence[str]) -> set[str]:
    """Return the files and folders that an installed package has at the top of where it is."""
    tops = {name.replace("-", "_"), name, _IMPORTED_AS.get(name, name)}
    tops |= {f"{top}.py" for top in tops}
    for folder in folders:
        try:
            entries = os.listdir(folder)
        except OSError:
            continue
        for entry in entries:
            stem, _, kind = entry.rpartition(".")
            if kind == "dist-info" and normalized(stem) == normalized(f"{name}-{version}"):
                tops |= _recorded_tops(os.path.join(folder, entry, "RECORD"))
    return tops


def _recorded_tops(path: str) -> set[str]:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            lines = file.read(_LARGEST).splitlines()
    except OSError:
        return set()
    found = {line.split(",", 1)[0].partition("/")[0] for line in lines}
    return {top for top in found if top not in ("..", "bin", "__pycache__") and not top.endswith(".dist-info")}


def hardware_findings(recorded: Environment | None, present: Environment) -> list[Finding]:
    """Return what differs between the machines, as far as both are known."""
    if recorded is None:
        return []
    found = []
    for key, what in _HARDWARE:
        old, new = getattr(recorded, key), getattr(present, key)
        if old and new and old != new:
            found.append(Finding(HARDWARE, f"{what}: {old} → {new}"))
    if tuple(recorded.gpus) != tuple(present.gpus):
        old, new = ", ".join(recorded.gpus) or "none", ", ".join(present.gpus) or "none"
        found.append(Finding(HARDWARE, f"GPUs: {old} → {new}"))
    return found
