"""Files that a run logs: one of 1 GiB, and 10,000 of 4 KiB; hashed, whole and synced when the run has ended."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.case import Case, Subject, Target
from benchmarks.measure import Timing, repeated, timed
from benchmarks.repository import small_repository

LARGE = 1 << 30
MANY = 10_000
SMALL = 4096
AGAIN = 20


def prepare(folder: Path, _python: str) -> None:
    """Write the files that everybody takes; their stamps are old, as of files that nobody writes to any more."""
    source = folder / "source"
    (source / "many").mkdir(parents=True)
    with open(source / "large.bin", "wb") as file:
        file.writelines(os.urandom(1 << 20) for _ in range(LARGE >> 20))
    for number in range(MANY):
        (source / "many" / f"{number:05}.bin").write_bytes(os.urandom(SMALL))
    os.sync()
    time.sleep(2.5)  # a younger stamp is not trusted


def _scratch(folder: Path) -> Path:
    """A folder of this process's own. Nothing is deleted between two: file systems are slow for a while after that."""
    os.sync()  # what others left to be written
    path = folder / f"work-{os.getpid()}"
    path.mkdir()
    os.chdir(path)
    return path


def _both(one: Timing, other: Timing) -> Timing:
    assert one.cpu is not None
    assert other.cpu is not None
    return Timing(one.wall + other.wall, one.cpu + other.cpu)


def ledgit(folder: Path) -> dict[str, Timing]:
    """A private copy, its MD5, the cache, the commit; all of it synced."""
    import ledgit

    small_repository(_scratch(folder))
    source = folder / "source"
    found: dict[str, Timing] = {}
    run = ledgit.start_run()
    held = timed(lambda: ledgit.log_artifact(source / "large.bin"))
    found["1 GiB, until training goes on"] = held
    found["1 GiB, until the run has ended"] = _both(held, timed(ledgit.end_run))
    assert [record.stored for record in ledgit.get_run(run.info.run_id).artifacts()] == ["dvc"]
    with ledgit.start_run():
        found["the same file again"] = repeated(lambda: ledgit.log_artifact(source / "large.bin"), AGAIN)
    ledgit.start_run()
    held = timed(lambda: ledgit.log_artifacts(source / "many", "many"))
    found["10,000 files, until training goes on"] = held
    found["10,000 files, until the run has ended"] = _both(held, timed(ledgit.end_run))
    ledgit.start_run()
    held = timed(lambda: ledgit.log_artifacts(source / "many"))
    found["… into the run's root"] = _both(held, timed(ledgit.end_run))
    return found


def mlflow_files(folder: Path) -> dict[str, Timing]:
    """A copy beside MLflow's SQLite store; nothing is hashed, nothing is synced."""
    import mlflow

    here = _scratch(folder)
    source = folder / "source"
    mlflow.set_tracking_uri(f"sqlite:///{here}/mlflow.db")
    mlflow.create_experiment("files", artifact_location=str(here / "artifacts"))
    mlflow.set_experiment("files")
    found: dict[str, Timing] = {}
    for name, work in (
        ("1 GiB", lambda: mlflow.log_artifact(str(source / "large.bin"))),
        ("10,000 files", lambda: mlflow.log_artifacts(str(source / "many"), "many")),
    ):
        mlflow.start_run()
        held = timed(work)
        found[f"{name}, until training goes on"] = held
        found[f"{name}, until the run has ended"] = _both(held, timed(mlflow.end_run))
        if name == "1 GiB":
            with mlflow.start_run():
                found["the same file again"] = timed(work)
    with mlflow.start_run():
        found["… into the run's root"] = timed(lambda: mlflow.log_artifacts(str(source / "many")))
    return found


def md5(folder: Path) -> dict[str, Timing]:
    """The digests alone."""
    source = folder / "source"

    def one() -> None:
        with open(source / "large.bin", "rb") as file:
            hashlib.file_digest(file, "md5")

    def many() -> None:
        for path in (source / "many").iterdir():
            hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()

    return {"1 GiB, until the run has ended": timed(one), "10,000 files, until the run has ended": timed(many)}


def cp(folder: Path) -> dict[str, Timing]:
    """Copies alone, unsynced."""
    here = _scratch(folder)
    source = folder / "source"
    copy = ["cp", "-r"]
    return {
        "1 GiB, until the run has ended": timed(
            lambda: subprocess.run([*copy, str(source / "large.bin"), str(here)], check=True)
        ),
        "10,000 files, until the run has ended": timed(
            lambda: subprocess.run([*copy, str(source / "many"), str(here)], check=True)
        ),
    }


def md5_cp(folder: Path) -> dict[str, Timing]:
    """The digests, then the copies."""
    one, other = md5(folder), cp(folder)
    return {name: _both(one[name], other[name]) for name in one}


def md5_cp_sync(folder: Path) -> dict[str, Timing]:
    """… and then a sync."""
    here = _scratch(folder)
    found = md5(folder)
    for name, what in zip(found, ("large.bin", "many"), strict=True):
        copied = timed(lambda what=what: subprocess.run(["cp", "-r", folder / "source" / what, here], check=True))  # type: ignore[misc]
        found[name] = _both(_both(found[name], copied), timed(os.sync))
    return found


def dvc_add(folder: Path) -> dict[str, Timing]:
    """``dvc add`` of a copy in a fresh repository, without the copy's time; nothing is synced."""
    here = _scratch(folder)
    source = folder / "source"
    small_repository(here)
    environment = {**os.environ, "DVC_NO_ANALYTICS": "1"}
    command = [sys.executable, "-m", "dvc"]
    subprocess.run([*command, "init", "-q"], check=True, env=environment)
    found = {}
    for name, what in (("1 GiB", "large.bin"), ("10,000 files", "many")):
        subprocess.run(["cp", "-r", str(source / what), str(here)], check=True)
        found[f"{name}, until the run has ended"] = timed(
            lambda what=what: subprocess.run([*command, "add", "-q", what], check=True, env=environment)  # type: ignore[misc]
        )
    return found


CASE = Case(
    title="Files",
    note=(
        "One file of 1 GiB and 10,000 of 4 KiB, random, in the page cache. Ledgit's are hashed, and synced when the "
        "run has ended; MLflow's are neither. No reflinks here (ext4): each file is copied."
    ),
    rounds=3,
    subjects=[
        Subject("ledgit", ledgit, "ledgit"),
        Subject("mlflow, unhashed, unsynced", mlflow_files, "mlflow"),
        Subject("md5", md5),
        Subject("cp", cp),
        Subject("md5 and cp", md5_cp),
        Subject("md5, cp and sync", md5_cp_sync),
        Subject("dvc add", dvc_add, "ledgit"),
    ],
    targets=[
        Target("a 1 GiB file ≤ 1.2× MD5 and cp", "1 GiB, until the run has ended", "ledgit", 1.2, "md5 and cp"),
        Target("10,000 files of 4 KiB ≤ 0.8 s", "10,000 files, until the run has ended", "ledgit", 0.8),
        Target("the same 1 GiB file again ≤ 5 ms", "the same file again", "ledgit", 0.005),
    ],
    prepare=prepare,
    shared=True,
)
