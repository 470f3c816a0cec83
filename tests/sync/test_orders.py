"""Three clones do everything in every order, through real repositories: they end with one ledger.

Some of the time two of them share one clone id, as a copied `.git` and a CI cache do, or one has a
newer Ledgit, whose runs the others can't decode.

More examples: ``ORDERS=300 pytest tests/sync/test_orders.py`` (two seconds each).
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from hypothesis import given, note, settings
from hypothesis import strategies as st
from tests.conftest import run_git
from tests.sync.kit import LEDGER, START, Clone, lines_of, make_clone, make_host, tree_of

from ledgit.errors import NewerFormat
from ledgit.records import Entry, decode_entry, join
from ledgit.store.ledger import every_line

CLONES = ("ada", "ben", "bot")
VERBS = {
    "log": 2,
    "tag": 5,
    "untag": 1,
    "rename": 2,
    "delete": 2,
    "restore": 1,
    "purge": 1,
    "compact": 1,
    "push": 3,
    "pull": 2,
    "lose": 1,
}
weighted = [verb for verb, weight in VERBS.items() for _ in range(weight)]
steps = st.lists(
    st.tuples(st.sampled_from(weighted), st.integers(0, 2), st.integers(0, 1000)), min_size=10, max_size=24
)
EXAMPLES = int(os.environ.get("ORDERS", "6"))


class World:
    """A host, its clones, and what was done."""

    def __init__(self, folder: Path, *, twins: bool = False, newer: bool = False) -> None:
        self.host = make_host(folder / "hosts" / "runs.git")
        self.clones = [make_clone(str(self.host), folder / name) for name in CLONES]
        if twins:
            self.clones[1].twin = self.clones[0]
        self.newer = newer
        self.made: list[str] = []
        self.purged: set[str] = set()
        # Runs that all have: edits of the same one on two machines come about by themselves.
        for _ in range(3):
            self.do("log", 0, 0)
        for which in range(3):
            self.do("push", which, 0)

    def do(self, verb: str, which: int, number: int) -> None:
        clone = self.clones[which]
        if verb == "log":
            run_id = f"{len(self.made):06x}" + "0" * 25 + str(which)
            version = 2 if self.newer and which == 2 else 1
            self.made.append(clone.log(start=START + len(self.made), run_id=run_id, version=version))
        elif verb == "compact":
            clone.compact()
        elif verb == "push":
            clone.push(accept_purges=True)
        elif verb == "pull":
            clone.pull(accept_purges=True)
        elif verb == "lose":
            self.lose(number)
        else:
            self.edit(clone, verb, number)

    def lose(self, number: int) -> None:
        """Delete the host's ledger, or rewind it by one."""
        line = run_git(self.host, "for-each-ref", "--format=%(parent)", LEDGER).split()
        ledgers = [oid for oid in line[:1] if "Ledgit-Run" not in run_git(self.host, "log", "-1", "--format=%B", oid)]
        if number % 2 and ledgers:
            run_git(self.host, "update-ref", LEDGER, ledgers[0])
        else:
            run_git(self.host, "update-ref", "-d", LEDGER)

    def edit(self, clone: Clone, verb: str, number: int) -> None:
        known = sorted({*clone.listed(), *clone.loose()})
        if not known:
            return
        run = known[number % len(known)]
        if verb == "purge":
            if run in clone.listed():
                clone.purge(run)
                self.purged.add(run)
            return
        changes = {
            "tag": {"set_tags": {"colour": str(number)}},
            "untag": {"set_tags": {"colour": ""}},
            "rename": {"name": f"run-{number}"},
            "delete": {"deleted": True},
            "restore": {"deleted": False},
        }[verb]
        try:
            clone.edit(run, **changes)
        except NewerFormat:
            assert self.newer

    def answers(self, clone: Clone) -> dict[str, object]:
        """What each run is now, as every reader joins it."""
        from ledgit.git import Objects

        entries: dict[str, list[Entry]] = {}
        answers: dict[str, object] = {}
        for _, line in every_line(Objects(clone.repo), clone.tree):
            if line.purged:
                continue
            try:
                entries.setdefault(line.id, []).append(decode_entry(line.raw))
            except NewerFormat:
                answers[line.head] = line.raw
        return answers | {run: join(found) for run, found in entries.items() if found}


@settings(max_examples=EXAMPLES)
@given(steps=steps, twins=st.booleans(), newer=st.booleans())
def test_any_order_of_steps_ends_in_the_same_ledger_and_answers(
    steps: list[tuple[str, int, int]], *, twins: bool, newer: bool
) -> None:
    """Equal trees, equal answers, every run that was made and not purged, every head reachable."""
    with tempfile.TemporaryDirectory() as folder:
        world = World(Path(folder), twins=twins, newer=newer)
        for verb, which, number in steps:
            note(f"{CLONES[which]} {verb} {number}")
            world.do(verb, which, number)
        for clone in (*world.clones, *world.clones):
            clone.push(accept_purges=True)

        first, *others = world.clones
        assert set(world.made) - world.purged == lines_of(world.host)
        for clone in world.clones:
            assert clone.tree == tree_of(world.host, LEDGER)
            assert set() == clone.loose()
        answers = world.answers(first) if world.made else {}
        assert all(answers == world.answers(clone) for clone in others if world.made)
        if world.made:
            carried = set(run_git(world.host, "rev-list", LEDGER).split())
            assert {head for run in first.listed() for head in first.heads(run)} <= carried
            run_git(world.host, "fsck", "--strict", "--connectivity-only")
