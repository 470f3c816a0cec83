"""``mlflow.onnx`` by the same name: models; there is nothing to autolog."""

from ledgit.models.faces import face
from ledgit.register import register_logged

__all__ = ["load_model", "log_model", "save_model"]

_FACE = face("onnx", register_logged)
save_model, log_model, load_model = _FACE.save_model, _FACE.log_model, _FACE.load_model
