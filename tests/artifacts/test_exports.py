"""Exports of runs whose large files and long histories are somewhere else: nothing is left out unsaid."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from tests.artifacts.people import Person, clone, make_file, make_folder, same, start_project

from ledgit.artifacts import Cache
from ledgit.git import Repo
from ledgit.store import ActiveRun, RunStart
from ledgit.store.artifacts import histories

SOME = 3000  # points that take more than 4 KiB when compressed


@pytest.fixture
def people(tmp_path: Path) -> tuple[Person, Person, str]:
    """Ada has pushed a run with all kinds of files; Bob has the run's commit alone. Its id."""
    ada = clone(start_project(tmp_path), tmp_path / "ada")
    bob = clone(tmp_path / "host.git", tmp_path / "bob")
    for one in (ada, bob):
        one.git("config", "ledgit.artifactThreshold", "4096")
        one.run("artifacts", "remote", str(tmp_path / "storage"))
    run = ActiveRun.create(Repo.discover(str(ada.path)), RunStart(name="owl"))
    for step in range(SOME):
        run.log_metric("loss", (step * 7919 % 3001) / 3001, step, step)
    run.add_artifact(str(make_file(tmp_path / "model.bin")), "model.bin")
    run.add_folder(str(make_folder(tmp_path / "plots")), "plots")
    run.add_artifact_bytes("note.txt", b"small")
    assert run.finish() is not None, run.problems
    ada.run("push", "--all")
    bob.run("pull")
    assert set() == bob.objects()
    histories._kept.clear()
    return ada, bob, run.id


def points(target: Path, run: str) -> list[int]:
    rows = (target / run / "history" / "loss.tsv").read_text().splitlines()[1:]
    return [int(row.split("\t")[0]) for row in rows]


def test_what_is_not_here_is_fetched(people: tuple[Person, Person, str], tmp_path: Path) -> None:
    """Every point of every history, files and folders; and another repository gets all of it."""
    _, bob, run = people
    target = tmp_path / "out"

    done = bob.json("export", run, str(target))

    assert {"exported": [run], "missing": [], "why": ""} == done
    assert list(range(SOME)) == points(target, run)
    files = target / run / "artifacts"
    assert (tmp_path / "model.bin").read_bytes() == (files / "model.bin").read_bytes()
    assert same(tmp_path / "plots", files / "plots")
    shutil.rmtree(bob.cache)
    eve = clone(tmp_path / "host.git", tmp_path / "eve")
    eve.run("import", str(target))
    history = eve.repository.run(run).history("loss")
    assert history is not None
    assert SOME == len(history)
    eve.run("verify", run)


def test_what_is_only_here_is_asked_for(people: tuple[Person, Person, str], tmp_path: Path) -> None:
    """Nothing is fetched, pointers stand for what is missing, and that is said."""
    _, bob, run = people

    said = bob.says("export", "--here", run, str(tmp_path / "out"))

    assert set() == bob.objects()
    for what in ("model.bin of owl", "plots of owl", "all points of the histories of owl"):
        assert f"its pointer was exported: {what}" in said
    assert SOME > len(points(tmp_path / "out", run))


def test_an_export_that_is_not_whole_fails_and_has_the_rest(people: tuple[Person, Person, str], tmp_path: Path) -> None:
    """One object is nowhere: the others are there, the missing one is named, and so is the reason."""
    ada, bob, run = people
    cache = Cache(str(ada.cache))
    (model,) = (oid for oid in ada.objects() if cache.size(oid) == (tmp_path / "model.bin").stat().st_size)
    (tmp_path / "storage" / "files" / "md5" / model[:2] / model[2:]).unlink()

    done = bob.json("export", run, str(tmp_path / "out"), code=1)

    assert ["model.bin of owl"] == done["missing"]
    assert "is not on" in done["why"]
    assert SOME == len(points(tmp_path / "out", run))
    assert (tmp_path / "out" / run / "artifacts" / "model.bin.dvc").exists()
    assert same(tmp_path / "plots", tmp_path / "out" / run / "artifacts" / "plots")


def test_without_the_remote_what_is_here_is_exported(people: tuple[Person, Person, str], tmp_path: Path) -> None:
    """It is said why the rest is not, and the exit code says so, too."""
    _, bob, run = people
    bob.run("artifacts", "fetch", run)
    bob.run("artifacts", "remote", "ssh://127.0.0.1:1/nowhere")
    bob.run("export", run, str(tmp_path / "whole"))
    shutil.rmtree(bob.cache)
    histories._kept.clear()

    said = bob.says("export", run, str(tmp_path / "part"), code=1)

    assert "all points of the histories of owl" in said
    assert "127.0.0.1" in said
    assert b"small" == (tmp_path / "part" / run / "artifacts" / "note.txt").read_bytes()


def test_damaged_copies_are_fetched_again(people: tuple[Person, Person, str], tmp_path: Path) -> None:
    """Each is hashed as it is written out; nothing damaged gets into an export."""
    _, bob, run = people
    bob.run("artifacts", "fetch", run)
    for path in (bob.cache / "files").rglob("*"):
        if path.is_file() and not path.name.endswith(".dir"):
            path.chmod(0o644)
            path.write_bytes(bytes(len(path.read_bytes())))
    histories._kept.clear()

    done = bob.json("export", run, str(tmp_path / "out"))

    assert [] == done["missing"]
    assert list(range(SOME)) == points(tmp_path / "out", run)
    assert same(tmp_path / "plots", tmp_path / "out" / run / "artifacts" / "plots")


def test_a_link_in_an_exported_folder_is_refused(people: tuple[Person, Person, str], tmp_path: Path) -> None:
    """Whoever made the export may have meant a file of whoever reads it."""
    _, bob, run = people
    target = tmp_path / "out"
    bob.run("export", run, str(target))
    file = target / run / "artifacts" / "plots" / "0" / "0.bin"
    (tmp_path / "mine").write_bytes(file.read_bytes())
    file.unlink()
    file.symlink_to(tmp_path / "mine")
    eve = clone(tmp_path / "host.git", tmp_path / "eve")

    assert "is a link that leaves the folder" in eve.says("import", str(target), code=6)
