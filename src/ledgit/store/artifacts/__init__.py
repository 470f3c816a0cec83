"""Artifacts of runs: from what was logged to where it is kept, and from there to who wants it."""

from __future__ import annotations
