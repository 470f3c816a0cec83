"""The demonstration: a scratch repository with real runs, and what the commands say about them.

It plays a user, so it starts ``git``, ``python`` and ``ledgit`` as commands and imports nothing
of Ledgit but its errors.
"""

from __future__ import annotations

from ledgit.demo.play import run_demo

__all__ = ["run_demo"]
