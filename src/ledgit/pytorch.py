"""``mlflow.pytorch`` by the same name: there, too, it is PyTorch Lightning that is autologged."""

from ledgit.tracking.autologging.lightning import autolog

__all__ = ["autolog"]
