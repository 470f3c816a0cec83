"""Why a table of runs is empty, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ledgit.records.harmless import clean

if TYPE_CHECKING:
    from ledgit.tui.data.runs import Asked
    from ledgit.tui.session import Session

__all__ = ["keys_of", "nearest", "why_empty"]

_HOW = """\
Log one, in Python:

    import ledgit
    with ledgit.start_run():
        ledgit.log_param("lr", 0.01)
        ledgit.log_metric("loss", 0.5)

or from the shell:  ledgit run -- python train.py

It shows up here by itself."""


def why_empty(session: Session, asked: Asked, total: int) -> str:
    """Return what to say where no run matches; in a thread."""
    if asked.filter:
        said = [f"No run matches  {clean(asked.filter)}", ""]
        said += nearest(session, asked.filter)
        return "\n".join([*said, "escape clears the filter, / changes it."])
    if not total:
        return f"No runs here yet.\n\n{_HOW}{_others(session)}"
    what = {
        "branch": f"No runs of the code on {clean(asked.scope.value)}.",
        "starred": "No run is starred: * stars the one under the cursor.",
        "running": "Nothing is running.",
        "experiment": f"No runs in {clean(asked.scope.value)}.",
    }.get(asked.scope.kind, "None of these runs is here any more.")
    return f"{what}\n\nescape shows all {total:,} runs."


def _others(session: Session) -> str:
    """Return how to get the runs of others, where a remote may have some that were never pulled."""
    from ledgit.git import list_refs

    repo = session.repository.repo
    remotes = {key[7:-4] for key, _ in repo.config().items("remote.") if key.endswith(".url")}
    if not remotes or list_refs(repo, "refs/ledgit/remotes/"):
        return ""
    named = clean(min(remotes, key=lambda name: (name != "origin", name)))
    return f"\n\nThe runs of others, if {named} has any, come with:  ledgit pull"


def nearest(session: Session, text: str) -> list[str]:
    """Return a line for each key of a filter that no run has, with names that are like it."""
    from difflib import get_close_matches

    from ledgit.errors import LedgitError
    from ledgit.query import parse_filter

    index = session.repository.index
    said = []
    try:
        keys = list(dict.fromkeys(keys_of(parse_filter(text))))
    except LedgitError:
        return []
    for kind, name in keys:
        if kind not in ("metrics", "params", "tags") or index.has(kind, name):
            continue
        near = [f"{kind}.{one}" for one in get_close_matches(name, index.keys(kind), n=3, cutoff=0.5)]
        for other in ("metrics", "params", "tags"):
            if other != kind and index.has(other, name):
                near.insert(0, f"{other}.{name}")
        line = f"No run has {kind}.{clean(name)}"
        said.append(f"{line}; there is {', '.join(map(clean, near))}." if near else f"{line}.")
    return [*said, ""] if said else []


def keys_of(expr: Any) -> Iterator[tuple[str, str]]:
    """Yield (kind, name) of each key that a filter compares."""
    for item in getattr(expr, "items", ()):
        yield from keys_of(item)
    if hasattr(expr, "item"):
        yield from keys_of(expr.item)
    if hasattr(expr, "key"):
        yield expr.key.kind, expr.key.name
