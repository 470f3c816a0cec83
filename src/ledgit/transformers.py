"""``mlflow.transformers`` by the same name: models and autologging for Transformers."""

from ledgit.models.faces import face
from ledgit.register import register_logged
from ledgit.tracking.autologging.transformers import autolog

__all__ = ["autolog", "load_model", "log_model", "save_model"]

_FACE = face("transformers", register_logged)
save_model, log_model, load_model = _FACE.save_model, _FACE.log_model, _FACE.load_model
