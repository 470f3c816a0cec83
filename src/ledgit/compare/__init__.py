"""What differs between runs, which way is better, and histories made small. Pure: no I/O, no Git."""

from ledgit.compare.diff import SECTIONS, ArtifactRow, MetricRow, Row, RunDiff, diff_runs
from ledgit.compare.direction import Direction, direction
from ledgit.compare.reduce import reduce_points
from ledgit.compare.sparkline import sparkline
from ledgit.compare.view import MISSING, ArtifactFacts, Cell, Missing, RunView, Value, view_of

__all__ = [
    "MISSING",
    "SECTIONS",
    "ArtifactFacts",
    "ArtifactRow",
    "Cell",
    "Direction",
    "MetricRow",
    "Missing",
    "Row",
    "RunDiff",
    "RunView",
    "Value",
    "diff_runs",
    "direction",
    "reduce_points",
    "sparkline",
    "view_of",
]
