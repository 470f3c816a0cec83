"""What ``check`` and ``report`` have in common: the range, the settings, the review, and its text."""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING

from ledgit.cli import context, render, terminal
from ledgit.cli.text import Style, clean
from ledgit.errors import StorageError, UsageError

if TYPE_CHECKING:
    from ledgit.repository import Repository
    from ledgit.review import Review, ReviewSettings
    from ledgit.review.foreign import ForeignLedger

__all__ = ["add_range", "gates_given", "lines", "make", "settings_of", "write_file"]


def add_range(parser: argparse.ArgumentParser) -> None:
    """Declare the range and what is compared with."""
    parser.add_argument(
        "range",
        metavar="RANGE",
        nargs="?",
        default="",
        help="BASE...HEAD: HEAD against where it left BASE; BASE..HEAD: against BASE; HEAD alone: against the"
        " branch it goes into (default: HEAD)",
    )
    parser.add_argument("--baseline", metavar="RUN", help="compare with this run, or NAME@STAGE of the registry")
    parser.add_argument("--experiment", metavar="NAME", help="only runs of this experiment")
    parser.add_argument("--all-runs", action="store_true", help="all runs of the code, not the newest's repeats alone")
    parser.add_argument("--clean", action="store_true", help="runs with uncommitted changes don't count")
    parser.add_argument(
        "--pull", action="store_true", help="get the remote's runs first, and the base's branch if it is not here"
    )
    parser.add_argument(
        "--ledger", metavar="URL", default="", help="the head's runs are in this repository's ledger, as a fork's are"
    )
    parser.add_argument("--project", metavar="NAME", default="", help="what reports are told apart by")


def settings_of(repository: Repository, args: argparse.Namespace) -> ReviewSettings:
    """Return what the committed file says, with what *args* say on top.

    Raises:
        ConfigError, RecordError: The file says something impossible.
    """
    from dataclasses import replace

    from ledgit.review.settings import read_committed

    settings = read_committed(repository.repo)
    if args.experiment:
        settings = replace(settings, experiment=args.experiment)
    if args.all_runs:
        settings = replace(settings, all_runs=True)
    if args.baseline:
        pinned = {"baseline_run": args.baseline, "baseline_stage": ""}
        if "@" in args.baseline or "#" in args.baseline:
            pinned = {"baseline_run": "", "baseline_stage": args.baseline}
        settings = replace(settings, **pinned)
    return settings


def make(repository: Repository, settings: ReviewSettings, args: argparse.Namespace, *, details: bool) -> Review:
    """Return the review that *args* ask for; with ``--pull`` after getting the remote's runs."""
    if not args.ledger:
        return _make(repository, settings, args, None, details=details)
    from ledgit.cli.progress import Progress
    from ledgit.review.foreign import ForeignLedger

    with Progress() as progress, ForeignLedger(repository, args.ledger, progress) as foreign:
        return _make(repository, settings, args, foreign, details=details)


def _make(
    repository: Repository,
    settings: ReviewSettings,
    args: argparse.Namespace,
    foreign: ForeignLedger | None,
    *,
    details: bool,
) -> Review:
    from ledgit.review import parse_range, review
    from ledgit.store.config import code_paths

    if args.pull:
        from ledgit.cli.progress import Progress

        with Progress() as progress:
            repository.pull(progress=progress)
    reach = parse_range(repository, args.range, settings, context.pull_request(), fetch=args.pull)
    return review(
        repository,
        reach,
        settings,
        clean=args.clean,
        details=details,
        project=args.project,
        code_paths=code_paths(repository.repo) if details else (),
        foreign=foreign,
        pictures=getattr(args, "pictures", False),
    )


def lines(found: Review, *, everything: bool = False) -> list[str]:
    """Return the review for a terminal."""
    from ledgit.review.text import TITLES, metric_rows, shown_metrics
    from ledgit.review.wording import failing, gate_word, headline, sides

    style = Style(terminal.use_color())
    paint = {"fail": style.red, "warn": style.yellow, "pass": style.green}[found.counts.verdict]
    shown = [paint(headline(found)), ""]
    for result in failing(found):
        word = style.red(gate_word(result)) if result.failed else style.yellow(gate_word(result))
        shown.append(f"  {word}  {clean(result.reason)}")
    if failing(found):
        shown.append("")
    for name, what, runs in sides(found):
        names = ", ".join(clean(run) for run in runs[:5]) + (f" and {len(runs) - 5} more" if len(runs) > 5 else "")
        shown.append(f"{name + ':':<10}{clean(what)}{'; ' + names if names else '; no run'}")
    shown += [style.dim(f"note: {clean(note)}") for note in found.notes]
    metrics = shown_metrics(found, everything=everything)
    if metrics:
        rows = []
        for better, row in metric_rows(found, metrics):
            tone = style.green if better else style.red if better is False else None
            painted = [render.Painted(cell, tone) if tone is not None else cell for cell in row]
            rows.append([*row[:4], *painted[4:6], *row[6:]])
        kept = [place for place in range(len(TITLES)) if any(row[place] for row in rows)]
        columns = [
            render.Column(TITLES[place], right=place in (2, 3, 4, 5), least=6, whole=place != 0) for place in kept
        ]
        table, _ = render.table(
            columns, [[row[place] for place in kept] for row in rows], style=style, limit=terminal.table_width()
        )
        shown += ["", *table]
    left = len(found.metrics) - len(metrics)
    if left:
        shown.append(style.dim(f"{left} metric{'s are' if left > 1 else ' is'} the same (--all shows them)"))
    return shown


def gates_given(given: list[str]) -> tuple[bytes, str]:
    """Return the gates that ``--gate METRIC[=THRESHOLD]`` name as a file of their own.

    Raises:
        UsageError: One has no metric.
    """
    from ledgit.records import dump_document

    gates = []
    for text in given:
        name, _, threshold = text.rpartition("=") if "=" in text else (text, "", "")
        if not name:
            raise UsageError(f"--gate {text!r} names no metric; write --gate accuracy=0.01 or --gate loss=1%")
        gate: dict[str, object] = {"metric": name}
        if threshold:
            gate["threshold"] = threshold if threshold.endswith("%") else _number(threshold, text)
        gates.append(gate)
    return dump_document({"gates": gates}), "--gate"


def _number(text: str, given: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise UsageError(f"--gate {given!r} has no threshold such as 0.01 or 1%") from None


def write_file(path: str, text: str) -> None:
    """Write *text* into the file *path*, whole or not at all; ``-`` is standard output.

    Raises:
        StorageError: It can't be written.
    """
    if path == "-":
        terminal.write(text)
        return
    scratch = f"{path}.{os.urandom(3).hex()}.tmp"
    try:
        with open(scratch, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(text)
        os.replace(scratch, path)
    except OSError as error:
        if os.path.lexists(scratch):
            os.unlink(scratch)
        raise StorageError(path, error.strerror or str(error)) from None
