"""What differs between a few runs, as a table: the baseline in its first column, the others with what changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from ledgit.compare import ArtifactRow, InputRow, Missing, Row, RunDiff, RunView, diff_runs, view_of
from ledgit.errors import LedgitError
from ledgit.records.harmless import clean
from ledgit.records.wording import duration, exact, moment
from ledgit.tui.data.difftexts import DASH, Piece, cells_of, counted, much
from ledgit.tui.data.repeats import Repeats, find_repeats

if TYPE_CHECKING:
    from ledgit.repository import Repository, Run
    from ledgit.tui.session import Session

__all__ = ["MOST_RUNS", "SECTIONS", "DiffLine", "Differences", "Piece", "code_of", "read_differences"]

MOST_RUNS = 8
#: Sections in the order they are shown in, and what they are called.
SECTIONS = {
    "run": "run",
    "metrics": "metrics",
    "params": "params",
    "tags": "tags",
    "code": "code",
    "inputs": "data",
    "artifacts": "artifacts",
    "environment": "environment",
}
_NOTE = "mlflow.note.content"
# Trees and patch ids say no more than the files do, to people.
_UNSAID = frozenset(("tree", "patch_id"))
_MOST_FILES = 2_000


class DiffLine(NamedTuple):
    """One line of the comparison; what it says is worked out when it is shown.

    Attributes:
        key: Unlike all others: ``metrics/loss``; ``""`` for the head of a section.
        section: One of :data:`SECTIONS`.
        title: What it is about.
        differs: Whether the runs differ in it.
        row: The values; None for a head, a fact or a file.
        texts: What the cells say where there is no row.
    """

    key: str
    section: str
    title: str
    differs: bool
    row: Row | None = None
    texts: tuple[str, ...] = ()


class Differences:
    """A comparison that was read.

    Attributes:
        runs: The runs, the baseline first.
        diff: What is in them.
        gone: Ids of runs that were deleted since.
        lacking: Ids of runs of which only their line is in this clone.
        between: For each run how many commits its code is (ahead of, behind) the baseline's; None where unknown.
        repeats: What the runs say as two samples; None where they are not repeats of two setups.
    """

    def __init__(
        self,
        runs: Sequence[Run],
        diff: RunDiff,
        files: Sequence[Mapping[str, tuple[int | None, int | None]]],
        between: Sequence[tuple[int, int] | None],
        *,
        gone: Iterable[str] = (),
        lacking: Iterable[str] = (),
        code_here: bool = True,
        repeats: Repeats | None = None,
    ) -> None:
        self.runs, self.diff, self.between = tuple(runs), diff, tuple(between)
        self.gone, self.lacking, self.code_here = frozenset(gone), frozenset(lacking), code_here
        self.files, self.repeats = tuple(files), repeats
        self._lines: list[DiffLine] | None = None

    @property
    def last(self) -> str:
        """What the column after those of the runs tells: ``change`` of two runs, ``repeats`` of samples; "": none."""
        return "change" if len(self.runs) == 2 else "repeats" if self.repeats is not None else ""

    @property
    def lines(self) -> list[DiffLine]:
        """All lines, equal ones too, without heads."""
        if self._lines is None:
            self._lines = [*self._facts(), *self._rows()]
        return self._lines

    def shown(self, *, equal: bool = False, text: str = "") -> list[DiffLine]:
        """Return the lines with a head before each section.

        Args:
            equal: Also those in which the runs don't differ.
            text: Only lines that have all words of it in what they are about, or say.
        """
        words = text.lower().split()
        found: list[DiffLine] = []
        for section, name in SECTIONS.items():
            whole = [line for line in self.lines if line.section == section]
            lines = [
                line for line in whole if (equal or line.differs) and all(self._says(line, word) for word in words)
            ]
            if not lines and (words or not whole or section == "run"):
                continue
            found.append(DiffLine("", section, f"{name}{self._about(section, whole)}", True))
            found += lines
        return found

    def _about(self, section: str, lines: Sequence[DiffLine]) -> str:
        if section == "run":
            return ""
        differing = sum(line.differs for line in lines)
        if section == "inputs":
            return {True: " · the same", False: " · different", None: " · it can't be told whether the same"}[
                self.diff.same_data
            ]
        if section == "code" and not self.code_here:
            return " · not all of it is in this clone"
        if section == "code" and self.diff.same_code:
            return " · the same files"
        return f" · {differing} of {len(lines)} differ" if differing else f" · all {len(lines)} the same"

    def _says(self, line: DiffLine, word: str) -> bool:
        return (
            word in line.title.lower()
            or word in SECTIONS[line.section]
            or any(word in text.lower() for text in self.values(line))
        )

    # ------------------------------------------------------------------ lines

    def _facts(self) -> Iterable[DiffLine]:
        facts: dict[str, list[str]] = {
            "id": [run.id[:8] for run in self.runs],
            "status": ["lost" if run.lost else run.status.lower() for run in self.runs],
            "experiment": [run.experiment for run in self.runs],
            "started": [moment(run.start)[:16].replace("T", " ") for run in self.runs],
            "duration": [duration(run.duration) for run in self.runs],
            "user": [run.user for run in self.runs],
        }
        for name, texts in facts.items():
            # Two runs always have other ids and times: that is no news, but which is which is.
            yield DiffLine(f"run/{name}", "run", name, len(set(texts)) > 1, None, tuple(texts))

    def _rows(self) -> Iterable[DiffLine]:
        for section in SECTIONS:
            if section == "run":
                continue
            for row in self.diff.section(section):
                if row.key not in _UNSAID or section != "code":
                    title = "note" if section == "tags" and row.key == _NOTE else row.key.removeprefix("packages.")
                    yield DiffLine(f"{section}/{row.key}", section, title, row.differs, row)
            if section == "code":
                yield from self._code()

    def _code(self) -> Iterable[DiffLine]:
        if any(pair not in (None, (0, 0)) for pair in self.between[1:]):
            texts = tuple("" if pair is None else f"+{pair[0]} -{pair[1]}" for pair in self.between[1:])
            yield DiffLine("code/commits between", "code", "commits between", True, None, ("", *texts))
        paths = sorted({path for files in self.files for path in files})
        for path in paths[:_MOST_FILES]:
            texts = tuple(counted(files[path]) if path in files else "" for files in self.files)
            yield DiffLine(f"file/{path}", "code", path, True, None, texts)
        if len(paths) > _MOST_FILES:
            more = f"{len(paths) - _MOST_FILES} more files"
            yield DiffLine("code/more", "code", more, True, None, ("",) * len(self.runs))

    # ------------------------------------------------------------------ cells

    def pieces(self, line: DiffLine, *, percent: bool = False) -> list[Piece]:
        """Return what stands in a line's cells: one for each run, and of two runs one for what changed."""
        row = line.row
        if row is None:
            cells = [Piece(text, "dim" if line.section == "run" and line.title == "id" else "") for text in line.texts]
            return [*cells, Piece("")] if self.last else cells
        cells = cells_of(row, pair=self.last == "change", percent=percent)
        if self.repeats is not None:
            cells.append(self.repeats.word(row.key) if line.section == "metrics" else Piece(""))
        return cells

    def values(self, line: DiffLine) -> list[str]:
        """Return all of what a line says of each run, with every digit and uncut."""
        row = line.row
        if row is None:
            return list(line.texts)
        if isinstance(row, InputRow):
            return [
                DASH
                if fact is None
                else " ".join(part for part in (clean(fact.name), fact.digest, fact.kind, much(fact)) if part)
                for fact in row.facts
            ]
        if isinstance(row, ArtifactRow):
            return [
                DASH if size_of is None else f"{cell} {size_of:,} bytes"
                for cell, size_of in zip(row.cells, row.sizes, strict=True)
            ]
        return [DASH if isinstance(cell, Missing) else exact(cell) for cell in row.cells]

    # ------------------------------------------------------------------ in a word

    def verdict(self) -> list[Piece]:
        """Return what differs in one line, the most important first."""
        if len(self.runs) < 2:
            return [Piece("nothing to compare with", "dim")]
        pieces = self._metric_words()
        params = sum(row.differs for row in self.diff.params)
        said = f"{params} param{'s differ' if params > 1 else ' differs'}" if params else "same params"
        pieces.append(Piece(said, "" if params else "dim"))
        pieces.append(self._code_word())
        same = self.diff.same_data
        data = {True: ("same data", "good"), None: ("data can't be compared", "dim"), False: ("other data", "warn")}
        pieces.append(Piece(*data[same]))
        packages = sum(row.differs for row in self.diff.environment)
        if packages:
            pieces.append(Piece(f"environment differs in {packages}", "dim"))
        if self.lacking:
            pieces.append(Piece(f"{len(self.lacking)} not pulled whole", "warn"))
        if self.gone:
            pieces.append(Piece(f"{len(self.gone)} deleted meanwhile", "bad"))
        return pieces

    def _metric_words(self) -> list[Piece]:
        if self.repeats is not None:
            return self.repeats.verdict()
        pieces: list[Piece] = []
        better = worse = other = 0
        for row in self.diff.metrics:
            if not row.differs:
                continue
            verdicts = {row.better(place) for place in range(1, len(row.cells))}
            better += verdicts in ({True}, {True, None})
            worse += verdicts in ({False}, {False, None})
            other += verdicts in ({None}, {True, False}, {True, False, None})
        for count, what, style in ((better, "better", "good"), (worse, "worse", "bad"), (other, "other", "dim")):
            if count:
                pieces.append(Piece(f"{count} metric{'s' if count > 1 else ''} {what}", style))
        if not better + worse + other:
            pieces.append(Piece("same metrics" if self.diff.metrics else "no metrics", "dim"))
        return pieces

    def _code_word(self) -> Piece:
        if self.diff.same_code:
            return Piece("same code", "good")
        paths = {path for files in self.files for path in files}
        if paths:
            more = len(paths) > 1
            return Piece(f"{len(paths)} file{'s' if more else ''} of code differ{'' if more else 's'}", "warn")
        return Piece("code unknown" if self.diff.same_code is None else "other code", "dim")


def read_differences(session: Session, ids: Sequence[str], before: Differences | None = None) -> Differences:
    """Read the runs *ids* and compare them. Call it in a thread.

    A run that is gone is shown as it was *before*; one that was never seen is left out.
    """
    repository = session.repository
    repository.index.refresh()
    runs, views, gone, lacking = [], [], [], []
    known = {} if before is None else dict(zip([run.id for run in before.runs], before.diff.runs, strict=True))
    old = {} if before is None else {run.id: run for run in before.runs}
    for run_id in dict.fromkeys(ids):
        run = _run(repository, run_id)
        if run is None:
            if run_id in known:
                gone.append(run_id)
                runs.append(old[run_id])
                views.append(known[run_id])
            continue
        try:
            views.append(view_of(run.record(), run.name, run.tags))
        except (LedgitError, OSError):
            views.append(_outline(run))
            lacking.append(run_id)
        runs.append(run)
    diff = diff_runs(views, session.directions)
    files, here = _files(repository, runs)
    between = _between(repository, runs)
    repeats = find_repeats(repository, runs, diff)
    return Differences(runs, diff, files, between, gone=gone, lacking=lacking, code_here=here, repeats=repeats)


def _run(repository: Repository, run_id: str) -> Run | None:
    from ledgit.run import Run

    state = repository.index.get(run_id)
    return None if state is None else Run(repository, state)


def _outline(run: Run) -> RunView:
    """Return what a run's line says, where the run itself is not in this clone or does not decode."""
    code = run.code
    facts = {"commit": code.commit, "branch": code.branch, "tree": code.tree, "dirty": code.dirty}
    return RunView(
        id=run.id,
        name=run.name,
        params=run.params,
        metrics=run.metrics,
        tags=run.tags,
        code={key: value for key, value in facts.items() if value not in (None, "")},
    )


def code_of(run: Run) -> str | None:
    """Return the commit or tree that has the run's code as it was: its own commit, or the snapshot of an active run."""
    return run.head or run.code.tree


def _files(repository: Repository, runs: Sequence[Run]) -> tuple[list[dict[str, tuple[int | None, int | None]]], bool]:
    from ledgit.store.checkout import code_changes, has_tree

    found: list[dict[str, tuple[int | None, int | None]]] = [{} for _ in runs]
    here = True
    old = code_of(runs[0]) if runs else None
    for place, run in enumerate(runs[1:], 1):
        new = code_of(run)
        if runs[0].code.tree is not None and run.code.tree == runs[0].code.tree:
            continue
        try:
            if old is None or new is None or not (has_tree(repository.repo, old) and has_tree(repository.repo, new)):
                here = False
                continue
            changes = code_changes(repository.repo, old, new)
        except (LedgitError, OSError):
            here = False
            continue
        found[place] = {change.path: (change.added, change.removed) for change in changes}
    return found, here


def _between(repository: Repository, runs: Sequence[Run]) -> list[tuple[int, int] | None]:
    from ledgit.git import ahead_behind

    base = runs[0].code.commit if runs else None
    counted: dict[str, tuple[int, int] | None] = {}
    for run in runs[1:]:
        commit = run.code.commit
        if base and commit and commit not in counted:
            counted[commit] = (0, 0) if commit == base else ahead_behind(repository.repo, base, commit)
    return [None, *(counted.get(run.code.commit or "") for run in runs[1:])]
