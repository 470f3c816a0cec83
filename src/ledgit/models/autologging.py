"""Autologging that logs models, too: the functions of ``tracking.autologging``, told how a model is logged."""

from __future__ import annotations

from ledgit.tracking.autologging import autolog
from ledgit.tracking.autologging.sklearn import autolog as sklearn

__all__ = ["autolog", "sklearn"]
