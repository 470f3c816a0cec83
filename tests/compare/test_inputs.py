"""Whether runs saw the same data."""

from __future__ import annotations

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledgit.compare import InputFacts, RunView, compare_inputs, diff_runs, input_facts
from ledgit.compare.inputs import input_rows, same_data
from ledgit.records import InputRecord

A, B = "a" * 32, "b" * 32


def file(digest: str, name: str = "train.csv", context: str = "training", **more: int) -> InputFacts:
    return InputFacts(name, digest, "md5", context, **more)


def test_runs_on_the_same_data_are_said_to_be() -> None:
    """By digest, under whatever name."""
    renamed = file(A, "other.csv")

    (row,) = input_rows([[file(A)], [renamed]])
    assert ("same", False, True, "training") == (row.verdict, row.differs, row.renamed, row.key)
    assert (True, False) == (same_data([[file(A)], [renamed]]), same_data([[file(A)], [file(B)]]))


@pytest.mark.parametrize("sides", [[[file(A)], []], [[], []], [[file(A)], [file(A)], []]])
def test_a_run_that_recorded_no_data_can_not_be_compared(sides: list[list[InputFacts]]) -> None:
    """Nothing recorded is not no data."""
    assert same_data(sides) is None


def test_digests_of_different_kinds_say_nothing() -> None:
    """A DataFrame and the file it was read from may be the same data; equal digests are, of any kind."""
    frame = InputFacts("train.csv", "73925035", "pandas", "training")

    assert "unknown" == compare_inputs(file(A), frame)
    assert "same" == compare_inputs(InputFacts("x", "73925035"), frame)
    assert "unknown" == compare_inputs(InputFacts("x", ""), InputFacts("x", ""))
    assert same_data([[file(A)], [frame]]) is None


def test_other_numbers_of_rows_are_other_data() -> None:
    """Whatever the digests are."""
    one, other = (
        InputFacts("x", digest, kind, rows=rows) for digest, kind, rows in (("1", "pandas", 5), (A, "md5", 6))
    )

    assert "different" == compare_inputs(one, other)


def test_data_sets_are_lined_up_by_what_they_were_for() -> None:
    """The new version of the training data has a new name, the validation data are the old ones."""
    old = [file(A, "wine-v1"), file("c" * 32, "held-out", "validation")]
    new = [file("c" * 32, "held-out-renamed", "validation"), file(B, "wine-v2")]

    training, validation = input_rows([old, new])
    assert ("training", "different", (A, B)) == (training.key, training.verdict, training.cells)
    assert ("validation", "same") == (validation.key, validation.verdict)
    assert "wine-v1 (training)" == input_rows([old[:1], old[:1]])[0].key


def test_several_for_one_use_are_matched_by_digest_and_by_name() -> None:
    """What is left over, one in each run, is the same thing in two versions."""
    one = [file(A, "part-1"), file(B, "part-2"), file("c" * 32, "v1")]
    other = [file("d" * 32, "v2"), file(A, "part-1"), file("e" * 32, "part-2")]

    verdicts = {row.key: row.verdict for row in input_rows([one, other])}
    assert {"part-1 (training)": "same", "part-2 (training)": "different", "training": "different"} == verdicts


def test_a_use_that_one_run_did_not_name_is_no_difference() -> None:
    """The same file, once with a context and once without."""
    (row,) = input_rows([[file(A)], [file(A, context="")]])

    assert ("same", "train.csv (training)") == (row.verdict, row.key)


def test_a_data_set_more_is_a_difference() -> None:
    """Both recorded data, and one of them more."""
    diff = diff_runs([RunView("1", "a", inputs=[file(A)]), RunView("2", "b", inputs=[file(A), file(B, "extra")])])

    assert ["same", "different"] == [row.verdict for row in diff.inputs]
    assert (False, ["extra (training)"]) == (diff.same_data, [row.key for row in diff.changed().inputs])
    (shown,) = diff.changed().to_dict()["inputs"]  # type: ignore[misc, attr-defined]
    assert ("different", [0], [None, B]) == (shown["verdict"], shown["missing"], shown["values"])
    assert {"name": "extra", "digest": B, "kind": "md5", "context": "training", "size": None, "rows": None} == shown[
        "sets"
    ][1]


def test_facts_are_read_from_whatever_a_profile_holds() -> None:
    """MLflow's profiles are JSON of any shape; a broken one says nothing."""
    profiles = ['{"num_rows": 3, "size": 8}', '{"features_shape": [5, 2]}', '{"num_rows": "x"}', "[1]", "{", ""]

    facts = input_facts(InputRecord(str(place), A, profile=text) for place, text in enumerate(profiles))
    assert [(3, 8), (5, None), *[(None, None)] * 4] == [(fact.rows, fact.size) for fact in facts]
    assert {"md5"} == {fact.kind for fact in facts}
    assert 1 == len(input_facts([InputRecord("x", A), InputRecord("x", A, profile="{}")]))


SETS = st.builds(
    InputFacts,
    st.sampled_from(["x", "y", "z"]),
    st.sampled_from(["", "1", "2", "3"]),
    st.sampled_from(["", "md5", "pandas"]),
    st.sampled_from(["", "training", "validation"]),
    rows=st.sampled_from([None, 1, 2]),
)


@given(st.lists(st.lists(SETS, max_size=5), min_size=1, max_size=3))
def test_every_data_set_is_in_one_row(sides: list[list[InputFacts]]) -> None:
    """None is lost, none counted twice; and a run has the data it has itself."""
    rows = input_rows(sides)

    for place, side in enumerate(sides):
        listed = [row.facts[place] for row in rows if row.facts[place] is not None]
        assert sorted(map(repr, side)) == sorted(map(repr, listed))
    known = [fact for fact in sides[0] if fact.digest]
    assert (True if known else None) == same_data([known, known])


@given(st.lists(SETS, max_size=4), st.lists(SETS, max_size=4))
def test_the_order_of_data_sets_does_not_matter_to_runs_with_one_for_each_use(
    one: list[InputFacts], other: list[InputFacts]
) -> None:
    """Nor which run is the first."""
    one, other = (list({fact.context: fact for fact in side}.values()) for side in (one, other))
    verdict = same_data([one, other])

    assert {verdict} == {same_data([list(side), other]) for side in permutations(one)}
    assert verdict == same_data([other, one])
