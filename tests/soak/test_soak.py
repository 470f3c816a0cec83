"""A few seconds of what ``python -m tests.soak --minutes 10`` does for longer; its result is in docs/design/soak.md."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.soak.soaking import Soak, acknowledged_by


@pytest.fixture
def soak(tmp_path: Path) -> Iterator[Soak]:
    made = Soak(tmp_path, clones=2, seed=7)
    yield made
    made.close()


@pytest.mark.slow
def test_what_was_acknowledged_outlives_kills_garbage_collection_and_races(soak: Soak) -> None:
    """Clones log, push, pull, edit and clean up, and are killed meanwhile; then every clone has everything."""
    soak.run(6)
    soak.settle()

    told = acknowledged_by(soak.acknowledged())
    assert 1 == len(set(soak.ledgers().values()))
    assert [] == soak.failures
    assert [] == soak.doctor()
    assert [] == soak.missing()
    assert told["metric"] > 0


@pytest.mark.slow
def test_what_is_lost_would_be_seen(soak: Soak) -> None:
    """A promise that nobody kept is found, in each clone."""
    soak.run(0)
    clone = soak.clones[0]
    soak.ledgit(clone, "record", "-m", "loss=0.5")
    soak.ledgit(clone, "push")
    soak.settle()
    (soak.folder / "x.acks").write_text(f'["metric", "{"ab" * 16}", "loss", 0, 0.5]\n')

    assert [f"clone{number}" for number in range(2)] == [line.partition(":")[0] for line in soak.missing()]
