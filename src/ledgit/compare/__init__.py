"""What differs between runs, which way is better, and histories made small. Pure: no I/O, no Git."""

from ledgit.compare.diff import SECTIONS, ArtifactRow, MetricRow, RunDiff, diff_runs
from ledgit.compare.direction import Direction, direction
from ledgit.compare.htmlview import run_html, runs_html
from ledgit.compare.inputs import InputRow, compare_inputs, input_facts, input_rows
from ledgit.compare.reduce import extremes, reduce_points
from ledgit.compare.rows import Row
from ledgit.compare.samples import SampleComparison, compare_samples
from ledgit.compare.sparkline import sparkline
from ledgit.compare.view import MISSING, ArtifactFacts, Cell, InputFacts, Missing, RunView, Value
from ledgit.compare.viewing import view_of

__all__ = [
    "MISSING",
    "SECTIONS",
    "ArtifactFacts",
    "ArtifactRow",
    "Cell",
    "Direction",
    "InputFacts",
    "InputRow",
    "MetricRow",
    "Missing",
    "Row",
    "RunDiff",
    "RunView",
    "SampleComparison",
    "Value",
    "compare_inputs",
    "compare_samples",
    "diff_runs",
    "direction",
    "extremes",
    "input_facts",
    "input_rows",
    "reduce_points",
    "run_html",
    "runs_html",
    "sparkline",
    "view_of",
]
