"""``mlflow.transformers`` by the same name: autologging for transformers."""

from ledgit.tracking.autologging.transformers import autolog

__all__ = ["autolog"]
