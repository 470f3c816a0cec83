"""``mlflow.xgboost`` by the same name: models and autologging for XGBoost."""

from ledgit.models.autologging import autolog_of
from ledgit.models.faces import face
from ledgit.register import register_logged

__all__ = ["autolog", "load_model", "log_model", "save_model"]

autolog = autolog_of("xgboost", register_logged)
_FACE = face("xgboost", register_logged)
save_model, log_model, load_model = _FACE.save_model, _FACE.log_model, _FACE.load_model
