"""``mlflow.lightning`` by the same name: autologging for lightning."""

from ledgit.models.autologging import autolog_of
from ledgit.register import register_logged

__all__ = ["autolog"]

autolog = autolog_of("lightning", register_logged)
