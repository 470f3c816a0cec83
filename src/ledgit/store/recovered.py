"""What a recovery did; apart from it, because mostly there is nothing to recover."""

from __future__ import annotations

__all__ = ["Recovered"]


class Recovered:
    """What :func:`recover` did: run ids with their commits, and what it had to leave."""

    def __init__(self) -> None:
        self.commits: dict[str, str] = {}
        self.failed: dict[str, str] = {}
