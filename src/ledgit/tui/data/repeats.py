"""Runs that were repeated: of two setups that were compared, what the repeats of each say together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from ledgit.compare import RunDiff
from ledgit.errors import LedgitError
from ledgit.tui.data.difftexts import Piece

if TYPE_CHECKING:
    from ledgit.repository import Repository, Run
    from ledgit.review import MetricComparison

__all__ = ["Repeats", "find_repeats"]


#: Metrics that are looked at: a test of each takes a millisecond.
_MOST = 1_000


class Repeats(NamedTuple):
    """Two setups, at least one of them run more than once.

    Attributes:
        base: Places of the runs that are repeats of the first one, that one included.
        head: Places of the others.
        metrics: What the two samples say of each metric that differs; of very many, of the first.
        problem: Why they can't be compared as samples: a library is not installed; "" when they can.
    """

    base: tuple[int, ...]
    head: tuple[int, ...]
    metrics: Mapping[str, MetricComparison]
    problem: str = ""

    def word(self, metric: str) -> Piece:
        """Return what to think of a metric, in a few words."""
        found = self.metrics.get(metric)
        if found is None or found.samples.difference is None:
            return Piece("")
        samples = found.samples
        if not samples.difference:
            return Piece("=", "dim")
        delta = f"{samples.difference:+.3g}"
        if samples.significant is None:
            return Piece(f"{delta}  not enough repeats to tell", "dim")
        if not samples.significant:
            return Piece(f"{delta}  can be chance (p = {samples.p_value:.2g})", "dim")
        word, style = {True: ("▲ better", "good"), False: ("▼ worse", "bad"), None: ("differs", "")}[found.better]
        return Piece(f"{word} {delta}  p = {samples.p_value:.2g}", style)

    def sentence(self, metric: str) -> str:
        """Return means, spreads and what can be said of their difference."""
        from ledgit.review.wording import cells, chance

        found = self.metrics.get(metric)
        if found is None:
            return ""
        told = chance(found) or ("not enough repeats to tell" if found.samples.significant is None else "")
        return "  ".join(part for part in (" → ".join(cells(found)), told) if part)

    def verdict(self) -> list[Piece]:
        """Return how many metrics differ by more than chance."""
        sides = f"{len(self.base)} against {len(self.head)} repeats"
        if self.problem:
            return [Piece(f"{sides}: {self.problem}", "warn")]
        pieces = [Piece(sides)]
        told = [one for one in self.metrics.values() if one.samples.difference]
        sure = [one for one in told if one.samples.significant]
        more = "first " if len(self.metrics) == _MOST else ""
        counts = (
            (sum(one.better is True for one in sure), "better", "good"),
            (sum(one.better is False for one in sure), "worse", "bad"),
            (sum(one.better is None for one in sure), "other", "dim"),
            (sum(one.samples.significant is False for one in told), "by chance perhaps", "dim"),
            (sum(one.samples.significant is None for one in told), "with not enough repeats to tell", "dim"),
        )
        pieces += [
            Piece(f"{count} {more}metric{'s' if count > 1 else ''} {what}", style)
            for count, what, style in counts
            if count
        ]
        return pieces if len(pieces) > 1 else [*pieces, Piece("same metrics", "dim")]


def find_repeats(repository: Repository, runs: Sequence[Run], diff: RunDiff) -> Repeats | None:
    """Return the samples that *runs* are; None where they are not two setups, or neither was repeated.

    Repeats are runs of one experiment and of the same code with the same params, but for seeds
    (``review: seeds:`` in ``.ledgit/config.yaml`` says which params those are).
    """
    from ledgit.errors import MissingDependency
    from ledgit.review.gates import compare_metric
    from ledgit.review.settings import SEEDS, read_committed
    from ledgit.review.sides import same_setup

    if len(runs) < 3:
        return None
    try:
        seeds = read_committed(repository.repo).seeds
    except LedgitError:  # the commands say what is wrong with it
        seeds = SEEDS
    groups: list[list[int]] = []
    for place, run in enumerate(runs):
        for group in groups:
            first = runs[group[0]]
            if first.code.tree == run.code.tree and same_setup(first, run, seeds):
                group.append(place)
                break
        else:
            groups.append([place])
    if len(groups) != 2:
        return None
    base, head = groups
    found: dict[str, MetricComparison] = {}
    try:
        for row in [row for row in diff.metrics if row.differs][:_MOST]:
            one, other = (
                [float(cell) for place in group if isinstance(cell := row.cells[place], int | float)]
                for group in (base, head)
            )
            sizes = (len(base), len(head))
            found[row.key] = compare_metric(row.key, one, other, runs=sizes, direction=row.direction)
    except MissingDependency as error:
        return Repeats(tuple(base), tuple(head), {}, str(error))
    return Repeats(tuple(base), tuple(head), found)
