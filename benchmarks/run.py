"""Run the cases and write the report."""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

from benchmarks.case import Case, Command, Subject
from benchmarks.cases import CASES, LARGE
from benchmarks.measure import Timing, middle, run_process, time_process
from benchmarks.table import Results, case_table, targets_table

ROOT = Path(__file__).parent.parent
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
LARGE_BEGIN, LARGE_END = "<!-- measured at scale: begin -->", "<!-- measured at scale: end -->"


def main() -> int:
    """Measure what the arguments name; the exit code is 0 however fast it was."""
    options = arguments()
    environment = clean_environment()
    os.environ.clear()
    os.environ.update(environment)
    if options.mlflow_python:
        os.environ["BENCH_MLFLOW_PYTHON"] = options.mlflow_python  # for cases that prepare a store of MLflow's
    pythons = {"ledgit": sys.executable, "": sys.executable, "mlflow": options.mlflow_python}
    measured = []
    with scratch_folder(options.keep) as scratch:
        for name in options.only or (LARGE if options.large else CASES):
            case: Case = import_module(f"benchmarks.cases.{name}").CASE
            folder = scratch / name
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            rounds = options.rounds or case.rounds
            measured.append((case, measure(name, case, folder, pythons, rounds)))
            shutil.rmtree(folder, ignore_errors=True)
            print(case_table(*measured[-1]), flush=True)
    report = "\n".join([conditions(pythons), "", targets_table(measured), *[case_table(*one) for one in measured]])
    print(targets_table(measured))
    if options.write:
        marks = (LARGE_BEGIN, LARGE_END) if options.large else (BEGIN, END)
        write_report(Path(options.write), report, marks)
    return 0


@contextmanager
def scratch_folder(kept: str | None) -> Iterator[Path]:
    """Yield the folder to work in; one that is *kept* still has the large repositories next time."""
    if kept:
        folder = Path(kept).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        yield folder
    else:
        with tempfile.TemporaryDirectory(prefix="ledgit-bench-") as scratch:
            yield Path(scratch).resolve()


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--mlflow-python", metavar="PATH", help="an interpreter that has mlflow; without it, no MLflow")
    parser.add_argument("--only", action="append", choices=(*CASES, *LARGE), help="this case alone (may be repeated)")
    parser.add_argument("--large", action="store_true", help="the cases with 100,000 runs: a quarter of an hour, 5 GB")
    parser.add_argument("--keep", metavar="DIR", help="work in DIR and leave the large repositories there")
    parser.add_argument("--rounds", type=int, metavar="N", help="processes of each subject, instead of the case's own")
    parser.add_argument("--write", metavar="FILE", help="put the report between the two marks in this Markdown file")
    options = parser.parse_args()
    if options.mlflow_python:
        options.mlflow_python = os.path.abspath(options.mlflow_python)
    return options


def measure(name: str, case: Case, folder: Path, pythons: Mapping[str, str | None], rounds: int) -> Results:
    """Let the subjects take turns, *rounds* times, and return the median of each measure."""
    subjects = [subject for subject in case.subjects if pythons[subject.library]]
    environment = clean_environment()
    shared = folder / "shared"
    shared.mkdir()
    if case.prepare:
        case.prepare(shared, sys.executable)
    found: dict[str, dict[str, list[Timing]]] = {subject.name: {} for subject in subjects}
    for subject in subjects:
        if isinstance(subject, Command):
            command(subject, shared, pythons, environment)  # fills the page cache, writes the .pyc files
    for number in range(rounds):
        turn = number % len(subjects)  # who comes first, and after whom, changes from round to round
        for subject in subjects[turn:] + subjects[:turn]:
            index = subjects.index(subject)
            place = shared if case.shared else folder / f"{number}-{index}"
            place.mkdir(exist_ok=True)
            if isinstance(subject, Command):
                times = command(subject, place, pythons, environment)
            else:
                times = worker(name, subject, place, str(pythons[subject.library]), environment)
            for key, timing in times.items():
                found[subject.name].setdefault(key, []).append(timing)
        print(f"{name}: round {number + 1} of {rounds}", file=sys.stderr, flush=True)
    return {subject: {key: middle(timings) for key, timings in measures.items()} for subject, measures in found.items()}


def command(
    subject: Command, place: Path, pythons: Mapping[str, str | None], environment: Mapping[str, str]
) -> dict[str, Timing]:
    """Time a command line from start to exit."""
    python, mlflow = Path(sys.executable), Path(pythons["mlflow"] or "")
    names = {"python": python, "bin": python.parent, "mlflow_python": mlflow, "mlflow_bin": mlflow.parent}
    line = [argument.format(**names) for argument in subject.arguments]
    return {"process": time_process(line, place, environment)}


def worker(case: str, subject: Subject, place: Path, python: str, environment: Mapping[str, str]) -> dict[str, Timing]:
    """Do a subject's work in a process of its own."""
    line = [python, "-m", "benchmarks.worker", case, subject.name, str(place)]
    output = run_process(line, place, {**environment, "PYTHONPATH": str(ROOT)})
    return {key: Timing(*value) for key, value in json.loads(output.splitlines()[-1]).items()}


def clean_environment() -> dict[str, str]:
    """This process's environment without what would change how the subjects work."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("GIT_", "LEDGIT_", "MLFLOW_", "PYTHON"))
    }
    return kept | {
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "DO_NOT_TRACK": "true",
    }


def conditions(pythons: Mapping[str, str | None]) -> str:
    """Say on what this was measured."""
    git = subprocess.run(["git", "--version"], capture_output=True, text=True, check=True).stdout.split()[2]
    versions = [f"Python {platform.python_version()}", f"git {git}"]
    versions += [f"{name} {version(name)}" for name in ("ledgit", "pygit2", "dvc")]
    if pythons["mlflow"]:
        code = "from importlib.metadata import version; print(version('mlflow'))"
        asked = subprocess.run([pythons["mlflow"], "-c", code], capture_output=True, text=True, check=True)
        versions.append(f"mlflow {asked.stdout.strip()}")
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    return f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, load {load}. {', '.join(versions)}.\n"


def write_report(path: Path, report: str, marks: tuple[str, str] = (BEGIN, END)) -> None:
    """Replace what stands between the two marks in *path*."""
    text = path.read_text(encoding="utf-8")
    begin, end = marks
    before, rest = text.split(begin, 1)
    _, after = rest.split(end, 1)
    path.write_text(f"{before}{begin}\n\n{report}\n{end}{after}", encoding="utf-8")
