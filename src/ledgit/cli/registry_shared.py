"""What ``push`` and ``pull`` say of the registry's tags."""

from __future__ import annotations

from ledgit.cli.text import clean

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ledgit.store.registry.pushing import TagsPushed

__all__ = ["named", "pushed_json", "pushed_lines"]

_NAMED = 5


def named(tags: list[str] | tuple[str, ...]) -> str:
    """Return ``1 registry tag: churn@v1.0.0``, with a few names of many."""
    shown = ", ".join(clean(tag) for tag in tags[:_NAMED])
    more = f" and {len(tags) - _NAMED:,} more" if len(tags) > _NAMED else ""
    return f"{len(tags):,} registry {'tag' if len(tags) == 1 else 'tags'}: {shown}{more}"


def pushed_lines(done: TagsPushed | None, *, dry: bool = False) -> list[str]:
    """Say which tags went, which got another number, and which stayed, each with its reason."""
    if not done:
        return []
    assert done is not None
    lines = [f"{'would push' if dry else 'pushed'} {named(done.sent)}"] if done.sent else []
    lines += [clean(note) for note in done.notes]
    if done.held:
        lines.append(f"{'would hold' if dry else 'held'} back {named(list(done.held)).partition(':')[0]}:")
        lines += [f"  {clean(tag)}: {clean(reason)}" for tag, reason in done.held.items()]
    return lines


def pushed_json(done: TagsPushed | None) -> dict[str, Any] | None:
    """Return the same as JSON's types; None where there was nothing to send."""
    if done is None:
        return None
    return {"sent": done.sent, "held": done.held, "moved": done.moved, "notes": done.notes}
