"""``mlflow.keras`` by the same name: autologging for keras."""

from ledgit.tracking.autologging.keras import autolog

__all__ = ["autolog"]
