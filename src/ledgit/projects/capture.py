"""What a command's own argument parser made of its arguments: ``--capture-args``.

A folder put first on ``PYTHONPATH`` has a ``sitecustomize`` that notes what argparse, click, typer and Hydra parsed,
then hands on to the environment's own. A program that is run by an interpreter that doesn't look there (``python -I``)
notes nothing; Hydra's is then read from the ``.hydra`` folder that it wrote.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence

from ledgit.projects.flatten import flatten

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ledgit.records.scalars import Scalar

__all__ = ["SITE", "VARIABLE", "captured", "capturing_environment"]

SITE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "capture_site")
VARIABLE = "LEDGIT_CAPTURE_ARGS"
_LARGEST = 16 << 20
_MOST_VALUES = 2_000
# Hydra's folders: outputs/DAY/TIME, multirun/DAY/TIME/NUMBER.
_HYDRA_FOLDERS = (("outputs", 3), ("multirun", 4))


def capturing_environment(environ: Mapping[str, str], target: str) -> dict[str, str]:
    """Return *environ* so that Python programs note in the file *target* what they parsed; it need not exist."""
    before = environ.get("PYTHONPATH", "")
    return {**environ, VARIABLE: target, "PYTHONPATH": os.pathsep.join([SITE, *([before] if before else [])])}


def captured(path: str, folder: str = "", since: float = 0.0) -> dict[str, Scalar]:
    """Return what was noted in the file *path*, as params; nothing if there is no such file.

    Nested values are named ``a.b.c``, lists are their text, values with telling names (``password``) are ``***``.
    Of several programs the first has its names; another value of a later one is named after that program, too
    (``evaluate.seed``). Of several jobs of one Hydra sweep all values are there, joined by commas.

    Args:
        path: The file that `capturing_environment` named.
        folder: Where the command ran: if no Hydra program noted anything, what Hydra wrote there is read.
        since: Seconds since the epoch; Hydra's files from before do not count.
    """
    programs = _programs(path)
    if folder and not any(kind == "hydra" for kind, _, _ in programs):
        programs += [("hydra", "", values) for values in _hydra_files(folder, since)]
    found: dict[str, Scalar] = {}
    for program, values in _joined(programs):
        for name, value in values.items():
            if len(found) >= _MOST_VALUES:
                return found
            key = name
            if key in found and found[key] != value:
                key = f"{program}.{name}" if program else name
            found.setdefault(key, value)
    return found


def _programs(path: str) -> list[tuple[str, str, dict[str, Scalar]]]:
    """Return kind, program and values of each line; a torn line is passed over."""
    import json

    try:
        with open(path, "rb") as file:
            lines = file.read(_LARGEST).splitlines()
    except OSError:
        return []
    found = []
    for line in lines:
        try:
            document = json.loads(line)
            kind, program, values = document["kind"], document["program"], document["values"]
            name = os.path.splitext(os.path.basename(str(program)))[0]
            found.append((f"{kind}", f"{name}\0{document['pid']}", dict(flatten(values))))
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            continue
    return found


def _joined(programs: Sequence[tuple[str, str, dict[str, Scalar]]]) -> list[tuple[str, dict[str, Scalar]]]:
    """Return one mapping a program: what it parsed in several steps is one, and jobs of a sweep are."""
    found: dict[tuple[str, str], dict[str, Scalar]] = {}
    for kind, program, values in programs:
        known = found.setdefault((kind, program), {})
        for name, value in values.items():
            if kind == "hydra" and name in known and known[name] != value:
                value = _with(known[name], value)
            known[name] = value
    return [(program.partition("\0")[0], values) for (_, program), values in found.items()]


def _with(known: Scalar, value: Scalar) -> Scalar:
    parts = str(known).split(",")
    return known if str(value) in parts else ",".join([*parts, str(value)])


def _hydra_files(folder: str, since: float) -> Iterator[dict[str, Scalar]]:
    """Yield what the jobs that Hydra began in *folder* after *since* were configured with, the oldest first."""
    from ledgit.errors import ProjectError
    from ledgit.projects.marked import load_marked, read_text

    found: list[tuple[float, str]] = []
    for name, depth in (("", 1), *_HYDRA_FOLDERS):
        _find_configs(os.path.join(folder, name), depth if name else 0, since, found)
    for _, path in sorted(found):
        try:
            values = load_marked(read_text(path), path).plain()
        except ProjectError:
            continue
        yield dict(flatten(values))


def _find_configs(folder: str, depth: int, since: float, found: list[tuple[float, str]]) -> None:
    path = os.path.join(folder, ".hydra", "config.yaml")
    try:
        changed = os.stat(path).st_mtime
    except OSError:
        pass
    else:
        if changed >= since:
            found.append((changed, path))
        return
    if depth == 0:
        return
    try:
        with os.scandir(folder) as entries:
            folders = [entry.path for entry in entries if entry.is_dir(follow_symlinks=False)]
    except OSError:
        return
    for inner in folders:
        _find_configs(inner, depth - 1, since, found)
