"""MLflow itself reads what was exported to it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.exporting.test_exporting import NEVER, repository  # noqa: F401 - a fixture

from ledgit.exporting import write_mlruns
from ledgit.repository import Repository


def test_mlflow_itself_reads_it(repository: Repository, tmp_path: Path) -> None:  # noqa: F811
    """Its own client finds every run, value, file and version, and takes them by its client into another store."""
    place = tmp_path / "mlruns"
    write_mlruns(repository, list(repository.runs.view("all")), str(place))
    script = (
        "import json, sys\n"
        "from mlflow.tracking import MlflowClient\n"
        "from ledgit.exporting import send_to_mlflow\n"
        "from ledgit.repository import open_repository\n"
        "repository = open_repository(sys.argv[2])\n"
        "runs = list(repository.runs.view('all').sort('start_time'))\n"
        "sent = send_to_mlflow(repository, runs, sys.argv[3])\n"
        "again = send_to_mlflow(repository, runs, sys.argv[3])\n"
        "found = [len(sent.written), sent.missing, len(again.written), len(again.known)]\n"
        "found += [sent.versions, again.versions]\n"
        "for uri in (sys.argv[1], sys.argv[3]):\n"
        "    client = MlflowClient(uri, uri)\n"
        "    ids = [one.experiment_id for one in client.search_experiments(3)]\n"
        "    runs = client.search_runs(ids, run_view_type=3)\n"
        "    run = next(run for run in runs if run.info.run_name == 'run 1')\n"
        "    found.append([\n"
        "        len(runs), run.info.status, run.info.start_time, run.info.user_id, run.data.params['big'],\n"
        "        len(client.get_metric_history(run.info.run_id, 'loss')), run.inputs.dataset_inputs[0].dataset.name,\n"
        "        client.list_artifacts(run.info.run_id, 'model')[0].path, run.data.tags['team'],\n"
        "        client.get_model_version_by_alias('churn', 'champion').version])\n"
        "print('JSON' + json.dumps(found))\n"
    )
    env = {**os.environ, "MLFLOW_ALLOW_FILE_STORE": "true", "MLFLOW_DISABLE_TELEMETRY": "true", "HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script, f"file://{place}", repository.path, f"file://{tmp_path}/sent"],
        env=env, cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    *sent, written, through = json.loads(done.stdout.partition("JSON")[2])
    assert sent == [3, [], 0, 3, 2, 0]
    expected = [3, "FAILED", NEVER, "ann", str(10**25), 6, "train", "model/MLmodel", "vision"]
    assert written[:9] == expected
    assert through[:3] + through[4:9] == expected[:3] + expected[4:9]
    assert str(written[9]) == str(through[9]) == "2"
