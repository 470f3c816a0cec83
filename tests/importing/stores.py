"""Makes an MLflow store with the real MLflow, and says what MLflow itself reads in it: ``stores.py URI FOLDER``."""

import json
import sys
import warnings
from pathlib import Path

import mlflow
from mlflow.entities import Dataset, DatasetInput, InputTag, ViewType
from mlflow.tracking import MlflowClient


def make(folder: Path) -> None:
    mlflow.set_experiment("exp one")
    mlflow.set_experiment_tag("team", "vision")
    with mlflow.start_run(run_name="parent", description="a note"):
        mlflow.log_params({"lr": 0.1, "n": 3, "s": "x: 'y'\n#z", "zero": "007", "flag": True})
        for step in range(5):
            mlflow.log_metric("acc", step / 5, step=step)
        mlflow.log_metric("acc", 0.99, step=2)
        mlflow.log_metric("val/loss", 0.5, step=-3)
        mlflow.log_metric("weird", float("nan"))
        mlflow.log_metric("big", float("inf"))
        mlflow.set_tag("k", "v")
        mlflow.set_tag("mlflow.source.git.commit", "a" * 40)
        (folder / "a.txt").write_text("hello")
        (folder / "big.bin").write_bytes(b"x" * 300_000)
        mlflow.log_artifact(str(folder / "a.txt"), "sub/dir")
        mlflow.log_artifact(str(folder / "big.bin"))
        with mlflow.start_run(nested=True) as child:
            mlflow.log_metric("m", 1)
        data = DatasetInput(
            Dataset("train", "abc123", "local", '{"uri": "train.csv"}', '{"s": 1}', '{"n": 5}'),
            [InputTag("mlflow.data.context", "training"), InputTag("more", "tag")],
        )
        MlflowClient().log_inputs(child.info.run_id, [data])
        register(folder, mlflow.active_run().info.run_id, child.info.run_id)
    gone = mlflow.start_run()
    mlflow.end_run("FAILED")
    mlflow.delete_run(gone.info.run_id)
    MlflowClient().create_run(mlflow.get_experiment_by_name("exp one").experiment_id, run_name="still running")
    mlflow.set_experiment("old")
    MlflowClient().create_run(mlflow.get_experiment_by_name("old").experiment_id, run_name="of the old one")
    mlflow.delete_experiment(mlflow.get_experiment_by_name("old").experiment_id)


def register(folder: Path, run: str, child: str) -> None:
    """A logged model, and a registered one whose versions are from it, from a run, deleted, and from elsewhere."""
    client = MlflowClient()
    logged = client.create_logged_model(mlflow.active_run().info.experiment_id, "net", child, {"team": "a"}, {"p": "1"})
    client.log_model_artifact(logged.model_id, str(folder / "a.txt"))
    client.finalize_logged_model(logged.model_id, "READY")
    client.create_registered_model("churn", {"team": "crm"}, "who leaves")
    client.create_model_version("churn", f"models:/{logged.model_id}", child, model_id=logged.model_id)
    client.create_model_version("churn", f"runs:/{run}/sub", run, {"k": "v"}, description="the second")
    client.create_model_version("churn", f"runs:/{run}/sub", run)
    client.create_model_version("churn", "s3://me:secret@bucket/x")
    client.create_model_version("churn", f"runs:/{run}/sub", run)
    client.delete_model_version("churn", "3")
    client.delete_model_version("churn", "5")
    client.set_registered_model_alias("churn", "champion", "2")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        client.transition_model_version_stage("churn", "1", "Production")
        client.transition_model_version_stage("churn", "4", "Archived")
    client.create_registered_model("empty one")


def shown(value: float) -> str:
    """SQL has no infinity: MLflow writes, and reads, the greatest number there is."""
    return "inf" if value > 1.7e308 else repr(value)


def _history(client: MlflowClient, run_id: str, key: str) -> list:
    return list(client.get_metric_history(run_id, key))


def read() -> dict:
    client = MlflowClient()
    found = {}
    experiments = {one.experiment_id: one.name for one in client.search_experiments(ViewType.ALL)}
    for run in client.search_runs(list(experiments), run_view_type=ViewType.ALL, max_results=1000):
        found[run.info.run_id] = {
            "experiment": experiments[run.info.experiment_id],
            "name": run.info.run_name,
            "status": run.info.status,
            "start": run.info.start_time,
            "end": run.info.end_time,
            "user": run.info.user_id,
            "stage": run.info.lifecycle_stage,
            "params": run.data.params,
            "metrics": {key: shown(value) for key, value in run.data.metrics.items()},
            "tags": run.data.tags,
            "history": {
                key: sorted(
                    {(p.step, p.timestamp, shown(p.value)) for p in client.get_metric_history(run.info.run_id, key)}
                )
                for key in run.data.metrics
            },
            "inputs": [[one.dataset.name, one.dataset.digest] for one in run.inputs.dataset_inputs],
        }
    return found


if __name__ == "__main__":
    mlflow.set_tracking_uri(sys.argv[1])
    make(Path(sys.argv[2]))
    print("JSON" + json.dumps(read()))
