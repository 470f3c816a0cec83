"""What the index knows is what the refs say: after every change, and read from nothing."""

from __future__ import annotations

import math
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.index.kit import Runs, run_id

from ledgit.query import Query
from ledgit.records import CodeRef, Entry, Points, RunState, encode_entry, encode_history, encode_tombstone, with_head
from ledgit.store.experiments import ExperimentRecord

NOW = 1_700_000_000_000


def ids(states: list[RunState]) -> list[str]:
    return [state.id for state in states]


def everything(index: Any) -> dict[str, RunState]:
    return {state.id: state for state in index.search(Query(view="all")).runs}


def test_a_finalized_run_comes_back_whole(runs: Any, make: Any) -> None:
    """Every field and every bit: NaN, infinities, integers beyond 64 bits, text of any script."""
    entry = make(
        1,
        experiment="näive",
        status="FAILED",
        end=NOW + 5,
        user="Ada",
        parent_run="f" * 32,
        code=CodeRef("a" * 40, "b" * 40, "feature/x", True),
        params={"lr": 1e-05, "big": 2**70, "none": None, "flag": True, "text": "0.10", "nan": math.nan},
        metrics={"acc": 0.1, "up": math.inf, "down": -math.inf, "a/b c": 3.0, "zero": -0.0},
        ranges={"acc": (-math.inf, 0.5)},
        tags={"team": "green\nblue"},
        inputs=(("träin.csv", "md5-1", "train"), ("x", "", "")),
        state={"tags.gone": (4, "d" * 16)},
    )
    head = runs.add(entry)

    index = runs.index()
    found = index.get(entry.id)

    assert found is not None
    assert math.isnan(found.params.pop("nan"))
    del entry.params["nan"]
    names = ["id", "name", "experiment", "status", "start", "end", "user", "code", "parent_run"]
    names += ["params", "metrics", "ranges", "tags", "inputs", "deleted"]
    expected = {name: getattr(entry, name) for name in names}
    assert expected == {name: getattr(found, name) for name in expected}
    assert math.copysign(1, found.metrics["zero"]) == -1
    assert ((head,), head) == (found.heads, found.commit)
    assert ((1, "c" * 16), {"tags.gone": (4, "d" * 16)}) == (found.clocks.default, found.clocks.keys)


def test_a_nan_metric_comes_back_and_is_found(runs: Any, make: Any) -> None:
    runs.add(make(1, metrics={"loss": math.nan}))
    runs.add(make(2, metrics={"loss": 1.0}))
    index = runs.index()

    assert [make(1).id] == ids(index.search(Query(filter="metrics.loss IS NAN")).runs)
    assert [make(2).id, make(1).id] == ids(index.search(Query(order_by=("-metrics.loss",))).runs)
    assert math.isnan(index.get(make(1).id).metrics["loss"])


def test_an_edit_moves_a_run_and_a_deleted_ref_takes_it_away(runs: Any, make: Any) -> None:
    index = runs.index()
    runs.add(make(1, metrics={"old": 1.0}, tags={"a": "1"}))
    runs.add(make(2))
    index.refresh()

    runs.add(make(1, name="renamed", tags={"b": "2"}))
    runs.remove(make(2).id)
    index.refresh()

    assert [("renamed", {"b": "2"})] == [(state.name, state.tags) for state in index.search(Query()).runs]
    assert ([], []) == (index.resolve("run-1"), index.resolve("run-2"))
    assert (["b"], []) == (index.keys("tags"), index.keys("metrics"))
    assert [] == index.search(Query(filter="metrics.old IS NOT NULL")).runs


def test_nothing_is_read_while_no_ref_moves(runs: Any, make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither by the same process nor by the next one."""
    runs.add(make(1))
    runs.index().refresh()
    import time

    time.sleep(0.06)  # the stamp of a folder changed within 50 ms is not trusted
    index = runs.index()
    index.refresh()

    def no_git(*args: object, **kwargs: object) -> None:
        raise AssertionError(args)

    monkeypatch.setattr(subprocess, "Popen", no_git)
    index.refresh()
    second = runs.index()
    second.refresh()

    assert [make(1).id] == ids(second.search(Query()).runs)


def test_heads_in_the_ledger_and_a_loose_ref_are_joined(runs: Any, make: Any) -> None:
    """A run that was compacted and then edited is one run, and the edit above its past replaces it."""
    first = make(1, tags={"a": "old"}, clock=(1, "c" * 16))
    line = runs.line(first)
    runs.ledger({"2023-11/14.jsonl": line})
    index = runs.index()
    assert {"a": "old"} == index.get(first.id).tags
    below = index.get(first.id).commit

    head = runs.add(make(1, tags={"a": "new"}, state={"tags.a": (2, "c" * 16)}, past=(below,)))
    index.refresh()
    edited = index.get(first.id)
    other = make(1, tags={"a": "old", "b": "theirs"}, state={"tags.b": (2, "d" * 16)}, past=(below,))
    runs.ledger({"2023-11/14.jsonl": runs.line(other)})
    index.refresh()
    both = index.get(first.id)

    assert ({"a": "new"}, (head,), below) == (edited.tags, edited.heads, edited.commit)
    assert ({"a": "new", "b": "theirs"}, 2, below) == (both.tags, len(both.heads), both.commit)


def test_a_segment_that_splits_keeps_its_runs(runs: Any, make: Any) -> None:
    """Lines move between files as the ledger grows; runs neither vanish nor double."""
    lines = {number: runs.line(make(number)) for number in range(6)}
    index = runs.index()
    for segments in (
        {"2023-11/14.jsonl": b"".join(lines.values())},
        {
            "2023-11/14/0.jsonl": b"".join(lines[n] for n in (0, 1, 2)),
            "2023-11/14/1.jsonl": lines[3] + lines[4] + lines[5],
        },
        {"2023-11/14.jsonl/x.jsonl": lines[0], "2023-11/15.jsonl": b"".join(lines[n] for n in (1, 2, 3, 4, 5))},
        {"2023-11/15.jsonl": lines[5]},
        {},
    ):
        runs.ledger(segments)
        index.refresh()
        expected = sorted(n for n, line in lines.items() if any(line in data for data in segments.values()))
        assert [make(n).id for n in reversed(expected)] == ids(index.search(Query()).runs)


def test_a_purged_run_is_gone_even_with_a_loose_ref(runs: Any, make: Any) -> None:
    runs.add(make(1))
    runs.add(make(2))
    index = runs.index()
    index.refresh()

    runs.ledger({"2023-11/14.jsonl": encode_tombstone(make(1).id, NOW)})
    index.refresh()

    assert [make(2).id] == ids(index.search(Query(view="all")).runs)


def test_what_had_no_room_in_the_line_is_read_from_the_run(runs: Any, make: Any, flat: Any) -> None:
    """An entry ends at 4 KB; filters see all keys all the same."""
    params = {f"param_{number:03d}": number for number in range(300)}
    metrics = {f"metric_{number:03d}": float(number) for number in range(300)}
    points = Points.of([(0, NOW, -5.0), (1, NOW, 99.0), (2, NOW, 299.0)])
    files = {
        "params.yaml": flat(params),
        "metrics.yaml": flat(metrics),
        "tags.yaml": flat({"z": "last"}),
        "history/metric_299.tsv": encode_history("metric_299", points),
    }
    entry = make(1, params=params, metrics=metrics, tags={"z": "last"}, ranges={"metric_299": (-5.0, 299.0)})
    runs.add(entry, files)
    index = runs.index()
    state = index.get(entry.id)

    assert state.left
    assert (params, metrics, {"z": "last"}) == (state.params, state.metrics, state.tags)
    for text in ("params.param_299 = 299", "metrics.metric_299 > 298", "min(metrics.metric_299) = -5"):
        assert [entry.id] == ids(index.search(Query(filter=text)).runs), text
    runs.add(make(2, params=params, metrics=metrics, ranges={"metric_299": (-5.0, 299.0)}), files)
    index.refresh()
    assert 2 == index.count(Query(filter="min(metrics.metric_299) = -5"))


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"{}\n", "id"),
        (b"not json\n", "id"),
        (b'{"id":"%s","v":99,"start":1}\n', "upgrade"),
        (b'{"id":"%s","v":1,"start":1,"status":"ODD"}\n', "status"),
        (b'{"id":"%s","v":1,"start":1,"inputs":[["a",1,"b"]]}\n', "inputs"),
    ],
)
def test_a_run_that_does_not_decode_is_shown_with_its_problem(runs: Any, make: Any, line: bytes, reason: str) -> None:
    """One bad or newer colleague does not lock out the others."""
    line = line.replace(b"%s", make(1).id.encode())
    head = runs.add_line(make(1).id, line)
    runs.add(make(2))
    broken = line.rstrip(b"\n") if line.startswith(b'{"id"') else b'{"nothing":1}'
    runs.ledger(
        {"2023-11/14.jsonl": runs.line(make(3)) + broken.replace(make(1).id.encode(), make(4).id.encode()) + b"\n"}
    )

    found = everything(runs.index())

    assert reason in found[make(1).id].problem
    assert (head,) == found[make(1).id].heads
    assert ["", ""] == [found[make(n).id].problem for n in (2, 3)]
    assert 4 == len(found)
    (odd,) = found.keys() - {make(n).id for n in (1, 2, 3)}
    assert found[odd].problem


def test_a_line_of_another_run_is_not_taken_for_this_one(runs: Any, make: Any) -> None:
    """A ref may be given any commit; it can't pass a run off as another."""
    runs.add_line(make(1).id, encode_entry(make(2)))

    found = everything(runs.index())

    assert [make(1).id] == list(found)
    assert "another run" in found[make(1).id].problem


def test_a_good_head_beside_a_bad_one_is_shown_with_the_problem(runs: Any, make: Any) -> None:
    runs.ledger({"2023-11/14.jsonl": runs.line(make(1, tags={"a": "1"}))})
    runs.add_line(make(1).id, b'{"id":"%s","v":99,"start":1}\n' % make(1).id.encode())

    state = runs.index().get(make(1).id)

    assert {"a": "1"} == state.tags
    assert "upgrade" in state.problem


def test_a_ref_to_a_commit_that_is_not_here_is_shown(runs: Any, make: Any) -> None:
    """Clones may be shallow or damaged; the list still comes."""
    ref = Path(runs.repo.common_dir) / "refs/ledgit/runs" / make(1).id
    ref.parent.mkdir(parents=True)
    ref.write_text("1" * 40 + "\n")
    runs.add(make(2))

    found = everything(runs.index())

    assert "not in this clone" in found[make(1).id].problem
    assert "" == found[make(2).id].problem


def test_renamed_and_deleted_experiments_are_found_by_their_names(runs: Any, make: Any) -> None:
    runs.add(make(1, experiment="old name"))
    runs.add(make(2, experiment="gone"))
    runs.add(make(3, experiment="plain"))
    clock = {"name": (1, "c"), "deleted": (1, "c")}
    runs.ledger(
        {},
        [ExperimentRecord("old name", {"name": "new name"}, clock), ExperimentRecord("gone", {"deleted": True}, clock)],
    )
    index = runs.index()

    def found(**query: Any) -> list[int]:
        return [int(state.id[:8], 16) for state in index.search(Query(**query)).runs]

    assert [3, 1] == found()
    assert [2] == found(view="deleted")
    assert [1] == found(filter="experiment = 'new name'")
    assert [1] == found(experiments=("new name",))
    assert [1] == found(experiments=("old name",))
    assert [] == found(experiments=())
    assert [3, 1, 2] == found(order_by=("-experiment",), view="all")


def test_active_runs_of_git_are_not_runs_here(runs: Any, make: Any) -> None:
    """``refs/ledgit/active`` keeps snapshots alive and says nothing about runs."""
    oid = runs.commit(encode_entry(make(1)))
    from ledgit.git import RefUpdate, update_refs

    update_refs(runs.repo, [RefUpdate(f"refs/ledgit/active/{make(1).id}", oid)])

    assert {} == everything(runs.index())


# -- incremental equals from nothing -----------------------------------------------------------

numbers = st.integers(0, 5)
fields = st.fixed_dictionaries(
    {
        "metrics": st.dictionaries(st.sampled_from(["a", "b"]), st.sampled_from([0.5, math.nan, -1.0])),
        "params": st.dictionaries(st.sampled_from(["p", "q"]), st.sampled_from([1, "x", "2.5", None])),
        "tags": st.dictionaries(st.sampled_from(["t", "u"]), st.sampled_from(["1", "2"])),
        "inputs": st.sampled_from([(), (("a", "1", "train"),), (("a", "1", "train"), ("b", "", ""))]),
        "deleted": st.booleans(),
        "experiment": st.sampled_from(["e", "f"]),
    }
)
steps = st.one_of(
    st.tuples(st.just("add"), numbers, fields),
    st.tuples(st.just("remove"), numbers),
    st.tuples(st.just("bad"), numbers),
    st.tuples(st.just("compact"), st.sampled_from(["14.jsonl", "15.jsonl", "14/0.jsonl"])),
    st.tuples(st.just("drop"), st.sampled_from(["14.jsonl", "15.jsonl", "14/0.jsonl"])),
    st.tuples(st.just("purge"), numbers),
    st.tuples(
        st.just("pack"),
    ),
    st.tuples(
        st.just("refresh"),
    ),
)


def comparable(index: Any) -> Any:
    """All an index can be asked; NaN as text, since it equals nothing."""
    queries = [
        Query(view="all"),
        Query(filter="metrics.a IS NAN OR params.p > 0 OR tags.t = '1'", order_by=("-metrics.a", "params.q")),
        Query(filter="max(metrics.b) < 0", order_by=("tags.u",)),
        Query(filter="NOT dataset.name = 'b'"),
        Query(filter="dataset.context != 'test' OR dataset.digest IS NULL"),
    ]
    asked = [[repr(state) for state in index.search(query).runs] for query in queries]
    return asked, index.experiments(), [index.keys(kind) for kind in ("params", "metrics", "tags")], index.names()


@settings(max_examples=25)
@given(st.lists(steps, min_size=1, max_size=14))
def test_an_index_kept_up_to_date_equals_one_made_from_nothing(
    tmp_path_factory: pytest.TempPathFactory, plan: list[Any]
) -> None:
    """Whatever happened in between, and however often it was looked at."""
    path = tmp_path_factory.mktemp("random")
    subprocess.run(["git", "init", "-q", str(path)], check=True)
    runs = Runs(path)
    kept = runs.index()
    segments: dict[str, bytes] = {}
    for step in plan:
        loose = sorted(name.rpartition("/")[2] for name in runs.refs() if "/runs/" in name)
        if step[0] == "add":
            runs.add(Entry(run_id(step[1]), start=NOW + step[1], name=f"n{step[1]}", clock=(1, "c"), **step[2]))
        elif step[0] == "remove" and run_id(step[1]) in loose:
            runs.remove(run_id(step[1]))
        elif step[0] == "bad":
            runs.add_line(run_id(step[1]), b'{"v":99}')
        elif step[0] == "compact":
            # The lines of all loose runs, added to a segment; every second run's ref goes.
            for number, one in enumerate(loose):
                head = runs.refs()[f"refs/ledgit/runs/{one}"]
                line = subprocess.run(
                    ["git", "cat-file", "blob", f"{head}:.ledgit/run/entry.json"],
                    cwd=path,
                    capture_output=True,
                    check=True,
                ).stdout
                if line.startswith(b'{"id"'):
                    segments[step[1]] = segments.get(step[1], b"") + with_head(line, head)
                    if number % 2:
                        runs.remove(one)
            runs.ledger({f"2023-11/{name}": data for name, data in segments.items()})
        elif step[0] == "drop" and segments.pop(step[1], None) is not None:
            runs.ledger({f"2023-11/{name}": data for name, data in segments.items()})
        elif step[0] == "purge":
            segments["15.jsonl"] = segments.get("15.jsonl", b"") + encode_tombstone(run_id(step[1]), NOW)
            runs.ledger({f"2023-11/{name}": data for name, data in segments.items()})
        elif step[0] == "pack":
            subprocess.run(["git", "pack-refs", "--all"], cwd=path, check=True)
        elif step[0] == "refresh":
            kept.refresh()
            kept.search(Query(order_by=("min(metrics.a)",)))
    kept.refresh()
    made = comparable(kept)
    kept.close()
    runs.file.unlink(missing_ok=True)

    assert comparable(runs.index()) == made
