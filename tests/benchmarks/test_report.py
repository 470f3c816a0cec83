"""The benchmarks' report: a wrong ratio would be believed."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest
from benchmarks.case import Case, Command, Subject, Target
from benchmarks.cases import CASES, LARGE
from benchmarks.measure import Timing, middle, timed
from benchmarks.run import BEGIN, END, LARGE_BEGIN, LARGE_END, measure, write_report
from benchmarks.table import case_table, human, reached, shown, targets_table

RESULTS = {"ours": {"one": Timing(0.002, 0.001)}, "theirs": {"one": Timing(0.008)}}
CASE = Case("A case", "As small as can be.", [Subject("ours", lambda _: {}), Subject("theirs", lambda _: {})], [])


def case(name: str) -> Case:
    found = import_module(f"benchmarks.cases.{name}").CASE
    assert isinstance(found, Case)
    return found


@pytest.mark.parametrize("name", [*CASES, *LARGE])
def test_targets_speak_of_subjects_that_are_measured(name: str) -> None:
    """A misspelled name would read as 'not measured'."""
    subjects = {subject.name for subject in case(name).subjects}

    assert case(name).targets
    for target in case(name).targets:
        assert {target.subject, target.baseline or target.subject} <= subjects


@pytest.mark.parametrize(
    ("target", "value", "text"),
    [
        (Target("", "one", "ours", 1), 0.002, "2 ms"),
        (Target("", "one", "ours", 1, "theirs"), 0.25, "0.25×"),
        (Target("", "one", "ours", 1, "theirs", rate=True), 0.25, "4.00×"),
        (Target("", "one", "theirs", 1, "ours", minus=True), 0.006, "6 ms"),
        (Target("", "one", "mlflow", 1), None, "not measured"),
        (Target("", "one", "ours", 1, "mlflow"), None, "not measured"),
        (Target("", "other", "ours", 1), None, "not measured"),
    ],
)
def test_a_target_is_a_time_a_ratio_a_rate_or_a_difference(target: Target, value: float | None, text: str) -> None:
    """Whatever the text of the target speaks of."""
    found = reached(target, RESULTS)

    assert value == (None if found is None else pytest.approx(value))
    assert text == shown(target, found)


def test_a_missed_target_is_seen() -> None:
    """The report does not look away."""
    missed = Target("be quick", "one", "ours", 0.001)
    met = Target("be quicker than theirs", "one", "ours", 0.5, "theirs")

    table = targets_table([(Case("", "", CASE.subjects, [missed, met]), RESULTS)])

    assert "| be quick | 2 ms | **no** |\n| be quicker than theirs | 0.25× | yes |\n" in table


def test_a_case_shows_times_cpu_and_ratios_to_the_first_subject() -> None:
    """One row a subject."""
    rows = case_table(CASE, RESULTS).splitlines()

    assert "| ours | 2 ms | 1 ms | 1.00 |" in rows
    assert "| theirs | 8 ms |  | 4.00 |" in rows


def test_bytes_are_written_as_bytes() -> None:
    """A case may measure size instead of time."""
    sizes = Case("Size", "", CASE.subjects, [Target("small", "one", "ours", 3_000)], unit="B")
    results = {"ours": {"one": Timing(2_500.0)}, "theirs": {"one": Timing(5_000_000.0)}}

    assert "| small | 2.5 KB | yes |" in targets_table([(sizes, results)])
    assert "| theirs | 5 MB | 2000.00 |" in case_table(sizes, results)


@pytest.mark.parametrize(
    ("seconds", "text"), [(2.5, "2.5 s"), (0.0123, "12.3 ms"), (4.2e-6, "4.2 µs"), (-0.002, "-2 ms")]
)
def test_times_have_three_digits_and_a_fitting_unit(seconds: float, text: str) -> None:
    """As people write them."""
    assert text == human(seconds)


def test_the_middle_is_the_median_of_each_clock() -> None:
    """One slow round changes nothing."""
    assert Timing(2.0, 0.5) == middle([Timing(9.0, 0.5), Timing(1.0, 0.9), Timing(2.0, 0.1)])
    assert Timing(1.0, None) == middle([Timing(1.0)])


def test_cpu_time_is_no_more_than_there_was() -> None:
    """The clocks are read around the work alone."""
    timing = timed(lambda: sum(range(200_000)))

    assert timing.cpu is not None
    assert 0 < timing.cpu < timing.wall + 0.05


def test_commands_are_timed_in_the_folder_that_was_prepared(tmp_path: Path) -> None:
    """From start to exit, and a failing one is an error with its words."""
    code = "import pathlib; assert pathlib.Path('ready').exists(), 'nobody prepared this'"

    def prepare(folder: Path, _python: str) -> None:
        (folder / "ready").touch()

    whole = Case("", "", [Command("check", ["{python}", "-c", code])], [], prepare=prepare, shared=True)
    unprepared = Case("", "", whole.subjects, [], shared=True)
    pythons = {"": "python", "ledgit": "python", "mlflow": None}
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()

    results = measure("x", whole, tmp_path / "one", pythons, 2)

    assert results["check"]["process"].wall > 0
    with pytest.raises(RuntimeError, match="nobody prepared this"):
        measure("x", unprepared, tmp_path / "two", pythons, 1)


def test_the_report_replaces_what_stands_between_the_marks(tmp_path: Path) -> None:
    """The prose around it stays."""
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")

    write_report(page, "new\n")

    assert f"before\n{BEGIN}\n\nnew\n\n{END}\nafter\n" == page.read_text()
    page.write_text(f"{page.read_text()}{LARGE_BEGIN}{LARGE_END}\n")
    write_report(page, "large\n", (LARGE_BEGIN, LARGE_END))
    assert f"{BEGIN}\n\nnew\n\n{END}\nafter\n{LARGE_BEGIN}\n\nlarge\n\n{LARGE_END}\n" in page.read_text()
