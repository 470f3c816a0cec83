"""A training loop with params, metrics, an artifact and a tag."""

from __future__ import annotations

import math

import ledgit as mlflow

params = {"learning_rate": 0.2, "epochs": 20}

mlflow.set_experiment("quickstart")
with mlflow.start_run(tags={"kind": "example"}):
    mlflow.log_params(params)
    loss = 1.0
    for epoch in range(int(params["epochs"])):
        loss *= 1 - params["learning_rate"]
        mlflow.log_metrics({"loss": loss, "accuracy": 1 - math.sqrt(loss) / 2}, step=epoch)
    mlflow.log_dict({"final": {"loss": loss}}, "summary.json")
