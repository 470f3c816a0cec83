"""``mlflow.sklearn`` by the same name: autologging for sklearn."""

from ledgit.tracking.autologging.sklearn import autolog

__all__ = ["autolog"]
