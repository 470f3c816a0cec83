"""Histories that have no room in a run's tree: nothing is lost, whoever resumes, edits or merges the run where."""

from __future__ import annotations

import gzip
import io
import random
import shutil
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.conftest import GitFunction

from ledgit.artifacts import Cache
from ledgit.errors import RecordError
from ledgit.git import Objects, Repo
from ledgit.records import Points, RunState, union
from ledgit.store import ActiveRun, Edit, Folder, RunStart, columns, edit_run, read_head, reading
from ledgit.store.artifacts import histories
from ledgit.store.artifacts.table import decode_table, encode_table
from ledgit.store.chain import read_base
from ledgit.store.reading import read_history
from ledgit.store.settle import settle_all

SOME = 3000  # points that take more than 4 KiB when compressed


@pytest.fixture
def small(repo: Path, git: GitFunction) -> Repo:
    """A repository where 4 KiB are much."""
    git(repo, "config", "ledgit.artifactThreshold", "4096")
    return Repo.discover(str(repo))


def log(run: ActiveRun, steps: range, metric: str = "loss") -> None:
    draw = random.Random(steps.start)
    for step in steps:
        run.log_metric(metric, draw.random(), step, step)


def finish(run: ActiveRun) -> str:
    commit = run.finish()
    assert commit is not None, run.problems
    settle_all()
    return commit


def first_run(repo: Repo) -> ActiveRun:
    run = ActiveRun.create(repo, RunStart(snapshot=False))
    log(run, range(SOME))
    finish(run)
    return run


def steps_of(repo: Repo, run_id: str, heads: tuple[str, ...], metric: str = "loss") -> list[int]:
    state = RunState(id=run_id, heads=heads)
    points = read_history(Folder.of(repo), Objects(repo), state, metric)
    return [] if points is None else list(points.steps)


def drop_cache(repo: Repo) -> Path:
    """Take the cache away, as in a clone that has fetched no object."""
    folder = Folder.of(repo)
    aside = Path(folder.path) / "aside"
    shutil.move(folder.cache, aside)
    shutil.rmtree(folder.columns, ignore_errors=True)
    histories._kept.clear()
    return aside


def test_the_tree_has_a_thousand_points_and_the_object_all(small: Repo) -> None:
    """Whoever reads the history gets all of it; who hasn't the object gets the reduction, and is told."""
    run = first_run(small)

    head = read_head(small, run.id)
    assert head.record.info.reduced
    assert 900 <= len(head.record.histories["loss"]) <= 1000
    assert head.record.metrics["loss"] == head.record.histories["loss"].latest()[0]
    assert list(range(SOME)) == steps_of(small, run.id, (head.head,))
    drop_cache(small)
    assert list(head.record.histories["loss"].steps) == steps_of(small, run.id, (head.head,))


def test_a_few_points_stay_in_the_tree(small: Repo) -> None:
    """No object, no pointer."""
    run = ActiveRun.create(small, RunStart(snapshot=False))
    log(run, range(30))
    finish(run)

    head = read_head(small, run.id)
    assert not head.record.info.reduced
    assert () == head.record.full
    assert 30 == len(head.record.histories["loss"])


def test_an_edit_keeps_the_pointer(small: Repo) -> None:
    """It rewrites the small files alone."""
    run = first_run(small)
    before = read_head(small, run.id).record.full

    edited = edit_run(small, Folder.of(small), run.id, Edit(set_tags={"a": "b"}))

    assert before == read_head(small, run.id).record.full
    assert list(range(SOME)) == steps_of(small, run.id, (edited,))


def test_a_resumed_run_makes_one_object_of_all_points(small: Repo) -> None:
    """The earlier object is here, so nothing else needs it any more."""
    run = first_run(small)
    again = ActiveRun.resume(small, run.id)
    log(again, range(SOME, SOME + 10))
    finish(again)

    head = read_head(small, run.id)
    assert 1 == len(head.record.full)
    assert list(range(SOME + 10)) == steps_of(small, run.id, (head.head,))


def test_a_run_resumed_without_its_object_loses_no_point(small: Repo) -> None:
    """The new points get an object of their own, and the pointer names both; later they become one."""
    run = first_run(small)
    aside = drop_cache(small)
    again = ActiveRun.resume(small, run.id)
    log(again, range(SOME, SOME + 10))
    finish(again)

    head = read_head(small, run.id)
    assert 2 == len(head.record.full)
    assert set(range(SOME, SOME + 10)) < set(steps_of(small, run.id, (head.head,)))
    for path in aside.rglob("*"):
        if path.is_file():
            target = Path(Folder.of(small).cache) / path.relative_to(aside)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, target)
    assert list(range(SOME + 10)) == steps_of(small, run.id, (head.head,))
    third = ActiveRun.resume(small, run.id)
    log(third, range(SOME + 10, SOME + 12))
    finish(third)
    head = read_head(small, run.id)
    assert 1 == len(head.record.full)
    assert list(range(SOME + 12)) == steps_of(small, run.id, (head.head,))


def test_a_resumed_run_that_logs_no_metric_keeps_what_it_has(small: Repo) -> None:
    """No new object is made of a reduction."""
    run = first_run(small)
    before = read_head(small, run.id).record
    drop_cache(small)
    again = ActiveRun.resume(small, run.id)
    again.set_tags({"late": "yes"})
    finish(again)

    after = read_head(small, run.id).record
    assert before.full == after.full
    assert before.histories == after.histories
    assert after.info.reduced


def test_two_machines_resume_and_an_edit_joins_them(small: Repo, git: GitFunction) -> None:
    """Both objects are named by the commit on top of both heads."""
    run = first_run(small)
    ref = f"refs/ledgit/runs/{run.id}"
    base = git(Path(small.git_dir), "rev-parse", ref)
    heads = []
    for number in (1, 2):
        git(Path(small.git_dir), "update-ref", ref, base)
        session = ActiveRun.resume(small, run.id)
        log(session, range(number * 10_000, number * 10_000 + 500))
        heads.append(finish(session))
    joined = edit_run(small, Folder.of(small), run.id, Edit(name="both"), heads=heads)

    assert set(heads) == set(Objects(small).commit(joined).parents)
    wanted = [*range(SOME), *range(10_000, 10_500), *range(20_000, 20_500)]
    assert wanted == steps_of(small, run.id, (joined,))
    assert 2 == len(read_base(Objects(small), run.id, [joined]).record.full)


def test_the_reduction_is_not_united_with_the_points_that_it_is_made_of(
    small: Repo, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Uniting sorts all points again, which took a second of a million."""
    run = ActiveRun.create(small, RunStart(snapshot=False))
    for step in range(SOME):
        run.log_metric("loss", step % 7 * 0.1, step // 2, 5)  # two values a step and time
    head = finish(run)
    sizes: list[int] = []

    def spy(first: Points, second: Points) -> Points:
        sizes.append(len(first))
        return union(first, second)

    monkeypatch.setattr(reading, "union", spy)
    steps = steps_of(small, run.id, (head,))

    assert [step // 2 for step in range(SOME)] == steps
    assert [] == sizes


def test_points_that_only_the_tree_has_are_read_as_well(small: Repo, git: GitFunction) -> None:
    """One head has an object, the other so few points that it has none; an edit joins the two."""
    run = ActiveRun.create(small, RunStart(snapshot=False))
    log(run, range(10))
    base = finish(run)
    heads = []
    for steps in (range(10, SOME), range(10_000, 10_020)):
        git(Path(small.git_dir), "update-ref", f"refs/ledgit/runs/{run.id}", base)
        session = ActiveRun.resume(small, run.id)
        log(session, steps)
        heads.append(finish(session))
    joined = edit_run(small, Folder.of(small), run.id, Edit(name="both"), heads=heads)

    wanted = [*range(SOME), *range(10_000, 10_020)]
    assert wanted == steps_of(small, run.id, (joined,))
    assert wanted == steps_of(small, run.id, tuple(heads))


def test_what_is_missing_is_asked_for(small: Repo) -> None:
    """The caller's hook is told which objects; what it brings is read."""
    run = first_run(small)
    head = read_head(small, run.id)
    aside = drop_cache(small)
    asked: list[str] = []

    def fetch(oids: list[str]) -> None:
        asked.extend(oids)
        shutil.move(aside, Folder.of(small).cache)

    state = RunState(id=run.id, heads=(head.head,))
    points = read_history(Folder.of(small), Objects(small), state, "loss", fetch)

    assert [head.record.full[0][0]] == asked
    assert points is not None
    assert SOME == len(points)


METRICS = ("acc", "loss", "z", "µ")


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Objects that are gone through, where a thousand points are too many to stay in memory."""
    found: list[str] = []
    unpacked = histories._unpacked

    def noted(cache: Cache, oid: str) -> AbstractContextManager[gzip.GzipFile]:
        found.append(oid)
        return unpacked(cache, oid)

    monkeypatch.setattr(histories, "_unpacked", noted)
    monkeypatch.setattr(histories, "_MOST_KEPT", 1000)
    histories._kept.clear()
    return found


def many_metrics(repo: Repo) -> tuple[ActiveRun, str]:
    """A run with some long histories and a short one, all in one object."""
    run = ActiveRun.create(repo, RunStart(snapshot=False))
    for metric in METRICS:
        log(run, range(50 if metric == "z" else SOME), metric)
    return run, finish(run)


def check_metrics(repo: Repo, run: ActiveRun, head: str) -> None:
    for metric in (*METRICS, "acc"):
        assert list(range(50 if metric == "z" else SOME)) == steps_of(repo, run.id, (head,), metric)
    assert [] == steps_of(repo, run.id, (head,), "none")


def test_an_object_too_large_for_memory_is_gone_through_once(small: Repo, opened: list[str]) -> None:
    """Who asks for one metric asks for the next: the others are put aside as columns."""
    run, head = many_metrics(small)

    check_metrics(small, run, head)

    assert 2 == len(opened)  # once for all that there are, once for what is not there
    columns = Path(Folder.of(small).columns)
    assert len(METRICS) == len(list(columns.iterdir()))
    assert {} == histories._kept


@pytest.mark.parametrize("room", [0, 24 * SOME * 2 + 1000, 24 * SOME * 4 + 1000])
def test_what_has_no_room_aside_is_read_from_the_object(
    small: Repo, opened: list[str], monkeypatch: pytest.MonkeyPatch, room: int
) -> None:
    """All of it is right, however little fits."""
    monkeypatch.setattr(columns, "MAX_BYTES", room)
    run, head = many_metrics(small)

    check_metrics(small, run, head)

    assert len(opened) > 2
    left = [path.name for path in Path(Folder.of(small).columns).glob("*") if not path.name.endswith(".bin")]
    assert [] == left


def test_a_table_in_another_order_is_read_all_the_same(small: Repo, opened: list[str]) -> None:
    """Whoever wrote it: no part of a history is taken for all of it."""
    run, _ = many_metrics(small)
    cache = Cache(Folder.of(small).cache)
    ((oid, _),) = read_head(small, run.id).record.full
    with cache.open(oid) as stored, gzip.open(stored) as file:
        first, *lines = file.read().splitlines(keepends=True)
    random.Random(1).shuffle(lines)
    other = cache.put_bytes(gzip.compress(first + b"".join(lines)))

    for metric in METRICS:
        points = histories.full_points(cache, other, metric, others=columns.Batch(Folder.of(small), lambda name: name))
        assert points is not None
        assert list(range(50 if metric == "z" else SOME)) == sorted(points.steps)
    assert not list(Path(Folder.of(small).path).glob("columns/*"))


names = st.text(st.characters(codec="utf-8", exclude_characters="\t\n\r"), min_size=1, max_size=8)
rows = st.lists(
    st.tuples(st.integers(-5, 5), st.integers(0, 9), st.floats(allow_nan=False) | st.just(float("nan"))), max_size=8
)


@given(st.dictionaries(names, rows.map(Points.of)))
def test_a_table_of_histories_comes_back_to_the_bit(histories: dict[str, Points]) -> None:
    """NaN, infinities, and names with percent signs included."""
    file = io.BytesIO()
    encode_table(file, histories)
    file.seek(0)

    with gzip.open(file) as packed:
        found = decode_table(packed)

    assert {name: points for name, points in histories.items() if len(points)} == found


@pytest.mark.parametrize("data", [b"", b"step\n", b"metric\tstep\ttimestamp\tvalue\nx\t1\n"])
def test_what_is_no_table_is_refused(data: bytes) -> None:
    """It may come from anywhere."""
    with pytest.raises(RecordError):
        decode_table(io.BytesIO(data))
