"""What is said about experiments, in the ledger's tree."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.conftest import GitFunction
from tests.faults.kit import Forks, check_objects

from ledgit.errors import InvalidName, RecordError
from ledgit.git import Repo
from ledgit.store import ExperimentRecord, Folder, experiment_id, read_experiments, update_experiment
from ledgit.store.experiments import CACHE, LEDGER_REF, decode_experiment, encode_experiment

LABELS = ("Default", "owls", "Größe 🦉", "a/b", "con", "x" * 500, "two words", "Owls")


@pytest.fixture
def opened(repo: Path) -> Repo:
    return Repo.discover(str(repo))


def test_records_of_any_label_come_back(repo: Path, opened: Repo, git: GitFunction) -> None:
    """Each change is a commit of the ledger, whose tree is also for people."""
    folder = Folder.of(opened)
    for number, label in enumerate(LABELS):
        update_experiment(opened, folder, label, {"tags.number": str(number)}, when=1000 * number)

    found = read_experiments(opened)

    assert set(LABELS) == set(found)
    assert [str(number) for number in range(len(LABELS))] == [found[label].tags["number"] for label in LABELS]
    assert str(len(LABELS)) == git(repo, "rev-list", "--count", LEDGER_REF)
    assert {"README.md", "experiments", "format"} == set(git(repo, "ls-tree", "--name-only", LEDGER_REF).split())
    check_objects(repo)


def test_a_removed_key_keeps_its_clock(opened: Repo) -> None:
    """So that the removal wins when two clones' records are joined."""
    folder = Folder.of(opened)
    update_experiment(opened, folder, "owls", {"tags.a": "1"})
    update_experiment(opened, folder, "owls", {"tags.a": None, "deleted": True})

    record = read_experiments(opened)["owls"]

    assert ({}, True) == (record.tags, record.deleted)
    assert (2, folder.clone_id) == record.clocks["tags.a"]


def test_saying_the_same_again_makes_no_commit(repo: Path, opened: Repo, git: GitFunction) -> None:
    folder = Folder.of(opened)
    update_experiment(opened, folder, "owls", {"name": "Owls"})
    before = git(repo, "rev-parse", LEDGER_REF)
    update_experiment(opened, folder, "owls", {"name": "Owls"})

    assert before == git(repo, "rev-parse", LEDGER_REF)


def test_many_processes_say_things_at_once_and_all_are_heard(repo: Path, opened: Repo, forks: Forks) -> None:
    """The ref is moved by compare and swap; who loses begins again."""
    children = [forks.start("say_about_experiments", who, 5) for who in range(4)]
    for child in children:
        child.result()

    assert {f"t{who}-{number}": "x" for who in range(4) for number in range(5)} == read_experiments(opened)["owls"].tags
    check_objects(repo)


def test_ids_are_the_same_everywhere() -> None:
    assert ("0", "beda14763de0969a") == (experiment_id("Default"), experiment_id("owls"))


@pytest.mark.parametrize("name", ["", "  ", "x" * 501, "a\nb", "\x1b[31m"])
def test_impossible_names_are_refused(opened: Repo, name: str) -> None:
    with pytest.raises(InvalidName):
        update_experiment(opened, Folder.of(opened), name, {"tags.a": "1"})


@pytest.mark.parametrize("data", [b"", b"label: x", b"- 1", b"label: x\nkeys: 3", b"label: x\nkeys: {a: {clock: 1}}"])
def test_what_is_no_record_is_refused(data: bytes) -> None:
    with pytest.raises(RecordError):
        decode_experiment(data)


def test_a_record_survives_encoding() -> None:
    record = ExperimentRecord("owls", {"name": "Eulen", "deleted": False}, {"name": (3, "c"), "deleted": (1, "d")})

    assert record == decode_experiment(encode_experiment(record))


def test_records_are_kept_until_the_ledger_moves(opened: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second look starts no process, so that the start of a run doesn't."""
    folder = Folder.of(opened)
    update_experiment(opened, folder, "owls", {"tags.a": "1", "deleted": True})
    first = read_experiments(opened)
    with monkeypatch.context() as patch:
        patch.setenv("PATH", "")  # no git can be started

        assert first == read_experiments(opened)

    update_experiment(opened, folder, "owls", {"tags.a": "2"})

    assert {"a": "2"} == read_experiments(opened)["owls"].tags


@pytest.mark.parametrize("damage", [b"", b"[[", b'[["owls", {}, {"a": 5}]]', b"{}", b"\xff"])
def test_a_damaged_copy_is_read_anew(opened: Repo, damage: bytes) -> None:
    folder = Folder.of(opened)
    update_experiment(opened, folder, "owls", {"tags.a": "1"})
    whole = read_experiments(opened)
    copy = Path(folder.path) / CACHE
    tip = copy.read_bytes().split(b"\n")[0]
    copy.write_bytes(tip + b"\n" + damage)

    assert whole == read_experiments(opened)
