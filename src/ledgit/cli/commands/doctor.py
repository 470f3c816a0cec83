"""``ledgit doctor``: check the repository."""

from __future__ import annotations

import argparse

from ledgit.cli import context, parsing, render, terminal
from ledgit.cli.text import Style, clean

HELP = """\
Check what Ledgit needs of this repository, and say for each finding how to mend it. --mend does what can be
done without you. The exit code is 1 while a problem is left; hints do not count.
"""
EPILOG = """
ledgit doctor
ledgit doctor --mend
ledgit doctor --finalize 1a2b3c4d       a lost run of another machine that is known to be dead
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--mend", action="store_true", help="mend what can be mended")
    finalize = parser.add_argument(
        "--finalize", metavar="RUN", action="append", default=[], help="end a lost run, known to be dead (repeatable)"
    )
    parsing.complete(finalize, "run")
    parsing.add_formats(parser)


def run(args: argparse.Namespace) -> int:
    """Examine, and print the findings."""
    from ledgit.store.doctor import examine, mend

    repository = context.repository()
    if args.finalize:
        forced = tuple(repository.run(ref).id for ref in args.finalize)
        done = repository.recover(force=forced)
        for run_id, why in done.failed.items():
            terminal.note(f"ledgit: run {run_id[:8]} could not be finalized: {why}")
    findings = examine(repository.repo, repository.folder, repository.index)
    mended = []
    if args.mend and findings:
        mended = mend(repository.repo, repository.folder, findings)
        repository = context.repository()
        findings = examine(repository.repo, repository.folder, repository.index)
    left = sum(finding.level == "problem" for finding in findings)
    if args.format == "json":
        shown = [{"level": item.level, "what": item.what, "mend": item.mend} for item in findings]
        terminal.write(render.json_text({"findings": shown, "mended": mended}))
        return 1 if left else 0
    style = Style(terminal.use_color())
    lines = [style.green("mended") + "   " + clean(line) for line in mended]
    for finding in findings:
        paint = style.red if finding.level == "problem" else style.yellow
        lines.append(f"{paint(f'{finding.level:<7}')}  {clean(finding.what)}")
        lines.append(f"         → {clean(finding.mend)}")
    terminal.write("\n".join(lines or [style.green("all is well")]) + "\n")
    return 1 if left else 0
