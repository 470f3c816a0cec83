"""The commands by which a run's result, code or files are had again."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from ledgit.tui.data.details import Details

__all__ = ["Recipe", "as_row", "recipes"]


class Recipe(NamedTuple):
    """A line to copy.

    Attributes:
        key: Short, for the list of what can be copied.
        title: What it does.
        line: What is copied.
    """

    key: str
    title: str
    line: str


def recipes(details: Details) -> list[Recipe]:
    """Return what can be done with a run, the most useful first."""
    run, record = details.run, details.record
    short = run.id[:8]
    code = run.code
    found = []
    if run.heads:
        found.append(Recipe("repro", "Run it again, and compare", f"ledgit repro {short}"))
    if record is not None and record.info.command:
        where = f"cd {shlex.quote(record.info.directory)} && " if record.info.directory else ""
        found.append(Recipe("command", "The command it ran", where + shlex.join(record.info.command)))
    if run.heads and code.tree:
        found.append(Recipe("apply", "Its code into the work tree", f"ledgit apply {short}"))
    if run.heads and run.params:
        found.append(Recipe("params", "Its params into a file", f"ledgit apply {short} --params params.yaml"))
    if run.heads and record is not None and record.artifacts:
        found.append(Recipe("artifacts", "Its files into the current folder", f"ledgit apply {short} --artifacts"))
    if run.heads and code.tree:
        found.append(Recipe("branch", "A branch of its code", f"ledgit branch {short}"))
    if code.commit:
        lacks = ", without its uncommitted changes" if code.dirty else ""
        found.append(Recipe("checkout", f"Its commit{lacks}", f"git checkout {code.commit}"))
        found.append(Recipe("commit", "The commit of its code", code.commit))
    if run.head:
        found.append(Recipe("log", "Who changed what of it", f"ledgit log {short}"))
    found.append(Recipe("python", "From Python", f'run = ledgit.open().run("{run.id}")'))
    found.append(Recipe("uri", "URI of its files", f"runs:/{run.id}"))
    found.append(Recipe("id", "Its id", run.id))
    return found


def as_row(details: Details) -> str:
    """Return the run as a table of Markdown with one row."""
    from ledgit.records.wording import scalar

    run = details.run
    cells = {"run": run.name, "id": run.id[:8], "status": run.status, **run.params, **run.metrics}
    titles, values = [], []
    for key, value in list(cells.items())[:40]:
        titles.append(_cell(key))
        values.append(_cell(scalar(value)))
    return "\n".join(f"| {' | '.join(row)} |" for row in (titles, ["---"] * len(titles), values))


def _cell(text: str) -> str:
    from ledgit.records.harmless import clean

    return clean(text).replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;")
