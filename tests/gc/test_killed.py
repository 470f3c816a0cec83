"""A purge that is killed loses nothing else, and the next one completes it."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.gc.kit import Clone, gc, left, lines_of, tombstones

from ledgit.errors import LedgitError
from ledgit.git import Objects
from ledgit.repository import open_repository
from ledgit.store.gc import Selection
from ledgit.store.ledger import check_heads, check_tree, every_line, owing
from ledgit.store.recovery import recover

POINTS = ["pack", "ledger", "noted", "refs", "forgotten", "before push", "pushed", "adopted"]


@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize("loose", [False, True])
def test_a_purge_that_dies_is_completed(ada: Clone, ben: Clone, host: Path, point: str, loose: bool) -> None:
    """Whatever step it dies at: the other runs are there, and a second purge leaves nothing."""
    secret, kept = ada.log("secret"), ada.log("kept")
    ada.push()
    if loose:
        ada.edit(secret, set_tags={"late": "yes"})
    mine = ada.log("mine")
    own = ada.own_objects(secret)

    command = [sys.executable, str(Path(__file__).with_name("tasks.py")), point, secret]
    died = subprocess.run(command, cwd=ada.path, capture_output=True, text=True, check=False)
    assert -signal.SIGKILL == died.returncode, died.stderr

    whole(ada)
    assert {kept, mine} <= ada.listed() | ada.loose()
    assert {kept} <= lines_of(host)
    repository = open_repository(ada.path)
    try:
        plan = repository.plan_purge(Selection(runs=(secret,)))
    except LedgitError:  # it has a tombstone already
        plan = None
    done = repository.purge(plan)
    ben.pull(accept_purges=True)

    assert {} == done.failed == done.owed == owing(ada.repo, Objects(ada.repo))
    assert {secret} == tombstones(host) == tombstones(ada.path)
    assert {kept} == lines_of(host)
    assert {kept, mine} == ada.listed() | ada.loose()
    whole(ada)
    release_keeps(ada)
    for path in (host, ada.path, ben.path):
        gc(path)
        assert set() == left(path, own), path
    whole(ada)


def whole(clone: Clone) -> None:
    """The clone's ledger is what it claims to be, and carries what it lists."""
    objects = Objects(clone.repo)
    assert clone.tree is not None
    check_tree(objects, clone.tree)
    lines = [line for _, line in every_line(objects, clone.tree)]
    check_heads(objects, lines)
    heads = {line.head for line in lines if not line.purged}
    assert heads <= set(clone.git("rev-list", "refs/ledgit/ledger").split())
    clone.git("fsck", "--strict")


def release_keeps(clone: Clone) -> None:
    """Packs that a killed process marked to be kept: recovering lets them go once they are old."""
    import os

    for path in (clone.path / ".git" / "objects" / "pack").glob("*.keep"):
        os.utime(path, (1, 1))
    recover(clone.repo, clone.folder)
    from ledgit.git import release_leftovers

    release_leftovers(clone.repo)
    assert [] == list((clone.path / ".git" / "objects" / "pack").glob("*.keep"))
