"""Questions to the index: pages, views, branches, live runs, many keys, large tables."""

from __future__ import annotations

import math
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.index.kit import Runs, run_id

from ledgit.errors import FilterError, InvalidValue
from ledgit.query import Query
from ledgit.records import CodeRef, Entry, RunState
from ledgit.store import index as index_module
from ledgit.store import index_cover, index_table

NOW = 1_700_000_000_000


def numbers(index: Any, **query: Any) -> list[int]:
    """The numbers of the runs found, in order."""
    return [int(state.id[:8], 16) for state in index.search(Query(**query)).runs]


def live(number: int, **fields: Any) -> RunState:
    return RunState(run_id(number), **{"name": f"live-{number}", "status": "RUNNING", "start": NOW + number, **fields})


def test_without_a_question_all_runs_come_newest_first(runs: Runs, make: Any) -> None:
    for number in (2, 1, 3):
        runs.add(make(number))
    runs.add(make(4, deleted=True))
    page = runs.index().search(Query())

    assert [run_id(3), run_id(2), run_id(1)] == [state.id for state in page.runs]
    assert (None, 3) == (page.next_token, page.total)


def test_views_choose_by_deletion_unless_the_filter_does(runs: Runs, make: Any) -> None:
    for number in range(4):
        runs.add(make(number, deleted=number % 2 == 0))
    index = runs.index()

    assert [3, 1] == numbers(index)
    assert [2, 0] == numbers(index, view="deleted")
    assert [3, 2, 1, 0] == numbers(index, view="all")
    assert [2, 0] == numbers(index, filter="deleted = true")
    assert [2, 1] == numbers(index, filter="(deleted = true and id = '00000002') or name = 'run-1'")


def test_every_field_of_a_query_narrows_it(runs: Runs, make: Any) -> None:
    runs.add(make(1, experiment="a", user="Ada", parent_run="e" * 32))
    runs.add(make(2, experiment="b", user="Bob"))
    runs.add(make(3, experiment="a", user="Bob"))
    index = runs.index()

    assert [3, 1] == numbers(index, experiments=("a",))
    assert [3, 2, 1] == numbers(index, experiments=("a", "b"))
    assert [3, 2] == numbers(index, user="Bob")
    assert [3, 2] == numbers(index, since=NOW + 2)
    assert [1] == numbers(index, parent_run="e" * 32)
    assert [2, 1] == numbers(index, ids=(run_id(1), run_id(2), "0" * 32))
    assert [3] == numbers(index, experiments=("a",), user="Bob", since=NOW, filter="name LIKE 'run-%'")
    assert 2 == index.count(Query(user="Bob", limit=1))


def test_resolving_goes_from_id_to_name_to_the_beginning_of_an_id(runs: Runs, make: Any) -> None:
    runs.add(make(1, name="twin"))
    runs.add(make(2, name="twin"))
    runs.add(make(3, name="0000"))
    index = runs.index()

    def found(text: str) -> list[int]:
        return [int(state.id[:8], 16) for state in index.resolve(text)]

    assert [1] == found(run_id(1))
    assert [2, 1] == found("twin")
    assert [3] == found("0000")
    assert [3, 2, 1] == found("00000")
    assert [2] == found("00000002")
    assert [] == found("000")
    assert [] == found("nobody")
    assert ["0000", "twin"] == index.names()


def test_runs_of_a_branch_are_those_whose_code_it_contains(runs: Runs, make: Any, git: Any) -> None:
    """By the commit they were started from, or by the name of the branch they were started on."""
    first = git(runs.path, "rev-parse", "HEAD")
    git(runs.path, "checkout", "-q", "-b", "feature")
    (runs.path / "train.py").write_text("print('more')\n")
    git(runs.path, "commit", "-q", "-am", "second")
    second = git(runs.path, "rev-parse", "HEAD")
    runs.add(make(1, code=CodeRef(first, None, "main", False)))
    runs.add(make(2, code=CodeRef(second, None, "feature", True)))
    runs.add(make(3, code=CodeRef("f" * 40, None, "elsewhere", False)))
    runs.add(make(4))
    runs.live.append(live(5, code=CodeRef(second, None, None, False)))
    index = runs.index()

    assert [1] == numbers(index, branch="main")
    assert [5, 2, 1] == numbers(index, branch="feature")
    assert [3] == numbers(index, branch="elsewhere")
    assert [] == numbers(index, branch="nowhere")
    assert [2] == numbers(index, branch="feature", filter="code.dirty = true")


# -- live runs ---------------------------------------------------------------------------------


def test_live_runs_stand_among_the_finalized_ones(runs: Runs, make: Any) -> None:
    """In lists, filters, orders, pages, keys and counts; also with keys that nobody else has."""
    runs.add(make(1, metrics={"acc": 0.1}, experiment="a"))
    runs.add(make(3, metrics={"acc": 0.3}, experiment="a"))
    runs.live += [live(2, metrics={"acc": 0.2, "fresh": 1.0}, experiment="a"), live(4, metrics={"acc": math.nan})]
    index = runs.index()

    assert [4, 3, 2, 1] == numbers(index)
    assert [3, 2, 1, 4] == numbers(index, order_by=("-metrics.acc",))
    assert [1, 2, 3, 4] == numbers(index, order_by=("metrics.acc",))
    assert [2, 1, 3, 4][:1] == numbers(index, filter="metrics.fresh = 1")
    assert [2, 4, 3, 1] == numbers(index, order_by=("metrics.fresh",))
    assert [4, 2] == numbers(index, filter="status = 'running'")
    assert [3, 2] == numbers(index, order_by=("-metrics.acc",), limit=2)
    assert [2, 1] == numbers(index, order_by=("-metrics.acc",), limit=2, offset=1)
    assert ["acc", "fresh"] == index.keys("metrics")
    assert [("Default", 1), ("a", 3)] == [(one.label, one.runs) for one in index.experiments()]
    assert (4, 2) == (index.count(Query()), index.count(Query(filter="min(metrics.acc) <= 0.2")))
    assert ["live-4"] == [state.name for state in index.resolve("live-4")]
    assert index.names()[:2] == ["live-2", "live-4"]


def test_a_live_run_changes_with_its_journal_and_gives_way_to_its_commit(runs: Runs, make: Any) -> None:
    index = runs.index()
    runs.live.append(live(1, metrics={"acc": 0.1}))
    index.refresh()
    assert [1] == numbers(index, filter="metrics.acc < 0.2")

    runs.live[0] = live(1, metrics={"acc": 0.5, "new": 1.0})
    index.refresh()
    assert [1] == numbers(index, filter="metrics.acc > 0.2 and metrics.new = 1 and status = 'RUNNING'")

    runs.add(make(1, metrics={"acc": 0.9}))
    runs.live.clear()
    index.refresh()
    assert [1] == numbers(index, filter="metrics.acc = 0.9 and status = 'FINISHED'")


def test_a_resumed_run_is_one_run_with_both_sessions(runs: Runs, make: Any) -> None:
    head = runs.add(
        make(1, params={"lr": 0.1}, metrics={"acc": 0.9, "loss": 1.0}, ranges={"acc": (0.2, 0.9)}, end=NOW + 9)
    )
    runs.live.append(live(1, name="run-1", params={"more": 2}, metrics={"acc": 0.5}, ranges={"acc": (0.1, 0.6)}))
    index = runs.index()

    state = index.get(run_id(1))

    assert [1] == numbers(index)
    assert state is not None
    assert ("RUNNING", None, (head,), head) == (state.status, state.end, state.heads, state.commit)
    assert ({"lr": 0.1, "more": 2}, {"acc": 0.5, "loss": 1.0}) == (state.params, state.metrics)
    assert (0.1, 0.9) == state.ranges["acc"]
    assert [1] == numbers(index, filter="max(metrics.acc) = 0.9 AND params.lr = '0.1' AND metrics.acc = 0.5")
    assert [] == numbers(index, filter="status = 'FINISHED'")


def test_real_journals_are_read_without_being_asked_for(repo: Path) -> None:
    """An active run made by the real writer is in the list before it ends, and after."""
    from ledgit.git import Repo
    from ledgit.store import ActiveRun, Folder, RunStart
    from ledgit.store.index import Index

    found = Repo.discover(str(repo))
    index = Index(found, Folder.of(found))
    active = ActiveRun.create(found, RunStart(name="calm-owl"))
    active.log_metric("acc", 0.5, 0, NOW)
    index.refresh()
    before = index.search(Query(filter="metrics.acc > 0.4")).runs
    active.finish("FINISHED")
    index.refresh()
    after = index.search(Query(filter="metrics.acc > 0.4")).runs

    assert [("calm-owl", "RUNNING")] == [(state.name, state.status) for state in before]
    assert [("calm-owl", "FINISHED")] == [(state.name, state.status) for state in after]


def test_data_sets_are_searched_while_a_run_is_being_written_and_when_it_goes_on(repo: Path) -> None:
    """From its journal, from its commit, and from both of one that was resumed."""
    from ledgit.git import Repo
    from ledgit.records import InputRecord
    from ledgit.store import ActiveRun, Folder, RunStart
    from ledgit.store.index import Index

    found = Repo.discover(str(repo))
    index = Index(found, Folder.of(found))

    def counts() -> list[int]:
        index.refresh()
        texts = "dataset.name = 'a.csv'", "dataset.name = 'b.csv'", "dataset.context = 'test'", "dataset.name IS NULL"
        return [index.count(Query(filter=text)) for text in texts]

    active = ActiveRun.create(found, RunStart(name="calm-owl", snapshot=False))
    assert [0, 0, 0, 1] == counts()
    active.log_input(InputRecord("a.csv", "1", source="/data/a.csv", context="train"))
    assert [1, 0, 0, 0] == counts()
    active.finish("FINISHED")
    assert [1, 0, 0, 0] == counts()
    again = ActiveRun.resume(found, active.id)
    again.log_input(InputRecord("b.csv", "2", context="test"))
    assert [1, 1, 1, 0] == counts()
    again.finish("FINISHED")
    assert [1, 1, 1, 0] == counts()
    index.close()
    assert (("a.csv", "1", "train"), ("b.csv", "2", "test")) == Index(found, Folder.of(found)).get(active.id).inputs  # type: ignore[union-attr]


# -- pages -------------------------------------------------------------------------------------


def test_pages_stay_right_while_runs_come_and_go(runs: Runs, make: Any) -> None:
    """A token is a place in the order, not a number of rows."""
    for number in range(10, 20):
        runs.add(make(number))
    index = runs.index()
    first = index.search(Query(limit=4))
    assert first.next_token

    runs.add(make(30))
    runs.remove(run_id(19))
    runs.remove(run_id(16))
    index.refresh()
    second = index.search(Query(limit=4, page_token=first.next_token))
    rest = index.search(Query(limit=4, page_token=second.next_token or ""))

    assert [15, 14, 13, 12] == [int(state.id[:8], 16) for state in second.runs]
    assert [11, 10] == [int(state.id[:8], 16) for state in rest.runs]
    assert rest.next_token is None


def test_a_token_belongs_to_its_query(runs: Runs, make: Any) -> None:
    for number in range(4):
        runs.add(make(number, metrics={"a": 1.0}))
    index = runs.index()
    token = index.search(Query(limit=2)).next_token

    for wrong in (
        Query(limit=2, page_token=str(token), filter="metrics.a > 0"),
        Query(limit=2, page_token=str(token), order_by=("name",)),
        Query(limit=2, page_token="nonsense"),
        Query(limit=2, page_token=str(token)[:-3]),
    ):
        with pytest.raises(InvalidValue):
            index.search(wrong)
    assert [1, 0] == numbers(index, limit=9, page_token=str(token))


def test_a_limit_of_none_and_of_nothing(runs: Runs, make: Any) -> None:
    runs.add(make(1))
    index = runs.index()

    assert ([], [1]) == (numbers(index, limit=0), numbers(index, limit=None))


def test_a_filter_that_does_not_parse_is_the_caller_s_error(runs: Runs, make: Any) -> None:
    """It must not be taken for a damaged index."""
    runs.add(make(1))
    index = runs.index()

    with pytest.raises(FilterError):
        index.search(Query(filter="metrics.a >"))
    with pytest.raises(FilterError):
        index.search(Query(order_by=("nobody",)))
    assert not index.in_memory


# -- shapes of tables: the same answers whatever way they are found ---------------------------

fields = st.fixed_dictionaries(
    {
        "metrics": st.dictionaries(st.sampled_from("abc"), st.sampled_from([0.5, 1.0, math.nan, -math.inf, -2.0])),
        "params": st.dictionaries(st.sampled_from("pq"), st.sampled_from([1, 2.5, "x", "10", "1e1", True])),
        "tags": st.dictionaries(st.sampled_from("tu"), st.sampled_from(["1", "ä"])),
        "inputs": st.sampled_from([(), (("a", "1", "train"),), (("a", "1", "train"), ("b", "", ""))]),
        "deleted": st.booleans(),
        "experiment": st.sampled_from(["e", "f"]),
        "start": st.integers(NOW, NOW + 3),
    }
)
orders = st.lists(
    st.sampled_from(
        ["metrics.a", "-metrics.a", "max(metrics.b)", "params.p", "-params.q", "-tags.t", "name", "metrics.no"]
    ),
    max_size=2,
).map(tuple)
filters = st.sampled_from(
    [
        "",
        "metrics.a > 0",
        "NOT params.p = 1",
        "tags.t ILIKE 'Ä' OR metrics.c IS NULL",
        "metrics.zzz > 1",
        "params.q IN ('x', 1)",
        "dataset.name != 'a' OR metrics.a > 0",
        "NOT dataset.name = 'b'",
    ]
)
queries = st.builds(
    Query,
    filter=filters,
    order_by=orders,
    limit=st.sampled_from([None, 1, 2, 3]),
    experiments=st.sampled_from([None, ("e",)]),
    view=st.sampled_from(["active", "all"]),
)


def all_pages(index: Any, query: Query) -> list[str]:
    """The ids of all pages of *query*, one after the other."""
    from dataclasses import replace

    found: list[str] = []
    page = index.search(query)
    found += [state.id for state in page.runs]
    while page.next_token:
        page = index.search(replace(query, page_token=page.next_token))
        found += [state.id for state in page.runs]
    return found


@settings(max_examples=12)
@given(st.lists(fields, min_size=1, max_size=9), st.lists(queries, min_size=1, max_size=4), st.data())
def test_overflowing_covered_live_and_plain_tables_answer_alike(
    tmp_path_factory: pytest.TempPathFactory, entries: list[dict[str, Any]], asked: list[Query], data: Any
) -> None:
    """Wide columns or the narrow table, with covering indexes or not, some runs live or all finalized."""
    path = tmp_path_factory.mktemp("shapes")
    subprocess.run(["git", "init", "-q", str(path)], check=True)
    runs = Runs(path)
    made = [Entry(run_id(number), name="x", clock=(1, "c"), **entry) for number, entry in enumerate(entries)]
    alive = data.draw(st.sets(st.integers(0, len(made) - 1), max_size=3))
    for number, entry in enumerate(made):
        if number not in alive:
            runs.add(entry)
    for number in alive:
        names = ("name", "start", "metrics", "params", "tags", "inputs", "deleted", "experiment")
        runs.live.append(RunState(run_id(number), **{name: getattr(made[number], name) for name in names}))

    def answers() -> list[list[str]]:
        index = runs.index()
        try:
            return [all_pages(index, query) for query in asked]
        finally:
            index.close()
            runs.file.unlink(missing_ok=True)

    patch = pytest.MonkeyPatch()
    with patch.context() as patched:
        patched.setattr(index_table, "MAX_COLUMNS", 3)
        narrow = answers()
    with patch.context() as patched:
        patched.setattr(index_cover, "LARGE", 0)
        patched.setattr(index_cover, "MOST", 2)
        covered = answers()
    some_live = answers()
    for number in alive:
        runs.add(made[number])
    runs.live.clear()
    plain = answers()

    assert plain == some_live
    assert plain == narrow
    assert plain == covered


def test_more_keys_than_sqlite_has_columns_are_no_trouble(runs: Runs, make: Any, flat: Any) -> None:
    """Two thousand metrics and as many params, of runs that share few of them."""
    for number in range(8):
        metrics = {f"m{number}_{key}": float(key) for key in range(300)}
        params = {f"p{number}_{key}": key for key in range(300)}
        files = {"metrics.yaml": flat(metrics), "params.yaml": flat(params), "tags.yaml": b""}
        runs.add(make(number, metrics=metrics, params=params), files)
    index = runs.index()

    assert not index.in_memory
    for number in range(8):
        assert [number] == numbers(index, filter=f"metrics.m{number}_299 = 299 and params.p{number}_298 > 297")
    assert (2400, 2400) == (len(index.keys("metrics")), len(index.keys("params")))
    assert list(range(7, -1, -1)) == numbers(index, order_by=("metrics.m7_5", "metrics.m6_5"))


def test_a_large_table_gets_an_index_for_each_kind_of_question_and_no_more_than_a_few(
    runs: Runs, make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sqlite3

    monkeypatch.setattr(index_cover, "LARGE", 0)
    for number in range(9):
        runs.add(make(number, metrics={"a": float(number), "b": 1.0}, params={"p": number}))
    index = runs.index()
    for _ in range(2):
        for order in (
            "metrics.a",
            "-metrics.a",
            "metrics.b",
            "params.p",
            "name",
            "user",
            "-user",
            "-params.p",
            "end",
            "id",
        ):
            index.search(Query(order_by=(order,), filter="metrics.b > 0", limit=3))
    index.close()

    with sqlite3.connect(runs.file) as db:
        rows = db.execute("SELECT count(*) FROM sqlite_master WHERE type = 'index' AND name GLOB 'cover_*'").fetchone()
        plan = db.execute(
            "EXPLAIN QUERY PLAN SELECT n FROM run r WHERE r.deleted = 0 ORDER BY r.started DESC, r.id LIMIT 50"
        ).fetchall()
    db.close()
    assert (index_cover.MOST,) == rows
    assert ["SEARCH r USING COVERING INDEX run_recent (deleted=?)"] == [detail for *_, detail in plan]


def test_runs_can_be_had_a_few_at_a_time(runs: Runs, make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the order of the query, live ones among them; one that goes meanwhile is left out."""
    monkeypatch.setattr(index_module, "_CHUNK", 2)
    for number in range(7):
        runs.add(make(number, metrics={"a": float(-number)}))
    runs.live = [RunState(run_id(9), name="live", start=1, metrics={"a": -2.5})]
    one = runs.index()
    query = Query(order_by=("metrics.a",), limit=6)

    assert [state.id for state in one.search(query).runs] == [state.id for state in one.each(query)]
    found = one.each(query)
    first = next(found).name
    runs.remove(run_id(3))
    one.refresh()
    assert ["run-6", "run-5", "run-4", "live", "run-2"] == [first, *(state.name for state in found)]


def test_a_key_is_known_if_some_run_has_it(runs: Runs, make: Any) -> None:
    """Whatever kind it is asked for, NaN counts."""
    runs.add(make(1, metrics={"a": math.nan}, params={"p": None}, tags={"t": ""}))
    runs.live = [RunState(run_id(9), metrics={"b": 1.0})]
    one = runs.index()

    known = [("metrics", "a"), ("metrics", "b"), ("params", "p"), ("tags", "t")]
    assert [True] * 4 == [one.has(*key) for key in known]
    assert [False] * 3 == [one.has(*key) for key in (("params", "a"), ("metrics", "p"), ("tags", "x"))]
