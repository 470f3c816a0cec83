"""Large ledgers: what is read again after a change, and that nobody ever sees half of one."""

from __future__ import annotations

import multiprocessing
import sqlite3
import time
from pathlib import Path
from typing import Any

import pytest
from benchmarks.synthetic import Made, Plan, make
from tests.index.kit import Runs

from ledgit.git import BatchReader, RefUpdate, read_ref, update_refs
from ledgit.query import Query
from ledgit.records import InputRecord, RunState, encode_entry, encode_inputs, encode_tombstone, input_refs, with_head
from ledgit.store import index_complete, index_source
from ledgit.store.index import Index

FORK = multiprocessing.get_context("fork")
LEDGER = "refs/ledgit/ledger"


class Counted:
    """How much was read, and how many lines were parsed, by indexes made meanwhile."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.specs: list[str] = []
        self.parsed = 0
        read_many, store = BatchReader.read_many, index_source.Source._store

        def counted_read(reader: BatchReader, specs: Any) -> Any:
            specs = list(specs)
            self.specs += specs
            return read_many(reader, specs)

        def counted_store(source: Any, runs: Any, groups: Any = (), *, new: bool) -> None:
            before = source.parsed
            store(source, runs, groups, new=new)
            self.parsed += source.parsed - before

        monkeypatch.setattr(BatchReader, "read_many", counted_read)
        monkeypatch.setattr(index_source.Source, "_store", counted_store)

    def taken(self) -> tuple[int, int]:
        """Objects read and lines parsed since the last call."""
        found = len(self.specs), self.parsed
        self.specs, self.parsed = [], 0
        return found


def everything(index: Index) -> dict[str, str]:
    return {state.id: repr(state) for state in index.search(Query(view="all")).runs}


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """3,000 runs in 250 days."""
    return make(tmp_path_factory.mktemp("large"), Plan(3_000), jobs=1)


@pytest.fixture
def synthetic(large: Made, tmp_path: Path, git: Any) -> Runs:
    """A clone of it, with its ledger."""
    git(tmp_path, "clone", "-q", "--no-checkout", str(large.path), "clone")
    git(tmp_path / "clone", "fetch", "-q", "origin", f"+{LEDGER}:{LEDGER}")
    return Runs(tmp_path / "clone")


def test_after_a_pull_only_changed_lines_are_parsed(
    synthetic: Runs, make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 250 segments the changed ones are read, and in those the new lines are parsed."""
    counted = Counted(monkeypatch)
    index = synthetic.index()
    index.refresh()
    read, parsed = counted.taken()
    assert read > 250
    assert parsed >= 3_000

    path, month = "segments/2026-11/05.jsonl", 1_793_836_800_000
    lines = synthetic.read(path) + b"".join(synthetic.line(make(n, start=month + n)) for n in range(7))
    synthetic.change({path: lines})
    counted.taken()
    index.refresh()

    read, parsed = counted.taken()
    assert parsed == 7
    assert read < 20
    assert 2_977 == index.count(Query(view="all"))
    synthetic.file.unlink()
    assert everything(synthetic.index()) == everything(index)


def test_runs_that_are_compacted_are_not_parsed_again(
    synthetic: Runs, make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same line is found in another place."""
    entries = [make(n, start=1_793_836_800_000 + n) for n in range(40)]
    heads = {entry.id: synthetic.add(entry) for entry in entries}
    index = synthetic.index()
    index.refresh()
    before = everything(index)
    counted = Counted(monkeypatch)

    path = "segments/2026-11/05.jsonl"
    lines = synthetic.read(path) + b"".join(synthetic.line_of(entry, heads[entry.id]) for entry in entries)
    synthetic.change({path: lines})
    for entry in entries:
        synthetic.remove(entry.id)
    counted.taken()
    index.refresh()

    assert counted.taken()[1] == 0
    assert before == everything(index)


def test_a_ledger_that_vanished_while_it_was_read_is_looked_up_again(
    synthetic: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process compacted, and a gc removed what the ref pointed at a moment ago."""
    index = synthetic.index()
    good = read_ref(synthetic.repo, LEDGER)
    refs = index_source.run_refs
    answers = [{LEDGER: "1" * 40}]
    monkeypatch.setattr(index_source, "run_refs", lambda repo: answers.pop() if answers else refs(repo))

    index.refresh()

    assert good is not None
    assert [] == answers
    assert 2_970 == index.count(Query(view="all"))


def test_a_ledger_that_is_not_here_is_an_error_and_not_an_empty_list(synthetic: Runs) -> None:
    """Damage is told, with what mends it."""
    (Path(synthetic.repo.common_dir) / LEDGER).write_text("1" * 40 + "\n")

    with pytest.raises(Exception, match="is not in this clone; 'ledgit pull' brings it again"):
        synthetic.index().refresh()


def test_files_of_deep_ledgers_are_known_by_their_paths(runs: Runs, make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Months, days and digits, several of each: what is remembered of them is what the ledger has."""
    paths = [
        f"{month}/{day}{below}.jsonl"
        for month in ("2023-09", "2023-10", "2023-11")
        for day, below in (("01", "/0"), ("01", "/f/0"), ("01", "/f/1"), ("02", ""), ("03", "/a"), ("03", "/b"))
    ]
    segments = {path: runs.line(make(number)) for number, path in enumerate(paths)}
    runs.ledger(segments)
    index = runs.index()
    index.refresh()
    assert known(runs) == {f"segments/{path}" for path in paths}

    counted = Counted(monkeypatch)
    segments["2023-11/03/b.jsonl"] += runs.line(make(90))
    runs.ledger(segments)
    counted.taken()
    index.refresh()
    read, parsed = counted.taken()
    assert (1, True) == (parsed, read < 10)
    assert known(runs) == {f"segments/{path}" for path in paths}

    del segments["2023-10/01/f/0.jsonl"], segments["2023-10/01/f/1.jsonl"]
    runs.ledger(segments)
    index.refresh()
    assert known(runs) == {f"segments/{path}" for path in segments}
    assert sorted(everything(index)) == sorted(
        make(n).id for n, path in [*enumerate(paths), (90, paths[0])] if path in segments
    )


def known(runs: Runs) -> set[str]:
    with sqlite3.connect(runs.file) as db:
        return {path for (path,) in db.execute("SELECT path FROM node WHERE tree = 0")}


# -- tombstones --------------------------------------------------------------------------------


def test_purged_runs_are_remembered_as_long_as_the_ledger_says_so(runs: Runs, make: Any) -> None:
    """Import refuses them, and gc has to look whether they are gone."""
    one, two = make(1), make(2)
    index = runs.index()
    runs.ledger({"2023-11/14.jsonl": runs.line(one) + encode_tombstone(two.id, two.start)})
    index.refresh()
    assert {two.id: two.start} == index.tombstones()
    assert (False, True) == (index.is_purged(one.id), index.is_purged(two.id))

    runs.ledger({"2023-11/14.jsonl": encode_tombstone(one.id, one.start) + encode_tombstone(two.id, two.start)})
    index.refresh()
    assert {one.id, two.id} == index.tombstones().keys()
    assert {} == everything(index)

    runs.ledger({"2023-11/14.jsonl": runs.line(one)})
    index.refresh()
    assert {} == index.tombstones()
    assert [one.id] == list(everything(index))


def test_many_tombstones_alone_are_a_ledger_too(runs: Runs, make: Any) -> None:
    """An index without a run is filled when the first comes."""
    gone = b"".join(encode_tombstone(make(n).id, make(n).start) for n in range(10))
    index = runs.index()
    runs.ledger({"2023-11/14.jsonl": gone})
    index.refresh()
    assert (10, {}) == (len(index.tombstones()), everything(index))

    runs.ledger({"2023-11/14.jsonl": gone, "2023-11/15.jsonl": runs.line(make(20))})
    index.refresh()
    assert (10, [make(20).id]) == (len(index.tombstones()), list(everything(index)))


# -- what can't be read ------------------------------------------------------------------------


def test_a_newer_line_is_shown_with_what_can_be_read_of_it(runs: Runs, make: Any) -> None:
    """Whose run it is, and when it was; the line itself stays in the ledger."""
    line = b'{"id":"%s","head":"%s","v":99,"start":1700000000000,"name":"from-the-future","user":"zoe","deleted":7}\n'
    runs.ledger({"2023-11/14.jsonl": line % (make(1).id.encode(), b"a" * 40) + runs.line(make(2))})

    state = runs.index().get(make(1).id)

    assert state is not None
    assert ("from-the-future", "zoe", 1_700_000_000_000) == (state.name, state.user, state.start)
    assert "upgrade" in state.problem
    assert [make(1).id] == [found.id for found in runs.index().resolve("from-the-future")]


# -- wide runs ---------------------------------------------------------------------------------

WIDE = {f"p{number:03}": f"value {number} of a param" for number in range(200)}


@pytest.fixture
def wide(runs: Runs, make: Any, flat: Any) -> Runs:
    """Twelve runs in the ledger that have more than their lines."""
    lines = b""
    for number in range(12):
        params = {**WIDE, "p199": f"last of {number}", "p198": number}
        metrics = {"loss": float(number), **{f"m{n:03}": n + number / 16 for n in range(300)}}
        lines += runs.line(
            make(number, params=params, metrics=metrics), {"params.yaml": flat(params), "metrics.yaml": flat(metrics)}
        )
    runs.ledger({"2023-11/14.jsonl": lines})
    return runs


def partial(runs: Runs) -> list[int]:
    with sqlite3.connect(runs.file) as db:
        return [bits for (bits,) in db.execute("SELECT partial FROM run ORDER BY n")]


def test_what_lines_had_no_room_for_is_read_when_it_is_asked_for(wide: Runs, make: Any) -> None:
    """A list reads the runs it shows; a filter fills the columns once, and the answers are complete."""
    index = wide.index()
    index.refresh()
    assert [3] * 12 == partial(wide)

    page = index.search(Query(limit=3)).runs
    assert [(200, 301)] * 3 == [(len(state.params), len(state.metrics)) for state in page]
    assert [3] * 12 == partial(wide)

    assert [make(7).id] == [state.id for state in index.search(Query(filter="params.p199 = 'last of 7'")).runs]
    assert [2] * 12 == partial(wide)
    assert 5 == index.count(Query(filter="params.p198 >= 7"))
    assert 12 == len(index.search(Query(order_by=("-metrics.m299",))).runs)
    assert [0] * 12 == partial(wide)
    assert 200 == len(index.keys("params"))
    assert "last of 11" == index.search(Query(order_by=("-metrics.m299",))).runs[0].params["p199"]


def test_wide_runs_that_two_edited_at_once_are_read_when_they_are_asked_for_too(
    runs: Runs, make: Any, flat: Any
) -> None:
    """What each of two heads has beyond its line is there once a key beyond is asked for, or the run is shown."""
    lines = b""
    for number in range(4):
        for edit in ("one", "other"):
            params = {**WIDE, f"q-{edit}": number, "p199": "last"}
            entry = make(number, params=params, clock=(2, edit), metrics={"loss": float(number)})
            lines += runs.line(entry, {"params.yaml": flat(params)})
    runs.ledger({"2023-11/14.jsonl": b"".join(sorted(lines.splitlines(keepends=True)))})
    index = runs.index()
    index.refresh()
    assert [1 + 16] * 4 == partial(runs)

    for _ in range(2):  # the second time as it was stored
        (shown,) = index.search(Query(filter="metrics.loss = 3")).runs
        assert (202, 3, 3) == (len(shown.params), shown.params["q-one"], shown.params["q-other"])
    assert [1 + 16] * 4 == partial(runs)
    assert 4 == index.count(Query(filter="params.p199 = 'last'"))
    assert [0] * 4 == partial(runs)
    assert [make(2).id] == [state.id for state in index.search(Query(filter="params.q-other = 2")).runs]
    assert 202 == len(index.get(make(1).id).params)  # type: ignore[union-attr]


def test_a_key_that_all_lines_have_reads_no_run(wide: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asking for what is in the index costs what it always costs, now and later."""
    index = wide.index()
    index.refresh()
    monkeypatch.setattr(index_complete, "complete_columns", None)

    for _ in range(2):
        assert 4 == index.count(Query(filter="metrics.m000 >= 0.5"))


def test_wide_runs_that_come_one_by_one_are_whole_at_once(wide: Runs, make: Any, flat: Any) -> None:
    """Only what is too much at once is put off."""
    index = wide.index()
    index.refresh()

    params = {**WIDE, "p199": "mine"}
    wide.add(make(30, params=params), {"params.yaml": flat(params)})
    index.refresh()

    assert [3] * 12 + [0] == partial(wide)
    assert "mine" == index.get(make(30).id).params["p199"]  # type: ignore[union-attr]


def test_data_sets_that_lines_had_no_room_for_are_read_when_they_are_asked_for(runs: Runs, make: Any) -> None:
    """Hundreds of them in each run; what is shown of a run is complete, too."""
    lines = b""
    for number in range(6):
        used = [InputRecord(f"part-{part:03}.csv", f"{number}-{part}", context="train") for part in range(200)]
        entry = make(number, metrics={"loss": float(number)}, inputs=input_refs(used))
        lines += runs.line(entry, {"inputs.yaml": encode_inputs(used)})
    away = make(9, inputs=input_refs(used))
    runs.ledger({"2023-11/14.jsonl": lines + with_head(encode_entry(away), "b" * 40)})
    index = runs.index()
    index.refresh()
    assert [8] * 7 == partial(runs)

    assert 6 == index.count(Query(filter="metrics.loss >= 0"))
    assert [8] * 7 == partial(runs)
    assert [200, 200] == [len(state.inputs) for state in index.search(Query(filter="metrics.loss > 3")).runs]
    assert [make(4).id] == [state.id for state in index.search(Query(filter="dataset.digest = '4-199'")).runs]
    assert [0] * 7 == partial(runs)
    assert 6 == index.count(Query(filter="dataset.name = 'part-199.csv'"))
    assert 7 == index.count(Query(filter="dataset.name = 'part-000.csv'"))


def test_a_wide_run_whose_commit_is_not_here_is_shown_as_its_line_says(runs: Runs, make: Any) -> None:
    """A clone that has the ledger's tip alone lists what lines say, and asks again once it has more."""
    from ledgit.records import encode_entry, with_head

    line = with_head(encode_entry(make(1, params=WIDE, metrics={"loss": 1.0})), "b" * 40)
    runs.ledger({"2023-11/14.jsonl": line})
    index = runs.index()

    assert [] == index.search(Query(filter="params.p199 LIKE 'value%'")).runs
    assert 1 == index.count(Query(filter="params.p000 LIKE 'value%'"))
    state = index.get(make(1).id)
    assert state is not None
    assert 0 < len(state.params) < 200
    assert not state.problem


def test_a_long_reading_tells_how_far_it_is(synthetic: Runs) -> None:
    """Counting up to the whole, and silent when there is nothing long to read."""
    told: list[tuple[str, int, int | None]] = []
    index = synthetic.index()
    index.progress = lambda what, done, total: told.append((what, done, total))

    index.refresh()

    assert {"reading the ledger"} == {what for what, _, _ in told}
    done = [number for _, number, _ in told]
    assert done == sorted(done)
    assert told[-1][1] == told[-1][2]
    told.clear()
    index.refresh()
    assert [] == told


# -- many processes ----------------------------------------------------------------------------


def test_answers_are_right_while_others_compact_and_everybody_refreshes(runs: Runs, make: Any) -> None:
    """No reader ever misses a run that was there when it asked, or sees one twice, however refs move."""
    lines: dict[int, bytes] = {}
    acknowledged = FORK.Value("i", 0)
    stop = FORK.Event()
    results = FORK.Queue()

    def read(seed: int) -> None:
        wrong: list[str] = []
        rounds = 0
        index = Runs(runs.path).index()
        while not stop.is_set() or rounds < 3:
            rounds += 1
            if rounds % 5 == seed:
                index.close()
            least = acknowledged.value
            index.refresh()
            found = [state.name for state in index.search(Query(filter="metrics.a >= 0", order_by=("metrics.a",))).runs]
            most = acknowledged.value
            if found[:least] != [f"run-{n}" for n in range(least)] or len(found) > most + 1:
                wrong.append(f"{least} to {most}: {found}")
            total = index.count(Query(view="all"))
            if not len(found) <= total <= acknowledged.value + 1:
                wrong.append(f"{total} after {len(found)}")
        results.put((rounds, wrong))

    readers = [FORK.Process(target=read, args=(seed,)) for seed in range(3)]
    for reader in readers:
        reader.start()
    loose: list[int] = []
    for number in range(40):
        entry = make(number, metrics={"a": float(number), f"k{number % 7}": 1.0})
        head = runs.add(entry)
        lines[number] = runs.line_of(entry, head)
        loose.append(number)
        acknowledged.value = number + 1
        if number % 4 == 3:
            runs.ledger(
                {
                    f"2023-11/{day}.jsonl": b"".join(line for n, line in lines.items() if n % 2 == day % 2)
                    for day in (14, 15)
                }
            )
            for one in loose:
                runs.remove(make(one).id)
            loose.clear()
        time.sleep(0.01)
    stop.set()
    found = [results.get(timeout=120) for _ in readers]
    for reader in readers:
        reader.join()

    assert [[], [], []] == [wrong for _, wrong in found]
    assert all(rounds >= 3 for rounds, _ in found)


def test_an_answer_is_of_one_moment(runs: Runs, make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between finding rows and reading runs another process may have taken them away."""
    for number in range(5):
        runs.add(make(number))
    index, other = runs.index(), runs.index()
    index.refresh()
    from ledgit.store.index_table import Table

    states = Table.states
    told: list[str] = []

    def slowly(table: Any, numbers: Any) -> list[RunState]:
        if not told:
            told.append("removed")
            runs.remove(make(3).id)
            monkeypatch.setattr("ledgit.store.index_database.PATIENCE", 0.05)
            other.close()
            other.refresh()  # it can't write now, and does without its file
        return states(table, numbers)

    monkeypatch.setattr(Table, "states", slowly)

    assert 5 == len(index.search(Query()).runs)
    assert 4 == len(other.search(Query()).runs)
    index.refresh()
    assert 4 == len(index.search(Query()).runs)


def test_refs_are_listed_so_that_compaction_hides_no_run(
    runs: Runs, make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The ledger moves first and loose runs go after it: they are looked at in the other order."""
    head = runs.add(make(1))
    line = runs.line_of(make(1), head)
    import ledgit.git

    calls: list[str] = []

    def compacting(function: Any) -> Any:
        def call(*args: Any) -> Any:
            calls.append(function.__name__)
            if len(calls) == 2:  # between the two looks
                runs.ledger({"2023-11/14.jsonl": line})
                update_refs(runs.repo, [RefUpdate(f"refs/ledgit/runs/{make(1).id}", None, RefUpdate.ANY)])
            return function(*args)

        return call

    monkeypatch.setattr(ledgit.git, "list_refs", compacting(ledgit.git.list_refs))
    monkeypatch.setattr(ledgit.git, "read_ref", compacting(ledgit.git.read_ref))

    refs = index_source.run_refs(runs.repo)

    assert ["list_refs", "read_ref"] == calls
    assert {f"refs/ledgit/runs/{make(1).id}": head, LEDGER: read_ref(runs.repo, LEDGER)} == refs
