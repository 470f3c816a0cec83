"""A review as Markdown for GitHub and GitLab: the verdict first, details folded, never too long to be posted.

Limits: GitHub refuses a comment of more than 65,536 characters, a job's summary above 1 MiB. A report keeps below
60,000 by leaving out whole sections, the least important first, and says which.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ledgit.compare import Missing, sparkline
from ledgit.records.harmless import clean
from ledgit.records.wording import number, scalar
from ledgit.review.escaping import code, fence, marker_name, md
from ledgit.review.wording import cells, chance, change, failing, gate_word, headline, how_to, runs_word, sides

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ledgit.compare import Cell, Row
    from ledgit.records import Points
    from ledgit.review.gates import MetricComparison
    from ledgit.review.in_kind import KindDiff
    from ledgit.review.reviewing import Review

__all__ = ["BUDGET", "marker", "render_markdown", "within_block"]

#: Characters of a whole report.
BUDGET = 60_000
_ROWS = 50
_NAMES = 5
# Lines of the difference within an artifact.
_HUNK = 12


@dataclass(frozen=True, slots=True)
class _Section:
    """A part of the report; what is more important goes last when there is no room."""

    name: str
    importance: int
    text: str


def marker(project: str, report: str = "") -> str:
    """Return the hidden line by which a later report finds the comment of this one.

    Args:
        project: Of what: reports of several projects in one repository don't overwrite each other.
        report: Which of several reports of it.
    """
    return f"<!-- ledgit-report: {marker_name(project)}{'/' + marker_name(report) if report else ''} -->"


def render_markdown(found: Review, *, budget: int = BUDGET, report: str = "", images: Sequence[str] = ()) -> str:
    """Return the report.

    Args:
        found: The review.
        budget: The most characters.
        report: Which of several reports of the project; it goes into the title and the marker.
        images: Addresses of pictures to show; opt-in, for a picture behind an address can be seen by who has that.
    """
    head = _top(found, report)
    sections = [section for section in _sections(found, images) if section.text]
    foot = f"\n<sub>{md(_foot(found))}</sub>\n"
    out: list[str] = []
    kept = list(sections)
    while True:
        body = "\n".join([head, *(section.text for section in kept), *([_left_out(out)] if out else []), foot])
        if len(body) <= budget or not kept:
            return body if len(body) <= budget else _cut(head, foot, budget)
        least = min(kept, key=lambda section: section.importance)
        kept.remove(least)
        out.append(least.name)


def _cut(head: str, foot: str, budget: int) -> str:
    """Return what is left where even the first part is too long: whole lines of it."""
    kept, used = [], len(foot) + 1
    for line in head.splitlines():
        used += len(line) + 1
        if used > budget:
            break
        kept.append(line)
    return "\n".join([*kept, foot])[:budget]


def _left_out(names: Sequence[str]) -> str:
    return f"\n_Left out for length: {md(', '.join(names))}. `ledgit report -o report.html` has more._\n"


def _top(found: Review, report: str) -> str:
    title = f"{found.project} {report}".strip()
    lines = [marker(found.project, report), f"### {md(headline(found))}", ""]
    bad = failing(found)
    lines += [f"- **{gate_word(result)}** {md(result.reason)}" for result in bad[:_ROWS]]
    if len(bad) > _ROWS:
        lines.append(f"- and {len(bad) - _ROWS} more")
    if bad:
        lines.append("")
    for name, what, runs in sides(found):
        shown = ", ".join(code(run) for run in runs[:_NAMES])
        more = f" and {len(runs) - _NAMES} more" if len(runs) > _NAMES else ""
        lines.append(f"**{name}** {md(what)}{': ' if runs else ''}{shown}{more}{'' if runs else ' — no run'}  ")
    same = _same(found)
    if same:
        lines.append(f"{md(title)}: {same}  ")
    lines += ["", *(f"> {md(note)}  " for note in found.notes)]
    return "\n".join(lines)


def _same(found: Review) -> str:
    """Return which of code, data and environment are the same."""
    if found.diff is None:
        return ""
    words = []
    for name, same in (
        ("code", found.files == () if found.files is not None else None),
        ("data", found.diff.same_data),
        ("environment", not any(row.differs for row in found.diff.environment) if found.whole else None),
        ("params", not any(row.differs for row in found.diff.params)),
    ):
        words.append(f"{name} {'the same' if same else 'not known' if same is None else 'differs'}")
    return " · ".join(words)


def _sections(found: Review, images: Sequence[str]) -> Iterable[_Section]:
    changed = [one for one in found.metrics if one.changed or found.gate_of(one.name)]
    same = [one for one in found.metrics if one not in changed]
    yield _Section("metrics", 100, _metrics("Metrics", changed, found, folded=False))
    if images:
        yield _Section("images", 20, "\n".join(f"![chart]({image})" for image in images if _is_address(image)))
    diff = found.diff
    if diff is not None:
        yield _Section("params", 90, _rows("Params that differ", diff.params))
        yield _Section("data", 80, _data(found))
        yield _Section("files of code", 70, _files(found))
        yield _Section("environment", 50, _rows("Environment that differs", diff.environment))
        yield _Section("artifacts", 40, _artifacts(found))
        yield _Section("within artifacts", 25, _contents(found))
    elif found.files:
        yield _Section("files of code", 70, _files(found))
    yield _Section("changed lines", 30, _patch(found))
    yield _Section("histories", 45, _charts(found))
    yield _Section("metrics that are the same", 10, _metrics("Metrics that did not change", same, found, folded=True))
    yield _Section("runs of the branch", 35, _branch(found))
    yield _Section("how to look closer", 60, _folded("How to look closer", fence("\n".join(how_to(found)), "sh")))


def _is_address(text: str) -> bool:
    return text.startswith(("https://", "http://")) and not any(char in text for char in " <>()\"'\n|`\\")


def _folded(title: str, body: str, *, opened: bool = False) -> str:
    return f"<details{' open' if opened else ''}><summary>{title}</summary>\n\n{body}\n\n</details>\n" if body else ""


def _table(titles: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> str:
    if not rows:
        return ""
    line = "|".join("---:" if place in right else "---" for place in range(len(titles)))
    lines = [f"| {' | '.join(titles)} |", f"|{line}|", *(f"| {' | '.join(row)} |" for row in rows[:_ROWS])]
    if len(rows) > _ROWS:
        lines.append(f"\nand {len(rows) - _ROWS:,} more")
    return "\n".join(lines)


def _metrics(title: str, metrics: Sequence[MetricComparison], found: Review, *, folded: bool) -> str:
    rows = []
    for one in metrics:
        base, head = cells(one)
        difference, part = change(one)
        way = {"maximize": "↑", "minimize": "↓", None: ""}[one.direction] + ("?" if one.guessed else "")
        mark = {True: "better", False: "worse", None: ""}[one.better]
        result = found.gate_of(one.name)
        gate = "" if result is None else gate_word(result)
        said = chance(one)
        rows.append(
            [code(one.name, cell=True), way, md(base), md(head), md(difference), md(part), mark, gate, md(said)]
        )
    titles = ["metric", "", "baseline", "head", "Δ", "Δ%", "", "gate", "repeats"]
    keep = [place for place in range(len(titles)) if place < 6 or any(row[place] for row in rows)]
    right = [at for at, place in enumerate(keep) if place in (2, 3, 4, 5)]
    table = _table([titles[place] for place in keep], [[row[place] for place in keep] for row in rows], right)
    guessed = "\n\n_“?”: which way is better was told from the name; `metrics:` in `.ledgit/config.yaml` declares it._"
    table += guessed if table and any(one.guessed for one in metrics[:_ROWS]) else ""
    return _folded(f"{title} ({len(metrics)})", table) if folded else table and f"\n{table}\n"


def _cell(cell: Cell) -> str:
    return "–" if isinstance(cell, Missing) else code(scalar(cell), cell=True)


def _rows(title: str, rows: Iterable[Row]) -> str:
    differing = [row for row in rows if row.differs]
    shown = [[code(row.key, cell=True), *(_cell(cell) for cell in row.cells)] for row in differing]
    opened = len(differing) <= 10 and title.startswith("Params")
    return _folded(f"{title} ({len(differing)})", _table(["", "baseline", "head"], shown), opened=opened)


def _data(found: Review) -> str:
    assert found.diff is not None
    differing = [row for row in found.diff.inputs if row.differs]
    rows = [[code(row.key, cell=True), *(_cell(cell) for cell in row.cells), row.verdict] for row in differing]
    return _folded(f"Data that differs ({len(differing)})", _table(["", "baseline", "head", ""], rows))


def _artifacts(found: Review) -> str:
    assert found.diff is not None
    differing = [row for row in found.diff.artifacts if row.differs]
    rows = []
    for row in differing:
        sizes = ["–" if size is None else f"{size:,} B" for size in row.sizes]
        rows.append([code(row.key, cell=True), *sizes])
    return _folded(f"Artifacts that differ ({len(differing)})", _table(["", "baseline", "head"], rows, (1, 2)))


def _contents(found: Review) -> str:
    """Return what differs within artifacts whose content is here, a few lines of each."""
    shown = [one for one in found.contents if one.kind != "not here"]
    return _folded(f"Within artifacts ({len(shown)})", within_block(shown)) if shown else ""


def within_block(contents: Sequence[KindDiff]) -> str:
    """Return a block of code with a few lines of each of *contents*."""
    lines = []
    for one in contents:
        more = len(one.lines) - _HUNK + one.more
        lines += [f"# {one.path}: {one.summary}", *one.lines[:_HUNK], *([f"# {more} more lines"] if more > 0 else [])]
    return fence("\n".join(clean(line) for line in lines), "diff")


def _files(found: Review) -> str:
    if not found.files:
        return ""
    rows = []
    for one in found.files:
        path = one.path if one.old_path is None else f"{one.old_path} → {one.path}"
        counts = ["binary" if count is None else str(count) for count in (one.added, one.removed)]
        rows.append([code(path, cell=True), *counts])
    return _folded(f"Files of code that differ ({len(rows)})", _table(["", "added", "removed"], rows, (1, 2)))


def _patch(found: Review) -> str:
    return _folded("Changed lines in the declared code paths", fence(found.patch, "diff")) if found.patch else ""


def _charts(found: Review) -> str:
    lines = []
    for name, (base, head) in found.charts.items():
        lines += [clean(name), *_line("baseline", base), *_line("head", head)]
    return _folded(f"Histories ({len(found.charts)})", fence("\n".join(lines))) if lines else ""


def _line(side: str, points: Points | None) -> Iterable[str]:
    if points is None or not len(points):
        return
    values = list(points.values)
    last, step, _ = points.latest()
    yield f"  {side:<8} {sparkline(values, 40)}  {number(last)} at step {step}"


def _branch(found: Review) -> str:
    metrics = [one.name for one in found.metrics if not one.name.startswith("system/")][:4]
    rows = []
    for one in found.branch:
        values = ["–" if name not in one.run.metrics else number(one.run.metrics[name]) for name in metrics]
        rows.append([code(one.run.name, cell=True), one.run.status.lower(), code(one.commit[:8]), *values])
    titles = ["run", "", "commit", *(code(name, 30, cell=True) for name in metrics)]
    return _folded(f"Runs of this branch ({runs_word(len(rows))})", _table(titles, rows))


def _foot(found: Review) -> str:
    from ledgit._version import __version__

    newest = found.head.newest
    of = f" · run {newest.id[:8]}" if newest is not None else ""
    return f"Ledgit {__version__}{of} · {found.range.commits[:25]}"
