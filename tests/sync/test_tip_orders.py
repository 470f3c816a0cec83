"""Clones with the ledger's tip alone, among full ones, do everything in every order.

More examples: ``ORDERS=300 pytest tests/sync/test_tip_orders.py`` (four seconds each).
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from hypothesis import given, note, settings
from hypothesis import strategies as st
from tests.conftest import run_git
from tests.sync.kit import LEDGER, Clone, lines_of, tree_of
from tests.sync.test_orders import World

from ledgit.errors import NotHere
from ledgit.git import Objects
from ledgit.store.sync.tip import tip_exists

KINDS = ("full", "shallow", "tip")
VERBS = (
    "log",
    "tag",
    "tag",
    "tag",
    "rename",
    "rename",
    "delete",
    "purge",
    "compact",
    "push",
    "push",
    "push",
    "pull",
    "pull",
    "lose",
    "throw away",
    "clean",
    "turn",
)
steps = st.lists(st.tuples(st.sampled_from(VERBS), st.integers(0, 2), st.integers(0, 3)), min_size=6, max_size=18)
EXAMPLES = int(os.environ.get("ORDERS", "5"))


class TipWorld(World):
    """Three clones: a full one, a shallow one, and a full one that takes the tip alone."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        shallow = self.clones[1].path
        shutil.rmtree(shallow)
        run_git(folder, "clone", "-q", "--depth=1", f"file://{self.host}", str(shallow))
        run_git(self.clones[2].path, "config", "ledgit.fetch", "tip")
        # Without runs that all have nothing would ever be edited twice.
        for which in (0, 1, 2):
            self.do("log", which, 0)
            self.do("push", which, 0)
        for which in (0, 1):
            self.do("pull", which, 0)

    def do(self, verb: str, which: int, number: int) -> None:
        clone = self.clones[which]
        if verb == "lose":
            self.lose(number)
        elif verb == "throw away":
            shutil.rmtree(clone.path / ".git" / "ledgit" / "tip.git", ignore_errors=True)
        elif verb == "clean":
            run_git(clone.path, "gc", "-q", "--prune=now")
        elif verb == "turn":
            run_git(self.clones[2].path, "config", "ledgit.fetch", ("tip", "full")[number % 2])
        else:
            try:
                super().do(verb, which, number)
            except NotHere as error:
                # An edit of what the host lost, and only other clones have.
                assert "any more" in str(error)  # noqa: PT017


def check(clone: Clone) -> None:
    """What the clone's ledger needs is in the clone, and git finds nothing wrong."""
    run_git(clone.path, "fsck", "--strict", "--no-dangling", "--connectivity-only")
    if clone.ledger is not None:
        run_git(clone.path, "rev-list", "--objects", "--quiet", LEDGER)
        assert Objects(clone.repo, own=True).exists(clone.ledger)


@settings(max_examples=EXAMPLES)
@given(steps=steps)
def test_any_order_of_steps_ends_in_the_same_ledger(steps: list[tuple[str, int, int]]) -> None:
    """Equal trees, every run that was made and not purged, and every clone sound at every moment."""
    with tempfile.TemporaryDirectory() as folder:
        world = TipWorld(Path(folder))
        for verb, which, number in steps:
            note(f"{KINDS[which]} {verb} {number}")
            world.do(verb, which, number)
            check(world.clones[which])
        end(world)


def end(world: TipWorld) -> None:
    """All push until nothing is new; then all have the same."""
    for clone in (*world.clones, *world.clones, *world.clones):
        clone.push(accept_purges=True)

    assert set(world.made) - world.purged == lines_of(world.host)
    for clone in world.clones:
        check(clone)
        assert clone.tree == tree_of(world.host, LEDGER)
        assert set() == clone.loose()
    assert tip_exists(world.clones[1].repo)
    answers = world.answers(world.clones[0]) if world.made else {}
    assert all(answers == world.answers(clone) for clone in world.clones if world.made)
    if world.made:
        carried = set(run_git(world.host, "rev-list", LEDGER).split())
        assert {head for run in world.clones[0].listed() for head in world.clones[0].heads(run)} <= carried
        run_git(world.host, "fsck", "--strict", "--connectivity-only")
