"""A thousand processes killed at random moments: everything they were told was written is there."""

from __future__ import annotations

import random
import time
from itertools import islice
from pathlib import Path

import pytest
from tests.faults.kit import Forks, check_objects, recover_all, run_refs

from ledgit.git import Objects, Repo
from ledgit.records import Points
from ledgit.store import Folder, read_parts
from ledgit.store.chain import read_commit
from ledgit.store.live import live_runs

WRITERS = 600
FINISHERS = 400


def new_id(number: int) -> str:
    return f"{number:032x}"


def kill_one(forks: Forks, run_id: str, chance: random.Random) -> tuple[int, int]:
    """Kill a writer at a random moment; return the last (logged, synced) point it told of."""
    child = forks.start("count_aloud", run_id, 1 + chance.randrange(50))
    pause = chance.choice([0.0, 0.002, 0.004, 0.008]) * chance.random()
    if chance.random() < 0.9:
        child.hear("open")
    time.sleep(pause)  # the moment is the point
    child.kill()
    for _ in child.listen():
        pass
    child.close()
    logged = max((said for said in child.said if isinstance(said, int)), default=-1)
    synced = max((int(said.split()[1]) for said in child.said if str(said).startswith("synced")), default=-1)
    return logged, synced


def steps(points: Points | None) -> list[int]:
    return [step for step, _, _ in points] if points is not None else []


@pytest.mark.slow
def test_writers_killed_at_random_lose_nothing_that_was_acknowledged(repo: Path, forks: Forks) -> None:
    """Each point is there exactly once up to the last one told, and the run is KILLED."""
    chance = random.Random(20261123)
    told = {}
    for number in range(WRITERS):
        told[new_id(number)] = kill_one(forks, new_id(number), chance)
    folder = Folder.of(Repo.discover(str(repo)))
    assert sum(logged for logged, _ in told.values()) > WRITERS  # the killed had something to lose

    for run_id, (logged, synced) in told.items():
        if logged < 0:
            continue  # killed before its first word
        state = read_parts(folder.active_dir(run_id))
        found = steps(state.histories.get("n"))
        assert found == list(range(len(found)))
        assert logged + 1 <= len(found) <= logged + 2
        assert synced <= logged
    assert {"KILLED"} == {state.status for state in live_runs(folder)}

    recover_all(repo)

    heads = run_refs(repo)
    with Objects(Repo.discover(str(repo))) as objects:
        for run_id, (logged, _) in told.items():
            if logged < 0:
                continue
            record = read_commit(objects, heads[run_id]).record
            assert logged + 1 <= len(record.histories["n"]) <= logged + 2
            assert ("KILLED", logged // 7 * 7) <= (record.info.status, int(record.tags["last"]))
    assert [] == [path for path in Path(folder.active).iterdir() if not path.name.startswith(".new-")]
    check_objects(repo)


@pytest.mark.slow
def test_processes_killed_while_they_finish_runs_keep_every_finished_one(repo: Path, forks: Forks) -> None:
    """A run acknowledged as finished has its commit; one that was not is KILLED or FINISHED, and whole."""
    chance = random.Random(42)
    finished: dict[str, str] = {}
    written: dict[str, int] = {}
    for _ in range(FINISHERS):
        child = forks.start("run_after_run")
        for _ in islice(child.listen(), 1 + chance.randrange(12)):  # seven a run, however slow the machine is
            pass
        time.sleep(0.01 * chance.random())
        child.kill()
        for _ in child.listen():
            pass
        child.close()
        for word, run_id, *rest in child.said:
            if word == "finished":
                finished[run_id] = rest[0]
            else:
                written[run_id] = written.get(run_id, 0) + (word == "point")

    recover_all(repo)

    heads = run_refs(repo)
    assert len(finished) > FINISHERS // 4
    assert finished == {run_id: heads[run_id] for run_id in finished}
    with Objects(Repo.discover(str(repo))) as objects:
        for run_id, told in written.items():
            head = read_commit(objects, heads[run_id])
            count = len(head.record.histories["n"]) if told else told
            assert told <= count <= told + 1
            assert (
                head.record.info.status == "FINISHED"
                if run_id in finished
                else told == 5 or (head.record.info.status == "KILLED")
            )
            assert () == head.entry.past
    check_objects(repo)
