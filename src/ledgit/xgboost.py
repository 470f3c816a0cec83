"""``mlflow.xgboost`` by the same name: autologging for xgboost."""

from ledgit.tracking.autologging.xgboost import autolog

__all__ = ["autolog"]
