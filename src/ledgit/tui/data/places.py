"""What the side bar of the runs lists: scopes, experiments, branches, saved views, with their counts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ledgit.records.harmless import clean
from ledgit.tui.data.editing import STAR
from ledgit.tui.data.views import View, read_views
from ledgit.tui.widgets.cells import Entry

if TYPE_CHECKING:
    from ledgit.tui.session import Session

__all__ = ["Places", "read_places"]


class Places:
    """The entries of the side bar, and what the views among them say.

    Attributes:
        entries: The lines.
        views: Saved views by name.
        problem: Why the views can't be read; "" when they can.
    """

    def __init__(self, entries: list[Entry], views: dict[str, View], problem: str = "") -> None:
        self.entries, self.views, self.problem = entries, views, problem


def read_places(session: Session) -> Places:
    """Ask the index what there is; in a thread."""
    from ledgit.errors import LedgitError
    from ledgit.query import Query

    repository, glyph = session.repository, session.glyph
    index = repository.index
    index.refresh()
    branches = index.branches()
    counts = {name: runs for name, runs, _ in branches}
    total = index.count(Query())
    entries = [Entry("", "Runs")]
    if session.branch:
        entries.append(Entry(f"branch:{session.branch}", "this branch"))
    entries.append(Entry("all:", "all", f"{total:,}"))
    starred = index.count(Query(filter=f"tags.`{STAR}` = 'true'")) if index.has("tags", STAR) else 0
    entries.append(Entry("starred:", f"{glyph('star')} starred", f"{starred:,}"))
    running = index.count(Query(filter="status = 'RUNNING'"))
    entries.append(Entry("running:", f"{glyph('running')} running", f"{running:,}"))
    views: dict[str, View] = {}
    problem = ""
    try:
        views = read_views(repository.repo)
    except LedgitError as error:
        problem = str(error)
    if views:
        entries.append(Entry("", "Views"))
        entries += [Entry(f"view:{name}", clean(name)) for name in views]
    experiments = [(repository.experiment_name(one.label), one.runs) for one in index.experiments() if one.runs]
    if experiments:
        entries.append(Entry("", "Experiments"))
        entries += [Entry(f"experiment:{name}", clean(name), f"{runs:,}") for name, runs in experiments]
    if counts:
        entries.append(Entry("", "Branches"))
        entries += [Entry(f"branch:{name}", clean(name), f"{runs:,}") for name, runs in counts.items()]
    return Places(entries, views, problem)
