"""Merging records: the heads of one run hold the same together, in whatever order they come."""

from __future__ import annotations

import math
import random
from dataclasses import replace

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from ledgit.errors import RecordError
from ledgit.records import (
    ArtifactRecord,
    Clocks,
    CodeInfo,
    Environment,
    InputRecord,
    Points,
    RunInfo,
    RunRecord,
    RunState,
    decode_entry,
    decode_record,
    encode_entry,
    encode_inputs,
    input_refs,
    join,
    make_entry,
    run_files,
    stored_paths,
    value_bytes,
    with_head,
)
from ledgit.records.clock import Clock
from ledgit.records.merge import merge_records, param_conflicts
from ledgit.records.record import ARTIFACT_CLOCK, listed_clocks

RUN = "0123456789abcdef0123456789abcdef"
clock = st.tuples(st.integers(2, 4), st.sampled_from(["aa", "bb"]))
points = st.lists(
    st.tuples(st.integers(0, 3), st.integers(1, 3), st.sampled_from([0.5, -1.0, math.nan, math.inf, -0.0, 0.0])),
    min_size=1,
    max_size=4,
).map(lambda rows: Points.of(rows).sorted_unique())
paths = st.sampled_from(["model.bin", "Model.bin", "a", "a/b", "dvc.yaml"])
digests = st.sampled_from(["md5:" + "1" * 32, "md5:" + "2" * 32])
first_inputs = InputRecord("iris", "abc", context="training")


@st.composite
def heads(draw: st.DrawFn) -> RunRecord:
    """A head of a run that every head began as: later sessions and edits have clocks of their own."""
    record = RunRecord(
        RunInfo(RUN, "owl", "churn", "FINISHED", 1000, 2000, "Ada", "host", ("python", "train.py"),
                code=CodeInfo("a" * 40, "b" * 40, "main")),
        params={"lr": 0.1}, metrics={"loss": 3.0}, histories={"loss": Points.of([(0, 1, 3.0)])},
        tags={"kept": "1", "often": "0"}, inputs=[first_inputs], environment=Environment("3.11"),
        artifacts=[ArtifactRecord("model.bin", 1, "md5:" + "0" * 32)], clocks=Clocks((1, "aa")),
    )  # fmt: skip
    clocks = record.clocks
    info = record.info
    for key, values in (("name", ["x", "y"]), ("status", ["FAILED", "KILLED"]), ("end", [5, 6, None]),
                        ("experiment", ["e", "f"]), ("deleted", [True, False])):  # fmt: skip
        if draw(st.booleans()):
            info = replace(info, **{key: draw(st.sampled_from(values))})
            clocks.set(key, draw(clock))
    for key, value in draw(
        st.dictionaries(st.sampled_from(["often", "new", "kept"]), st.none() | st.just("v"))
    ).items():
        record.tags.pop(key, None)
        if value is not None:
            record.tags[key] = draw(st.sampled_from(["1", "2"]))
        clocks.set(f"tags.{key}", draw(clock))
    for key in draw(st.sets(st.sampled_from(["late", "later"]))):
        record.params[key] = draw(st.sampled_from([1, 1.0, "1", math.nan, 2**70]))
        clocks.set(f"params.{key}", draw(clock))
    for key in draw(st.sets(st.sampled_from(["loss", "acc"]))):
        logged = Points.of([*record.histories.get(key, ()), *draw(points)]).sorted_unique()
        record.histories[key] = logged
        record.metrics[key] = logged.latest()[0]
        clocks.set(f"metrics.{key}", draw(clock))
    artifacts = {artifact.path: artifact for artifact in record.artifacts}
    for path in draw(st.sets(paths)):
        artifacts[path] = ArtifactRecord(path, 2, draw(digests), draw(st.sampled_from(["git", "dvc"])))
        clocks.set(ARTIFACT_CLOCK + path, draw(clock))
    places = stored_paths(artifacts)
    record.artifacts = [
        replace(artifacts[path], file=None if places[path] == path else places[path]) for path in sorted(artifacts)
    ]
    record.inputs += draw(
        st.lists(st.sampled_from([InputRecord("b"), InputRecord("c", "1")]), max_size=2, unique_by=id)
    )
    record.info = info
    return record


def plain(record: RunRecord) -> object:
    """What a record says, so that two can be compared: a NaN equals itself, 1 is not 1.0."""
    return (
        repr(record.info),
        sorted((key, value_bytes(value)) for key, value in record.params.items()),
        sorted((key, value_bytes(value)) for key, value in record.metrics.items()),
        sorted((key, list(map(repr, history))) for key, history in record.histories.items()),
        sorted(record.tags.items()),
        encode_inputs(record.inputs),
        repr(record.environment),
        record.artifacts,
        record.clocks.default,
        listed_clocks(record.clocks),
        {key: at for key, at in record.clocks.keys.items() if key.startswith(ARTIFACT_CLOCK)},
    )


def joined(records: list[RunRecord]) -> RunState:
    """What the ledger says of these heads."""
    return join(
        decode_entry(with_head(encode_entry(make_entry(record)), f"{number:040x}"))
        for number, record in enumerate(records)
    )


@settings(max_examples=250)
@given(st.lists(heads(), min_size=1, max_size=4), st.randoms(use_true_random=True))
def test_the_order_of_heads_does_not_matter(records: list[RunRecord], chance: random.Random) -> None:
    shuffled = records[:]
    chance.shuffle(shuffled)

    assert plain(merge_records(records)) == plain(merge_records(shuffled))


@settings(max_examples=250)
@given(heads(), heads(), heads())
def test_nor_does_it_matter_in_which_steps_they_are_merged(a: RunRecord, b: RunRecord, c: RunRecord) -> None:
    at_once = plain(merge_records([a, b, c]))

    assert at_once == plain(merge_records([merge_records([a, b]), c]))
    assert at_once == plain(merge_records([a, merge_records([b, c])]))


@settings(max_examples=120)
@given(heads(), heads())
def test_merging_again_changes_nothing(a: RunRecord, b: RunRecord) -> None:
    both = merge_records([a, b])

    assert plain(both) == plain(merge_records([both, a, b, both]))


@settings(max_examples=250)
@given(st.lists(heads(), min_size=1, max_size=3))
def test_the_record_says_what_the_ledger_says(records: list[RunRecord]) -> None:
    """But for a metric's latest value, which the record takes from the points that lines don't have."""
    merged, state = merge_records(records), joined(records)

    info = merged.info
    assert (info.name, info.experiment, info.status, info.end, info.deleted) == (
        state.name, state.experiment, state.status, state.end, state.deleted
    )  # fmt: skip
    assert merged.tags == state.tags
    assert input_refs(merged.inputs) == state.inputs
    assert repr(sorted(merged.params.items())) == repr(sorted(state.params.items()))
    assert merged.metrics.keys() == state.metrics.keys()
    assert listed_clocks(merged.clocks) == {
        key: at for key, at in state.clocks.keys.items() if at != state.clocks.default
    }
    assert merged.clocks.default == state.clocks.default
    assert repr(param_conflicts(records)) == repr(state.conflicts)
    event("conflict" if state.conflicts else "no conflict")


@settings(max_examples=120)
@given(st.lists(heads(), min_size=1, max_size=3))
def test_a_metric_is_the_latest_point_of_all(records: list[RunRecord]) -> None:
    merged = merge_records(records)

    for name, history in merged.histories.items():
        rows = {row for record in records for row in map(repr, record.histories.get(name, ()))}
        assert sorted(rows) == sorted(map(repr, history))
        assert repr(merged.metrics[name]) == repr(history.latest()[0])


@settings(max_examples=100)
@given(heads(), heads())
def test_the_merged_record_can_be_written_and_read(a: RunRecord, b: RunRecord) -> None:
    """No two artifacts stand in one place, on a system that folds case either."""
    merged = merge_records([a, b])

    read = decode_record(run_files(merged, encode_entry(make_entry(merged))))

    assert plain(read) == plain(merged)
    places = [artifact.tree_path.lower() for artifact in merged.artifacts]
    assert len(places) == len(set(places))
    assert not any(other.startswith(place + "/") for place in places for other in places)


def record(clocks: dict[str, Clock] | None = None, **values: object) -> RunRecord:
    made = RunRecord(RunInfo(RUN, "owl", "churn", "FINISHED", 1, 2), clocks=Clocks((1, "aa"), dict(clocks or {})))
    for name, value in values.items():
        setattr(made, name, value)
    return made


def test_an_artifact_that_was_logged_again_wins_over_the_one_it_replaced() -> None:
    """Whatever their digests are: the session that logged it gave its path a clock."""
    old, new = ArtifactRecord("m", 1, "md5:ff"), ArtifactRecord("m", 1, "md5:00")
    before, after = record(artifacts=[old]), record({"artifacts.m": (2, "bb")}, artifacts=[new])

    assert [new] == merge_records([before, after]).artifacts
    assert {"artifacts.m": (2, "bb")} == merge_records([after, before]).clocks.keys


def test_the_clocks_of_artifacts_are_in_no_line() -> None:
    """A line lists no artifacts, and has 4 KB."""
    entry = make_entry(record({"artifacts.m": (2, "bb"), "tags.a": (2, "bb")}, tags={"a": "1"}))

    assert {"tags.a": (2, "bb")} == entry.state


def test_records_of_two_runs_are_not_merged() -> None:
    other = RunRecord(RunInfo("f" * 32))

    with pytest.raises(RecordError, match="several runs"):
        merge_records([record(), other])
    with pytest.raises(RecordError, match="none"):
        merge_records([])
