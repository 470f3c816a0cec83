"""``mlflow.lightning`` by the same name: autologging for lightning."""

from ledgit.tracking.autologging.lightning import autolog

__all__ = ["autolog"]
