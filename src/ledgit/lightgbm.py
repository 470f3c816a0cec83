"""``mlflow.lightgbm`` by the same name: autologging for lightgbm."""

from ledgit.tracking.autologging.lightgbm import autolog

__all__ = ["autolog"]
