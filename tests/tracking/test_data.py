"""Data sets as inputs: digests as MLflow computes them, and what is recorded."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

import ledgit
from ledgit.errors import InvalidValue, UsageError


def test_digests_are_mlflows(repo: Path) -> None:
    """The values were computed with MLflow 3.17.2: data already recorded there is recognised."""
    import numpy as np
    import pandas as pd

    frame = pd.DataFrame({"a": [1, 2, 3], "b": ["x", "y", "z"], "c": [0.5, 1.5, None], "d": [[1], [2], [3]]})
    array = np.arange(12, dtype="float64").reshape(4, 3)

    assert "73925035" == ledgit.data.from_pandas(frame).digest
    assert "4ccdccbc" == ledgit.data.from_numpy(array).digest
    assert "929378ba" == ledgit.data.from_numpy(array, targets=np.array([0, 1, 0, 1])).digest
    assert "ee366857" == ledgit.data.from_numpy({"b": array, "a": array[:2]}).digest


def test_a_files_digest_is_its_md5(repo: Path) -> None:
    """So DVC, which may track it, knows it by the same name."""
    dataset = ledgit.data.from_file("data.csv")

    assert hashlib.md5(Path("data.csv").read_bytes()).hexdigest() == dataset.digest
    assert ("data.csv", "data.csv", "local") == (dataset.name, dataset.source, dataset.source_type)
    assert {"size": 8, "files": 1} == dataset.profile


def test_a_folders_digest_depends_on_names_and_contents(repo: Path) -> None:
    """And on nothing else."""
    for folder in ("one", "two"):
        Path(folder, "deep").mkdir(parents=True)
        Path(folder, "deep", "a").write_text("a")
        Path(folder, "b").write_text("b")

    first, second = (ledgit.data.from_file(folder).digest for folder in ("one", "two"))
    assert first == second
    Path("two/b").rename("two/c")
    assert first != ledgit.data.from_file("two").digest


def test_inputs_are_recorded_with_their_use(repo: Path) -> None:
    """Name, digest, source, context; whatever kind of object was given."""
    import numpy as np
    import pandas as pd
    import torch

    with ledgit.start_run() as run:
        frame = pd.DataFrame({"a": [1]})
        ledgit.log_input(ledgit.data.from_pandas(frame, source="s3://b/x", targets="a", name="wine"), "training")
        ledgit.log_inputs([frame, np.ones(2), None], [None, "testing", None], [{"k": 1}, None, None])
        ledgit.log_input("data.csv", context="validation")
        ledgit.log_input(ledgit.data.from_torch(torch.ones(3), name="tensor"))

    wine, plain, array, file, tensor = run.record().inputs
    assert ("wine", "s3://b/x", "s3", "training") == (wine.name, wine.source, wine.source_type, wine.context)
    assert {"columns": [{"name": "a", "type": "int64"}], "targets": "a"} == json.loads(wine.schema)
    assert ({"k": "1"}, wine.digest) == (dict(plain.tags), plain.digest)
    assert ("testing", {"features_shape": [2], "features_size": 2}) == (array.context, json.loads(array.profile))
    assert ("data.csv", "validation") == (file.name, file.context)
    assert ("tensor", "code") == (tensor.name, tensor.source_type)
    assert ["training", None] == [one.tags.get("mlflow.data.context") for one in run.inputs.dataset_inputs][:2]


def test_mlflows_own_datasets_are_understood(repo: Path) -> None:
    """Anything with ``to_dict`` and a digest, as its Dataset classes have."""

    class Foreign:
        digest = "abcd1234"

        def to_dict(self) -> dict[str, str | None]:
            return {
                "name": "n",
                "digest": "abcd1234",
                "source": "{}",
                "source_type": "code",
                "schema": None,
                "profile": "{}",
            }

    with ledgit.start_run() as run:
        ledgit.log_input(Foreign(), "training")

    (record,) = run.record().inputs
    assert ("n", "abcd1234", "code") == (record.name, record.digest, record.source_type)


def test_what_is_no_data_set_is_refused(repo: Path) -> None:
    """Before anything is recorded."""
    import pandas as pd

    with ledgit.start_run() as run:
        with pytest.raises(InvalidValue, match="from_pandas"):
            ledgit.log_input(object())
        with pytest.raises(InvalidValue, match="exists"):
            ledgit.log_input("none.csv")
        with pytest.raises(UsageError, match="as many contexts"):
            ledgit.log_inputs(["data.csv"], [])
        with pytest.raises(InvalidValue, match="column"):
            ledgit.data.from_pandas(pd.DataFrame({"a": [1]}), targets="b")

    assert [] == run.record().inputs
