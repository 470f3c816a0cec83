"""The real MLflow, in this process, with a store in a folder that goes away."""

from __future__ import annotations

import logging
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock


@contextmanager
def real_mlflow(folder: Path) -> Iterator[Any]:
    """Give the imported ``mlflow``; it logs below *folder*, tells nobody, and its warnings are its own affair."""
    settings = {
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_TRACKING_URI": f"file://{folder}/mlruns",
        "MLFLOW_ALLOW_FILE_STORE": "true",
        "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    }
    before = logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        with mock.patch.dict(os.environ, settings), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import mlflow

            mlflow.set_tracking_uri(settings["MLFLOW_TRACKING_URI"])
            yield mlflow
    finally:
        logging.disable(before)
        if "mlflow" in sys.modules:
            while sys.modules["mlflow"].active_run() is not None:
                sys.modules["mlflow"].end_run()
