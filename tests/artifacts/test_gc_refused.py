"""Sweeps of an artifact remote that would not be safe, and what they leave alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.artifacts.people import Person, clone, make_file, make_folder, start_project
from tests.artifacts.sweeping_kit import Clock, sweep


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


@pytest.fixture
def host(tmp_path: Path) -> Path:
    return start_project(tmp_path)


@pytest.fixture
def storage(tmp_path: Path) -> Path:
    return tmp_path / "storage"


@pytest.fixture
def ada(host: Path, tmp_path: Path, storage: Path) -> Person:
    person = clone(host, tmp_path / "ada")
    person.run("artifacts", "remote", str(storage))
    return person


@pytest.fixture
def ben(host: Path, tmp_path: Path, storage: Path) -> Person:
    person = clone(host, tmp_path / "ben")
    person.run("artifacts", "remote", str(storage))
    return person


@pytest.fixture
def model(ada: Person, tmp_path: Path) -> Path:
    """A file whose object is on the remote, and that no run needs: the run that brought it was purged."""
    file = make_file(tmp_path / "model.bin")
    ada.log(make_file(tmp_path / "other.bin"), name="stays")
    run = ada.log(file)
    ada.run("push", "--all")
    kept = {path: path.read_bytes() for path in tmp_path.glob("storage/files/md5/??/*")}
    ada.run("rm", run)
    ada.run("gc", "--purge", run, "--yes")
    for path, data in kept.items():  # as if the purge's own sweep had not come to it
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            path.write_bytes(data)
    return file


def test_members_of_a_folder_are_needed_although_its_list_is_elsewhere(
    ada: Person, ben: Person, storage: Path, tmp_path: Path, clock: Clock
) -> None:
    """Who sweeps fetches the list first."""
    ada.log(make_folder(tmp_path / "plots"))
    ada.run("push", "--all")
    assert not ben.objects()

    assert {} == sweep(ben).fresh
    (listed,) = ben.objects()
    assert listed.endswith(".dir")


def test_nobody_sweeps_without_a_list(ada: Person, ben: Person, storage: Path, tmp_path: Path, clock: Clock) -> None:
    """Nobody knows what is in the folder then."""
    from ledgit.errors import ArtifactsMissing

    run = ada.log(make_folder(tmp_path / "plots"))
    ada.run("push", "--all")
    (listed,) = (storage / "files" / "md5").glob("??/*.dir")
    listed.unlink()

    with pytest.raises(ArtifactsMissing, match="nobody knows which artifacts") as raised:
        sweep(ben)
    assert (run,) == raised.value.runs


def test_a_clone_of_the_tip_alone_does_not_sweep(ada: Person, host: Path, tmp_path: Path, storage: Path) -> None:
    """It has not what runs need."""
    from ledgit.errors import NotHere

    ada.log(make_file(tmp_path / "model.bin"))
    ada.run("push", "--all")
    ada.git("config", "ledgit.fetch", "tip")

    with pytest.raises(NotHere, match="full clone"):
        sweep(ada)


def test_runs_that_are_only_in_one_clone_keep_their_objects(
    ada: Person, ben: Person, storage: Path, model: Path, clock: Clock
) -> None:
    """Held back, loose, or being written: whoever sweeps from there sees them."""
    ben.log(model)

    assert {} == sweep(ben).fresh
    assert 1 == len(sweep(ada).fresh)


def test_a_remote_that_others_seem_to_use_is_left_alone(
    ada: Person, storage: Path, tmp_path: Path, clock: Clock
) -> None:
    """Two repositories with one remote would take each other's artifacts."""
    from ledgit.errors import Conflict

    ada.log(make_file(tmp_path / "model.bin"))
    ada.run("push", "--all")
    for number in range(120):
        make_file(storage / "files" / "md5" / f"{number:02x}" / f"{number:030x}", 10)

    with pytest.raises(Conflict, match="another repository"):
        sweep(ada)
    assert 120 == len(sweep(ada, unshared=True).fresh)


def test_a_folder_below_the_projects_dvc_remote_may_be_shared(
    ada: Person, model: Path, storage: Path, tmp_path: Path, clock: Clock
) -> None:
    """Whole organisations have one; so nothing is announced before somebody has said that it is not shared."""
    from ledgit.errors import Conflict

    (ada.path / ".dvc").mkdir()
    (ada.path / ".dvc/config").write_text(f"[core]\n    remote = all\n['remote \"all\"']\n    url = {tmp_path}\n")
    ada.git("config", "--unset", "ledgit.artifactRemote")
    storage.rename(tmp_path / "ledgit")

    assert "may have as well" in sweep(ada, act=False).doubt
    with pytest.raises(Conflict, match="below a DVC remote"):
        sweep(ada)
    assert 1 == len(sweep(ada, unshared=True).fresh)
