"""A review's charts as files: SVG always, PNG where Matplotlib is installed. Opt-in: who has one's address sees it."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Sequence
from hashlib import sha256

from ledgit.compare import reduce_points
from ledgit.errors import StorageError
from ledgit.records.harmless import clean, fit
from ledgit.review.charts import line_chart

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ledgit.records import Points
    from ledgit.review.reviewing import Review

__all__ = ["addresses", "write_images"]

_MOST = 1_000


def write_images(found: Review, folder: str) -> list[str]:
    """Write a drawing of each history into *folder*, made if it is not there; return their names, PNG before SVG.

    Raises:
        StorageError: One can't be written.
    """
    names = []
    try:
        os.makedirs(folder, exist_ok=True)
        for metric, (base, head) in found.charts.items():
            sides = [None if one is None else reduce_points(one.sorted_unique(), _MOST) for one in (base, head)]
            stem = _stem(metric)
            with open(os.path.join(folder, f"{stem}.svg"), "w", encoding="utf-8") as file:
                file.write(line_chart(*sides, standalone=True))
            png = _png(metric, sides, os.path.join(folder, f"{stem}.png"))
            names.append(f"{stem}.{'png' if png else 'svg'}")
    except OSError as error:
        raise StorageError(error.filename or folder, error.strerror or str(error)) from None
    return names


def addresses(names: Sequence[str], prefix: str) -> list[str]:
    """Return where the files *names* are, below the address *prefix*."""
    return [f"{prefix.rstrip('/')}/{name}" for name in names]


def _stem(metric: str) -> str:
    """Return a name for the files of *metric*: of plain characters, and of no other metric's."""
    plain = re.sub(r"[^a-z0-9_-]+", "-", metric.lower()).strip("-")[:60]
    if plain == metric:
        return plain
    return f"{plain or 'metric'}-{sha256(metric.encode('utf-8', 'backslashreplace')).hexdigest()[:8]}"


def _png(metric: str, sides: Sequence[Points | None], path: str) -> bool:
    """Draw a PNG and return whether that was done: Matplotlib is not needed for anything else."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return False
    figure = Figure(figsize=(6, 2.6), dpi=110, layout="constrained")
    axes = figure.add_subplot()
    for points, name, colour in zip(sides, ("baseline", "head"), ("#6e7781", "#0969da"), strict=True):
        if points is None or not len(points):
            continue
        # Beyond that the axis's own arithmetic overflows.
        values = [value if math.isfinite(value) and abs(value) < 1e300 else math.nan for value in points.values]
        axes.plot(list(points.steps), values, color=colour, label=name, marker="o" if len(points) == 1 else "")
    # A dollar sign would begin a formula.
    axes.set_title(fit(clean(metric), 70), fontsize=9, parse_math=False)
    axes.set_xlabel("step", fontsize=8)
    axes.grid(visible=True, color="#d8dee4")
    axes.legend(fontsize=8)
    figure.savefig(path, format="png")
    return True
