"""Purges in the middle of everybody's work: in any order they win, and nothing else is lost."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from tests.gc.kit import Clone, gc, left, lines_of, make_clone, tombstones
from tests.sync.kit import LEDGER, make_host, tree_of

from ledgit.git import Objects
from ledgit.store.ledger import owing

NAMES = ("ada", "ben", "bot")
VERBS = ("log", "edit", "push", "pull", "compact", "purge here", "purge")

steps = st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(VERBS), st.integers(0, 5)), min_size=4, max_size=10)


@settings(max_examples=10, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(work=steps)
def test_purges_win_in_any_order(tmp_path: Path, work: list[tuple[str, str, int]]) -> None:
    """All clones end with the same table; what was purged is in no clone's objects, all else in everybody's table."""
    with TemporaryDirectory(dir=tmp_path) as folder:
        host = make_host(Path(folder) / "hosts" / "runs.git")
        clones = {name: make_clone(str(host), Path(folder) / name) for name in NAMES}
        runs: list[str] = []
        purged: set[str] = set()
        own: set[str] = set()
        for name, verb, number in [("ada", "log", 0), ("ada", "push", 0), ("ben", "pull", 0), *work]:
            clone = clones[name]
            here = sorted(clone.listed() | clone.loose())
            if verb == "log":
                runs.append(clone.log(f"run {len(runs)}"))
            elif verb in ("push", "pull"):
                getattr(clone, verb)(accept_purges=True)
            elif verb == "compact":
                clone.compact()
            elif here:
                run_id = here[number % len(here)]
                if verb == "edit":
                    clone.edit(run_id, set_tags={"by": f"{name} {number}"})
                else:
                    own |= clone.own_objects(run_id, *clones.values())
                    purged.add(run_id)
                    clone.purge_here(run_id)
                    if verb == "purge":
                        clone.purge_there(accept_purges=True)

        for _ in range(2):
            for clone in clones.values():
                clone.push(accept_purges=True)
        finish(clones["bot"])
        for clone in clones.values():
            clone.pull(accept_purges=True)

        own -= clones["ada"].objects_of(*(set(runs) - purged))  # such as equal params
        assert 1 == len({clone.tree for clone in clones.values()} | {tree_of(host, LEDGER)})
        for path in (host, *(clone.path for clone in clones.values())):
            assert set(runs) - purged == lines_of(path)
            assert purged == tombstones(path)
            gc(path)
            assert set() == left(path, own)
        for clone in clones.values():
            assert set() == clone.loose()
            assert {} == owing(clone.repo, Objects(clone.repo))
            clone.git("fsck", "--strict")


def finish(clone: Clone) -> None:
    """What ``ledgit gc --purge`` does without a run's name."""
    clone.pull(accept_purges=True)
    clone.purge_here()
    clone.purge_there(accept_purges=True)
