"""The index answers every question as a plain reading of the runs does, wherever the runs are kept."""

from __future__ import annotations

import math
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from tests.index.kit import Runs
from tests.query.oracle import (
    METRICS,
    PARAMS,
    TAGS,
    World,
    asks_deleted,
    conditions,
    holds,
    key_text,
    numbers,
    orders,
    placed,
    text_of,
    words,
)

from ledgit.query import Query
from ledgit.records import CodeRef, Entry, RunState

NOW = 1_700_000_000_000
# An example has a repository of its own: to shrink one takes minutes, and the first says enough.
PHASES = (Phase.explicit, Phase.reuse, Phase.generate)
SEEN = {"main": "main", "HEAD": "feature", "main..HEAD": "main..feature", "feature~1": "feature~1"}


def output(path: Path, *args: str) -> str:
    done = subprocess.run(["git", *args], cwd=path, capture_output=True, check=True, text=True)
    return done.stdout.strip()


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two branches: three commits on main, two more on feature."""
    path = tmp_path_factory.mktemp("history")
    output(path, "init", "-q", "-b", "main")
    who = ("-c", "user.name=A", "-c", "user.email=a@example.org")
    for number in range(5):
        if number == 3:
            output(path, "checkout", "-q", "-b", "feature", "main~1")
        (path / f"file-{number}").write_text(f"{number}\n" * 20)
        output(path, "add", ".")
        output(path, *who, "commit", "-q", "-m", str(number))
    return path


data_sets = st.tuples(
    words.filter(bool) | st.sampled_from(["train.csv", "test.csv"]),
    words | st.sampled_from(["", "1a2b"]),
    st.sampled_from(["", "train", "test"]),
)


@st.composite
def entries(draw: st.DrawFn, codes: Sequence[CodeRef]) -> list[Entry]:
    """Some runs, nested in each other, with everything that can be asked for."""
    ids = draw(st.lists(st.text("0123456789abcdef", min_size=32, max_size=32), min_size=2, max_size=9, unique=True))
    found = []
    values = numbers.map(float) | st.just(math.nan)
    for run in ids:
        metrics = draw(st.dictionaries(st.sampled_from(METRICS), values))
        ranges = {}
        for key, value in metrics.items():
            ends = [end for end in (value, draw(st.sampled_from([-4.0, 0.5, 7.0]))) if not math.isnan(end)]
            if draw(st.booleans()) and (min(ends), max(ends)) != (value, value):
                ranges[key] = (min(ends), max(ends))
        start = NOW - draw(st.sampled_from([0, 5, 3_600_000, 86_400_000, 9 * 86_400_000]))
        found.append(
            Entry(
                run,
                start,
                name=draw(words),
                experiment=draw(st.sampled_from(["Default", "a", "ä b"])),
                status=draw(st.sampled_from(["FINISHED", "FAILED", "KILLED"])),
                end=draw(st.none() | st.integers(start, NOW)),
                user=draw(words),
                parent_run=draw(st.none() | st.sampled_from(ids)),
                deleted=draw(st.integers(0, 3)) == 0,
                code=draw(st.sampled_from(codes)),
                params=draw(
                    st.dictionaries(
                        st.sampled_from(PARAMS),
                        words | numbers | st.booleans() | st.sampled_from(["adam", "0.1", "1e1", 10**30, "True"]),
                    )
                ),
                metrics=metrics,
                ranges=ranges,
                tags=draw(st.dictionaries(st.sampled_from(TAGS), words)),
                inputs=tuple(sorted(draw(st.sets(data_sets, max_size=3)))),
                clock=(1, "c" * 16),
            )
        )
    return found


@settings(max_examples=20, phases=PHASES)
@given(st.data())
def test_every_question_has_the_answer_of_a_plain_reading(
    history: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, data: Any
) -> None:
    """Whole grammar, several keys to sort by, loose runs, compacted ones and active ones, page by page."""
    path = tmp_path_factory.mktemp("asked")
    output(path, "clone", "-q", str(history), ".")
    output(path, "branch", "main", "origin/main")
    rows = [line.split() for line in output(path, "log", "--all", "--format=%H %T").splitlines()]
    codes = [CodeRef(), CodeRef("f" * 40, rows[0][1], "gone", True), CodeRef("e" * 40, "d" * 40, None, False)]
    codes += [
        CodeRef(commit, tree, branch, dirty)
        for commit, tree in rows
        for branch, dirty in (("main", False), (None, True))
    ]
    made = data.draw(entries(codes))
    runs = Runs(path)
    alive = data.draw(st.sets(st.sampled_from(range(len(made))), max_size=2))
    compacted = data.draw(st.sets(st.sampled_from(range(len(made))))) - alive
    _keep(runs, made, alive, compacted)
    index = runs.index()
    states = list(index.search(Query(view="all")).runs)
    seen = {rev: [line.split() for line in output(path, "log", "--format=%H %T", rev).splitlines()] for rev in SEEN}
    world = World(
        NOW,
        {rev: {commit for commit, _ in found} for rev, found in seen.items()},
        {rev: {tree for _, tree in found} for rev, found in seen.items()},
        {state.id: state.parent_run for state in states},
    )
    monkeypatch.setattr("time.time", lambda: NOW / 1000)

    for _ in range(12):
        condition = data.draw(conditions(world, states))
        text = text_of(condition, lambda words: data.draw(st.sampled_from(words)))
        order = data.draw(orders())
        asked = Query(
            filter=text,
            order_by=tuple(
                f"{key_text(key, lambda words: words[0])} {'DESC' if down else 'asc'}" for key, down in order
            ),
            limit=data.draw(st.sampled_from([None, 1, 2, 5])),
            view=data.draw(st.sampled_from(["active", "deleted", "all"])),
        )
        views = {"active": (False,), "deleted": (True,), "all": (False, True)}[asked.view]
        expected = [
            state
            for state in states
            if (asks_deleted(condition) or state.deleted in views) and holds(condition, state, world)
        ]
        expected.sort(key=lambda state: placed(state, order, world))

        assert [state.id for state in expected] == _pages(index, asked), asked
        assert len(expected) == index.count(asked)
    index.close()


def _keep(runs: Runs, made: list[Entry], alive: set[int], compacted: set[int]) -> None:
    lines = []
    for number, entry in enumerate(made):
        if number in alive:
            names = (
                "name",
                "experiment",
                "start",
                "user",
                "parent_run",
                "code",
                "params",
                "metrics",
                "ranges",
                "tags",
                "inputs",
            )
            given = {name: getattr(entry, name) for name in names}
            runs.live.append(RunState(entry.id, status="RUNNING", **given))
        elif number in compacted:
            lines.append(runs.line(entry))
        else:
            runs.add(entry)
    if lines:
        runs.ledger({"2023-11/14.jsonl": b"".join(sorted(lines))})


def _pages(index: Any, query: Query) -> list[str]:
    found: list[str] = []
    page = index.search(query)
    found += [state.id for state in page.runs]
    while page.next_token:
        page = index.search(replace(query, page_token=page.next_token))
        found += [state.id for state in page.runs]
    return found


@settings(max_examples=10, phases=PHASES)
@given(st.data())
def test_pages_go_on_where_they_were_while_runs_are_compacted(
    tmp_path_factory: pytest.TempPathFactory, data: Any
) -> None:
    """A page token is good in another process, after a refresh, a compaction and a new index."""
    path = tmp_path_factory.mktemp("pages")
    output(path, "init", "-q")
    made = data.draw(entries([CodeRef()]))
    runs = Runs(path)
    _keep(runs, made, set(), set())
    order = data.draw(orders())
    names = tuple(f"{key_text(key, lambda words: words[0])}{' desc' if down else ''}" for key, down in order)
    query = Query(order_by=names, view="all", limit=data.draw(st.integers(1, 3)))
    index = runs.index()
    whole = [state.id for state in index.search(replace(query, limit=None)).runs]

    found, token, lines = [], "", []
    left = list(made)
    while token is not None:
        page = index.search(replace(query, page_token=token))
        found += [state.id for state in page.runs]
        token = page.next_token
        moved = [left.pop() for _ in range(data.draw(st.integers(0, min(2, len(left)))))]
        lines += [runs.line(entry) for entry in moved]
        if lines:
            runs.ledger({"2023-11/14.jsonl": b"".join(sorted(lines))})
        for entry in moved:
            runs.remove(entry.id)
        index.close()
        if data.draw(st.booleans()):
            runs.file.unlink(missing_ok=True)
        index = runs.index()

    index.close()
    assert whole == found


def test_a_revision_that_is_not_here_is_said_where_it_stands(runs: Runs, make: Any) -> None:
    """A list without runs would look like an answer."""
    from ledgit.errors import FilterError

    runs.add(make(1))
    index = runs.index()
    with pytest.raises(FilterError) as caught:
        index.search(Query(filter="name = 'x' or code in nowhere..HEAD"))

    assert (22, "nowhere..HEAD") == (caught.value.position, caught.value.text[22:])
    assert not index.in_memory


@pytest.mark.parametrize("live", [False, True])
def test_a_run_that_does_not_know_its_code_is_neither_in_a_revision_nor_not_in_it(
    runs: Runs, make: Any, git: Any, live: bool
) -> None:
    """Also of one that no run belongs to: SQL says of nothing that it is not among none."""
    tree = git(runs.path, "rev-parse", "HEAD^{tree}")
    runs.add(make(1, code=CodeRef("f" * 40, tree, None, False)))
    runs.add(make(2, code=CodeRef()))
    if live:
        runs.live.append(RunState(make(3).id, status="RUNNING", code=CodeRef()))
    index = runs.index()
    index.refresh()

    def found(text: str) -> int:
        return len(index.search(Query(filter=text)).runs)

    assert (1, 0) == (found("code IN main"), found("code NOT IN main"))
    assert (0, 1) == (found("code IN main..HEAD"), found("code NOT IN main..HEAD"))
    assert (0, 1) == (found("code IN ('main..HEAD')"), found("not (code in ('main..HEAD', 'HEAD..main'))"))
    assert 2 + live == len(index.search(Query(branch=None)).runs)


def test_code_in_follows_a_rebase_and_names_of_branches_do_not(runs: Runs, make: Any, git: Any) -> None:
    """``branch`` is what the run was started on, ``code IN`` where its code is now."""
    git(runs.path, "checkout", "-q", "-b", "work")
    (runs.path / "train.py").write_text("print('better')\n")
    git(runs.path, "commit", "-q", "-am", "better")
    old, tree = git(runs.path, "rev-parse", "HEAD", "HEAD^{tree}").split()
    git(runs.path, "checkout", "-q", "main")
    (runs.path / "other.txt").write_text("more\n")
    git(runs.path, "add", ".")
    git(runs.path, "commit", "-q", "-m", "more")
    runs.add(make(1, code=CodeRef(old, tree, "work", False)))
    index = runs.index()

    def found(text: str) -> int:
        return len(index.search(Query(filter=text)).runs)

    assert (1, 0, 1) == (found("branch = 'work'"), found("code IN main"), found("code IN main..work"))
    git(runs.path, "cherry-pick", "work")
    git(runs.path, "branch", "-q", "-D", "work")
    assert (1, 0, 1) == (found("branch = 'work'"), found("branch = 'main'"), found("code IN main"))
    assert (1, 0) == (found("code IN HEAD~1..HEAD"), found("code NOT IN main or code in HEAD~1"))


def test_runs_that_are_each_other_s_parents_are_found_once(runs: Runs, make: Any) -> None:
    """A repository can say so, and the search must end."""
    from tests.index.kit import run_id

    runs.add(make(1, parent_run=run_id(2)))
    runs.add(make(2, parent_run=run_id(1)))
    runs.add(make(3, parent_run=run_id(2)))
    index = runs.index()

    found = index.search(Query(filter=f"ancestor = '{run_id(1)}'")).runs
    assert {run_id(1), run_id(2), run_id(3)} == {state.id for state in found}
