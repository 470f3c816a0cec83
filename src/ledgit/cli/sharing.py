"""What ``push`` and ``pull`` have in common: questions, and words for what happened."""

from __future__ import annotations

import sys

from ledgit.cli import terminal
from ledgit.cli.text import clean

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from ledgit.cli.progress import Progress
    from ledgit.opened import Opened
    from ledgit.store.sync.ask import Answer, Question
    from ledgit.store.sync.exchange import Purge
    from ledgit.store.sync.table import Changes

_LISTED = 3


def confirm_purge(progress: Progress) -> Callable[[Purge], bool] | None:
    """Return what asks before runs go for good; None where nobody can be asked."""
    if not terminal.interactive():
        return None

    def ask(purge: Purge) -> bool:
        progress.clear()
        agreed = agrees(f"{clean(str(purge))}. Let them go? [y/N] ")
        progress.clear()
        return agreed

    return ask


def ask_to_publish(progress: Progress, *, dry: bool = False) -> Callable[[Question], Answer] | None:
    """Return what asks before code becomes public; None where nobody can be asked.

    A dry run shows what would become public, so there the answer is yes without a question.
    """
    if not terminal.interactive():
        return None
    if dry:
        from ledgit.store.sync.ask import ONCE

        return lambda _question: ONCE

    def ask(question: Question) -> Answer:
        progress.clear()
        for line in question.lines():
            terminal.note(clean(line))
        for _, key, text in question.choices:
            terminal.note(f"  {key}  {clean(text)}")
        answers = {key: answer for answer, key, _ in question.choices}
        while True:
            found = answers.get(_answer(f"[{'/'.join(answers)}] ").lower()[:1])  # 'yes' is as good as 'y'
            if found is not None:
                progress.clear()
                return found

    return ask


def agrees(text: str) -> bool:
    """Ask for a yes on standard error; only where :func:`terminal.interactive`."""
    return _answer(text).lower() in ("y", "yes")


def _answer(text: str) -> str:
    """Ask on standard error and read a line; the end of input is an interrupt."""
    sys.stderr.write(text)
    sys.stderr.flush()
    line = sys.stdin.readline()
    if not line:
        raise KeyboardInterrupt
    return line.strip()


def runs(count: int) -> str:
    """Return ``1 run``, ``2 runs``."""
    return f"{count:,} {'run' if count == 1 else 'runs'}"


def counted(changes: Changes) -> str:
    """Say how many runs are new, edited and gone: ``3 new runs, 1 edited``; "" if none.

    A run that was purged before it was ever seen is none of the reader's.
    """
    parts: list[str] = []
    gone = sum(bool(lines) for lines in changes.purged.values())
    for number, word in ((len(changes.new), "new"), (len(changes.edited), "edited"), (gone, "purged")):
        if number:
            parts.append(f"{number:,} {word}" if parts else f"{number:,} {word} {'run' if number == 1 else 'runs'}")
    return ", ".join(parts)


def as_json(changes: Changes) -> dict[str, list[str]]:
    """Return the ids of what changed."""
    return {"new": changes.new, "edited": changes.edited, "purged": list(changes.purged)}


def reasons(repository: Opened, given: Mapping[str, str]) -> list[str]:
    """Return a line for each of the first few runs that stayed: name, id, why."""
    lines = []
    for run_id, why in list(given.items())[:_LISTED]:
        state = repository.index.get(run_id)
        name = f"{clean(state.name)} " if state is not None and state.name else ""
        lines.append(f"  {name}({run_id[:8]}): {clean(why)}")
    if len(given) > _LISTED:
        lines.append(f"  … and {len(given) - _LISTED} more; 'ledgit push --json' lists all")
    return lines


def say_notes(notes: Iterable[str]) -> None:
    """Print what was passed over."""
    for text in notes:
        terminal.note(f"ledgit: {clean(text)}")
