"""A model as a web service with MLflow's protocol, predictions for whole files, and what a container needs.

Needs the extra ``serve`` (FastAPI, uvicorn, prometheus-client); nothing of it is imported before it is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ledgit.models.serving.app import create_app
    from ledgit.models.serving.batch import Batch, predict_file
    from ledgit.models.serving.docker import build_docker
    from ledgit.models.serving.running import serve
    from ledgit.models.serving.settings import ServeSettings

__all__ = ["Batch", "ServeSettings", "build_docker", "create_app", "predict_file", "serve"]

_HOMES = {
    "Batch": "batch",
    "ServeSettings": "settings",
    "build_docker": "docker",
    "create_app": "app",
    "predict_file": "batch",
    "serve": "running",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(__import__(f"{__name__}.{_HOMES[name]}", fromlist=[name]), name)
    globals()[name] = value
    return value
