"""The lines of a run's overview: what is said, and how it stands under each other."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from rich.text import Text

from ledgit.records.harmless import clean, clean_lines, fit, pad, width
from ledgit.records.wording import age, duration, exact, moment, number
from ledgit.tui.data.details import NOTE, why_ended
from ledgit.tui.widgets.texts import LineSource, MadeLines

if TYPE_CHECKING:
    from ledgit.tui.data.details import Details, Ties
    from ledgit.tui.session import Session

__all__ = ["facts", "heading", "metrics", "note", "pairs", "params", "tags"]

_KEYS = 26  # columns that names take at most
_MEASURED = 300  # names and values that say how wide their column is


def heading(title: str, beside: str = "") -> Text:
    """Return the head of a section."""
    text = Text(title, "head")
    if beside:
        text.append(f"  {beside}", "dim")
    return text


def pairs(items: Iterable[tuple[str, str | Text]], least: int = 10) -> list[Text]:
    """Return names and values under each other."""
    rows = [(clean(name), value) for name, value in items]
    room = max([min(width(name), _KEYS) for name, _ in rows] + [least])
    lines = []
    for name, value in rows:
        line = Text("  ").append(pad(fit(name, room), room) + "  ", "dim")
        lines.append(line.append(value) if isinstance(value, str) else line.append_text(value))
    return lines


def facts(session: Session, details: Details, ties: Ties | None, gone: str = "") -> list[Text]:
    """Return who, when, where, and what the run is part of."""
    run, record = details.run, details.record
    info = record.info if record is not None else None
    rows: list[tuple[str, str | Text]] = []
    if gone:
        rows.append(("gone", Text(gone, "bad")))
    rows.append(("status", _status(session, details)))
    why = why_ended(details)
    if why:
        rows.append(("because", Text(clean(why), "warn")))
    if details.missing:
        rows.append(("not here", Text(clean(details.missing), "warn")))
    now = session.now()
    end = run.end if run.end is not None else now
    rows.append(("started", f"{moment(run.start)[:16].replace('T', ' ')} UTC, {age(run.start, now / 1000)}"))
    rows.append(("so far" if run.end is None else "took", duration(max(end - run.start, 0))))
    who = " on ".join(part for part in (run.user, info.host if info else "") if part)
    rows.append(("by", clean(who)))
    rows.append(("experiment", clean(run.experiment)))
    rows.append(("code", _code(details)))
    if ties is not None and ties.link is not None and ties.link.by != "commit":
        same = {"tree": "the same files", "subtree": "the same code paths", "patch-id": "the same changes"}
        rows.append(("belongs to", f"{ties.link.commit[:8]} of this branch, by {same[ties.link.by]}"))
    if ties is not None and ties.parent is not None:
        rows.append(("nested in", f"{clean(ties.parent.name)} {ties.parent.id[:8]}  (P)"))
    if ties is not None and ties.children:
        rows.append(("holds", _children(session, ties)))
    if info is not None and info.command:
        rows.append(("command", clean(shlex.join(info.command))))
    if info is not None and info.directory:
        rows.append(("in", clean(info.directory)))
    if len(run.heads) > 1:
        rows.append(("edited", Text(f"on {len(run.heads)} machines; the next edit joins them", "warn")))
    rows.append(("id", run.id))
    lines = pairs((name, value) for name, value in rows if value)
    for key, values in sorted(run.conflicts.items()):
        first, *others = values
        said = f"{clean(key)} is {exact(first)}, logged first; elsewhere {', '.join(map(exact, others))}"
        lines.append(Text("  ").append(f"{session.glyph('warning')} conflict: {said}", "warn"))
    return lines


def _status(session: Session, details: Details) -> Text:
    run = details.run
    name = "lost" if run.lost else run.status.lower()
    style = {"running": "live", "finished": "good", "failed": "bad", "killed": "bad", "lost": "warn"}.get(name, "")
    mark = session.glyph(name) if name else ""
    text = Text(f"{mark} {name}", style)
    if run.deleted:
        text.append(f"  {session.glyph('deleted')} deleted (x restores it)", "bad")
    return text


def _code(details: Details) -> Text:
    code = details.run.code
    info = details.record.info.code if details.record is not None else None
    where = "@".join(part for part in (clean(code.branch or ""), (code.commit or "")[:8]) if part)
    text = Text(where)
    if not where:
        text.append("no commit" if code.tree else "not recorded", "dim")
    if code.dirty:
        text.append("  + uncommitted", "warn")
    if info is not None and info.state:
        text.append(f"  in the middle of a {clean(info.state)}", "warn")
    if info is not None and info.left_out:
        text.append(f"  {len(info.left_out):,} files left out", "dim")
    return text


def _children(session: Session, ties: Ties) -> str:
    shown = [
        f"{session.glyph(child.status.lower() or 'unreadable')} {clean(child.name)}" for child in ties.children[:8]
    ]
    count = len(ties.children)
    more = f" and {'more than ' if ties.more else ''}{count - 8} more" if count > 8 else ""
    return ", ".join(shown) + more


def params(details: Details) -> LineSource | list[Text]:
    """Return names and values of the params; ten thousand are made when they are looked at."""
    found = details.run.params
    names = sorted(found)
    if not names:
        return [Text("  none", "dim")]
    room = max(6, *(min(width(clean(name)), _KEYS) for name in names[:_MEASURED]))

    def make(at: int) -> Text:
        name = names[at]
        return Text("  ").append(pad(fit(clean(name), room), room) + "  ", "dim").append(exact(found[name]))

    return MadeLines(len(names), make)


def metrics(session: Session, details: Details, sparks: Mapping[str, str], room: int) -> LineSource | list[Text]:
    """Return the newest value of each metric, its history and its least and greatest value."""
    run = details.run
    names = sorted(run.metrics)
    if not names:
        return [Text("  none yet" if details.live else "  none", "dim")]
    spark = max([len(one) for one in sparks.values()], default=0)
    wide = min(max(width(number(run.metrics[name], 6)) for name in names[:_MEASURED]), 14)
    keys = min(max(6, *(width(clean(name)) for name in names[:_MEASURED])), max(min(_KEYS, room - wide - spark - 6), 8))

    def make(at: int) -> Text:
        name = names[at]
        line = Text("  ").append(pad(fit(clean(name), keys), keys) + "  ", "dim")
        value = run.metrics[name]
        line.append(pad(number(value, 6), wide, right=True), "" if value - value == 0 else "warn")
        line.append(f"  {sparks.get(name, ''):<{spark}}", "series-0")
        low, high = run.ranges.get(name, (value, value))
        if low != high:
            line.append(f"  {number(low)} {session.glyph('dash')} {number(high)}", "dim")
        return line

    return MadeLines(len(names), make)


def tags(details: Details) -> list[Text]:
    """Return the tags, those that programs set after those that people did."""
    found = {key: value for key, value in details.run.tags.items() if key != NOTE}
    if not found:
        return [Text("  none; t adds one", "dim")]
    own = sorted(key for key in found if not key.startswith(("ledgit.", "mlflow.")))
    others = sorted(found.keys() - set(own))
    rows: Sequence[tuple[str, str | Text]] = [
        *((key, clean(found[key])) for key in own),
        *((key, Text(clean(found[key]), "dim")) for key in others),
    ]
    return pairs(rows, 6)


def note(details: Details) -> list[Text]:
    """Return the note."""
    text = details.run.note
    return [Text(f"  {line}") for line in clean_lines(text)] if text else [Text("  none; e writes one", "dim")]
