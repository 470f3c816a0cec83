"""Several at the same time, and killed in the middle: no number twice, no half of a version."""

from __future__ import annotations

import subprocess
import sys

import pytest
from tests.registry.tags.kit import Shop

from ledgit.errors import RunNotFound, VersionExists
from ledgit.repository import open_repository
from ledgit.store.registry import Registration, register, tagging

REGISTER = """
import sys
from ledgit.repository import open_repository
repository = open_repository()
run = repository.run(sys.argv[1])
for _ in range(int(sys.argv[2])):
    version = repository.register(run, "churn", "my_model", bump="minor")
    print(version.version, version.number)
"""


def test_processes_that_register_at_the_same_time_get_versions_and_numbers_of_their_own(shop: Shop) -> None:
    run = shop.train()
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", REGISTER, run.id, "8"], cwd=shop.path, stdout=subprocess.PIPE, text=True
        )
        for _ in range(3)
    ]

    said = [process.communicate()[0] for process in processes]

    assert [0, 0, 0] == [process.returncode for process in processes]
    made = [line.split() for text in said for line in text.splitlines()]
    assert {f"v0.{number}.0" for number in range(1, 25)} == {version for version, _ in made}
    assert set(range(1, 25)) == {int(number) for _, number in made}
    versions = shop.read().find("churn").active
    assert 24 == len({version.commit for version in versions})
    assert 24 == len({version.event.time for version in versions})
    assert [] == shop.problems()


def test_who_names_a_version_that_another_process_just_made_is_told(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between looking and writing."""
    run = shop.train()
    wanted = Registration("churn", run, "my_model", version="1.0.0")
    write = tagging.Tagging.write

    def late(step: tagging.Tagging) -> object:
        monkeypatch.setattr(tagging.Tagging, "write", write)
        register(shop.repo, shop.folder, wanted)
        return step.write()

    monkeypatch.setattr(tagging.Tagging, "write", late)

    with pytest.raises(VersionExists, match=r"the next free version is v1\.0\.1"):
        register(shop.repo, shop.folder, wanted)

    assert ["churn@v1.0.0"] == list(shop.refs())
    assert ["churn/1"] == list(shop.refs("refs/ledgit/versions"))


KILLED = """
import os, sys
import ledgit.git.refs as refs
from ledgit.repository import open_repository
repository = open_repository()
run = repository.run(sys.argv[1])
left = int(sys.argv[2])
rename = refs._rename

def dying(path):
    global left
    if left == 0:
        os._exit(137)
    left -= 1
    rename(path)

refs._rename = dying
repository.register(run, "churn", "my_model")
"""


@pytest.mark.parametrize("after", [0, 1, 2])
def test_a_process_killed_while_it_registers_leaves_all_or_what_doctor_completes(shop: Shop, after: int) -> None:
    """The tag is the last of the three refs to appear."""
    run = shop.train()

    done = subprocess.run([sys.executable, "-c", KILLED, run.id, str(after)], cwd=shop.path, check=False)

    assert 137 == done.returncode
    assert {} == shop.refs()
    for lock in shop.path.glob(".git/refs/**/*.lock"):
        lock.unlink()  # ours below refs/ledgit go by themselves after a second, that of the tag after a minute
    restored = open_repository(shop.path).restore_tags()
    assert ([] if after == 0 else ["churn@v0.0.1"]) == restored
    version = open_repository(shop.path).register(open_repository(shop.path).run(run.id), "churn", "my_model")
    assert (1 if after == 0 else 2) == version.number
    assert [] == shop.problems()
    shop.git("fsck", "--strict")


def test_a_run_that_ends_while_it_is_registered_is_registered_all_the_same(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    active = shop.start()
    repository = open_repository(shop.path)
    run = repository.run(active.id)
    stale = shop.state(active.id)
    active.finish()

    with pytest.raises(RunNotFound):
        shop.register(stale)
    assert 1 == repository.register(run, "churn", "my_model").number


def test_the_verbs_of_a_repository(shop: Shop) -> None:
    repository = shop.repository
    run = repository.run(shop.train().id)
    first, second = (repository.register(run, "churn", "my_model", reason="r") for _ in range(2))

    repository.assign(first, "prod")
    moved = repository.assign(second, "prod")
    repository.edit_model("churn", {"description": "d"})

    model = repository.registered().find("churn")
    assert ("v0.0.1", "v0.0.2", "d") == (moved.previous, model.stages["prod"].version, model.description)
    assert 2 == len(repository.unassign("churn", "prod"))
    repository.deregister(first)
    repository.deprecate("churn")
    model = repository.registered().find("churn")
    assert model.deprecated is not None
    assert ["v0.0.2"] == [version.version for version in model.active]
    shop.git("tag", "-d", "churn@v0.0.2")
    assert ["churn@v0.0.2"] == repository.restore_tags()
