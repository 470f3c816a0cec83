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


def test_a_column_that_is_not_text_to_its_end_counts_as_mlflow_has_it(repo: Path) -> None:
    """Only the first 10,000 rows are hashed, but whether a column is text is seen from all of it."""
    import numpy as np
    import pandas as pd

    texts = [f"t{n}" for n in range(10_001)]
    frame = pd.DataFrame({"a": texts, "n": np.arange(10_001)})
    gap = pd.DataFrame({"a": [*texts[:-1], None], "n": np.arange(10_001)})
    mixed = pd.DataFrame({"a": pd.Series([*texts[:-1], 1], dtype=object), "n": np.arange(10_001)})

    assert ("c1a4194c", "c9fd2c5a", "c9fd2c5a") == tuple(
        ledgit.data.from_pandas(one).digest for one in (frame, gap, mixed)
    )


@pytest.mark.frameworks
def test_arrow_tables_are_the_same_however_they_are_cut(repo: Path) -> None:
    """Chunks, slices and what stands below a null don't count; values, names, types and nulls do."""
    import pyarrow as pa

    table = pa.table({"n": [1, None, 3], "x": [0.5, 1.5, 2.5], "t": ["a", None, "c"]})
    chunked = pa.concat_tables([table.slice(0, 1), table.slice(1)])
    padded = pa.concat_tables([table, table]).slice(3)

    digest = ledgit.data.from_arrow(table).digest
    assert {digest} == {ledgit.data.from_arrow(one).digest for one in (chunked, padded, table.to_batches()[0])}
    others = [
        table.set_column(0, "n", [[1, 0, 3]]),
        table.rename_columns(["m", "x", "t"]),
        table.set_column(0, "n", pa.array([1, None, 3], pa.int32())),
        table.set_column(2, "t", [["a", "", "c"]]),
        table.slice(0, 2),
    ]
    assert len({digest, *(ledgit.data.from_arrow(one).digest for one in others)}) == 6
    assert "arrow" == ledgit.data.from_arrow(table).kind


@pytest.mark.frameworks
def test_polars_frames_are_told_apart_by_their_values(repo: Path) -> None:
    """The digest is pinned: it must not depend on the release of polars."""
    import polars as pl

    frame = pl.DataFrame({"n": [1, None, 3], "t": ["a", "b", None], "l": [[1], [], None]})

    assert "e3ba2b21" == ledgit.data.from_polars(frame, targets="t").digest
    assert ledgit.data.from_polars(frame.with_columns(n=pl.Series([1, 0, 3]))).digest != "e3ba2b21"
    assert {"num_rows": 3, "num_elements": 9} == ledgit.data.from_polars(frame).profile
    with pytest.raises(InvalidValue, match="column"):
        ledgit.data.from_polars(frame, predictions="none")


@pytest.mark.frameworks
def test_hugging_faces_fingerprint_is_the_digest(repo: Path) -> None:
    """It changes with the data and with what is done to them."""
    import datasets

    one = datasets.Dataset.from_dict({"text": ["a", "b"], "label": [0, 1]})
    mapped = one.select([1, 0])

    with ledgit.start_run() as run:
        ledgit.log_input(one, context="training")
        ledgit.log_input(ledgit.data.from_huggingface(mapped, "org/name", targets="label", revision="v1"))

    first, second = run.record().inputs
    assert ("huggingface", one._fingerprint) == (first.kind, first.digest)
    assert mapped._fingerprint == second.digest != first.digest
    assert ("hugging_face", "org/name", "v1") == (
        second.source_type,
        *map(json.loads(second.source).get, ("path", "revision")),
    )
    assert 2 == json.loads(first.profile)["num_rows"]
    with pytest.raises(InvalidValue, match="one of its splits: train"):
        ledgit.log_input(datasets.DatasetDict({"train": one}))
    with pytest.raises(InvalidValue, match="stream"):
        ledgit.log_input(one.to_iterable_dataset())


@pytest.mark.parametrize("name", ["from_spark", "from_tensorflow", "load_delta"])
def test_mlflows_other_names_say_what_will_do(repo: Path, name: str) -> None:
    """One sentence, before anything is imported."""
    with pytest.raises(UsageError, match=f"ledgit.data.{name} is not supported; ledgit.data.\\w+"):
        getattr(ledgit.data, name)(object(), path="x")


def test_a_source_is_recorded_without_its_password(repo: Path) -> None:
    """Runs are shared."""
    import numpy as np

    def source(url: str) -> str:
        return ledgit.data.from_numpy(np.ones(2), source=url).source

    assert "postgres://host/db" == source("postgres://ada:secret@host/db")
    assert "https://h/x?version=2&sig=***" == source("https://h/x?version=2&sig=abcdef")
    assert "s3://bucket/a@b" == source("s3://bucket/a@b")


def test_a_digest_that_was_given_is_of_no_known_kind(repo: Path) -> None:
    """Somebody's version number is no hash."""
    import numpy as np

    assert ("", "numpy") == tuple(ledgit.data.from_numpy(np.ones(2), digest=one).kind for one in ("v7", None))
