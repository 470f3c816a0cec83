"""Predictions for files: in pieces, in order, whole or not at all."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.serving.conftest import NAMES, frame

import ledgit as mlflow
from ledgit.errors import InvalidModelInput, InvalidValue, UsageError
from ledgit.models.loading import load_model
from ledgit.models.serving import predict_file


def write(data: Any, path: Path) -> str:
    if path.suffix == ".csv":
        data.to_csv(path, index=False)
    elif path.suffix == ".parquet":
        data.to_parquet(path)
    else:
        data.to_json(path, orient="records", lines=True)
    return str(path)


def read(path: str) -> Any:
    import pandas as pd

    if path.endswith(".csv"):
        return pd.read_csv(path)
    return pd.read_parquet(path) if path.endswith(".parquet") else pd.read_json(path, orient="records", lines=True)


def test_any_file_to_any_other(model: Any, tmp_path: Path) -> None:
    """The same predictions, in the order of the rows, however many are read at a time."""
    data, loaded = frame(23), load_model("area")
    for source in ("csv", "jsonl", "parquet"):
        given = write(data, tmp_path / f"in.{source}")
        for target, rows in itertools.product(("csv", "jsonl", "parquet"), (1, 7, 10_000)):
            written = str(tmp_path / f"out.{target}")

            done = predict_file(loaded, given, written, keep=True, rows=rows)

            found = read(written)
            assert 23 == done.rows == len(found)
            assert [*NAMES, "prediction"] == list(found.columns)
            assert model.predict(data).tolist() == pytest.approx(found["prediction"].tolist())
            assert data["length"].tolist() == found["length"].tolist()


def test_a_model_that_was_fitted_on_arrays_predicts_on_columns_in_silence(repo: Path, tmp_path: Path) -> None:
    """scikit-learn would warn, for each piece, that the columns have names."""
    from sklearn.linear_model import LinearRegression

    with mlflow.start_run():
        mlflow.sklearn.log_model(LinearRegression().fit([[0.0, 1.0], [1.0, 3.0]], [0.0, 1.0]), "bare")

    done = predict_file(load_model("bare"), write(frame(5), tmp_path / "in.csv"), str(tmp_path / "out.csv"), rows=2)

    assert 5 == done.rows  # a warning would be an error here


def test_whole_numbers_among_fractions(model: Any, tmp_path: Path) -> None:
    """A piece of a CSV file may have only whole numbers in a column of doubles."""
    path = tmp_path / "in.csv"
    path.write_text("length,width\n1,2\n3,4\n1.5,2\n")

    predict_file(load_model("area"), str(path), str(tmp_path / "out.csv"), rows=2)

    assert [4.0, 10.0, 5.0] == pytest.approx(read(str(tmp_path / "out.csv"))["prediction"].tolist())


def test_text_of_digits_stays_text(repo: Path, tmp_path: Path) -> None:
    """Leading zeros of a postal code are part of it."""
    import pandas as pd

    import ledgit.pyfunc
    from ledgit.models import infer_signature

    def same(model_input: Any) -> Any:
        return model_input["code"].tolist()

    with mlflow.start_run():
        ledgit.pyfunc.log_model(
            name="codes", python_model=same, signature=infer_signature(pd.DataFrame({"code": ["01234"]}), ["01234"])
        )
    path = tmp_path / "in.csv"
    path.write_text("code\n01234\n99999\n")

    predict_file(load_model("codes"), str(path), str(tmp_path / "out.jsonl"))

    lines = (tmp_path / "out.jsonl").read_text().splitlines()
    assert ["01234", "99999"] == [json.loads(line)["prediction"] for line in lines]


BAD = {
    "missing column": ("in.csv", "length\n1\n", InvalidModelInput, "width"),
    "text among numbers": ("in.csv", "length,width\n1,2\nx,3\n", InvalidModelInput, "length"),
    "ragged": ("in.csv", "length,width\n1,2\n1,2,3\n", UsageError, "CSV"),
    "no JSON": ("in.jsonl", '{"length": 1, "width": 2}\n{"len', UsageError, "line 2"),
    "no object": ("in.jsonl", "[1, 2]\n", UsageError, "line 1"),
    "no Parquet": ("in.parquet", "nonsense", UsageError, "Parquet"),
    "empty": ("in.csv", "", UsageError, "CSV"),
    "unknown kind": ("in.xlsx", "", UsageError, "--input-format"),
}


def test_nothing_is_written_where_a_row_is_bad(model: Any, tmp_path: Path) -> None:
    """Not a part of the answer, and no scratch file; what was there before stays."""
    loaded, target = load_model("area"), tmp_path / "out.csv"
    for case, (name, text, error, says) in BAD.items():
        source = tmp_path / name
        source.write_text(text)
        target.write_text("before\n")

        with pytest.raises(error, match=says):
            predict_file(loaded, str(source), str(target), rows=1)

        assert "before\n" == target.read_text(), case
        source.unlink()
        assert {"out.csv"} == {entry for entry in os.listdir(tmp_path) if entry != "repo"}, case


def test_what_the_model_says_of_rows_that_it_fails_on(repo: Path, tmp_path: Path) -> None:
    """Without a signature nothing else can say what is wrong with them."""

    def halve(rows: Any) -> Any:
        return rows["length"].astype(float) / 2

    with mlflow.start_run():
        mlflow.pyfunc.log_model("half", python_model=halve)
    source, target = tmp_path / "in.csv", tmp_path / "out.csv"
    source.write_text("length\n1\n2\n3\nlong\n")

    with pytest.raises(UsageError, match=r"predict on rows 3 to 4 of .*in\.csv: ValueError: could not convert.*'long'"):
        predict_file(load_model("half"), str(source), str(target), rows=2)

    assert not target.exists()


def test_words_that_can_not_be(model: Any, tmp_path: Path) -> None:
    source = write(frame(), tmp_path / "in.csv")

    with pytest.raises(InvalidValue):
        predict_file(load_model("area"), source, input_kind="excel")
    with pytest.raises(InvalidValue):
        predict_file(load_model("area"), source, rows=0)
    with pytest.raises(UsageError, match="standard output"):
        predict_file(load_model("area"), source, output_kind="parquet")
    with pytest.raises(UsageError, match="can't be read"):
        predict_file(load_model("area"), str(tmp_path / "absent.csv"))


def test_the_command_in_a_pipe(model: Any, repo: Path) -> None:
    """Standard input to standard output, which has nothing else on it."""
    command = [sys.executable, "-m", "ledgit", "models", "predict", "area", "-", "--input-format", "csv"]
    done = subprocess.run(
        [*command, "--output-format", "jsonl"],
        cwd=repo,
        input=b"length,width\n1.5,0.25\n",
        capture_output=True,
        check=True,
    )

    assert {"prediction": pytest.approx(3.25)} == json.loads(done.stdout)


def test_memory_does_not_grow_with_the_file(model: Any, repo: Path, tmp_path: Path) -> None:
    """A million rows take hardly more than ten thousand."""
    path = tmp_path / "many.csv"
    line = "1.5,0.25\n"
    script = (
        "import resource, sys\n"
        "from ledgit.models.loading import load_model\n"
        "from ledgit.models.serving import predict_file\n"
        "model = load_model('area')\n"
        "predict_file(model, sys.argv[1], sys.argv[2])\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)\n"
    )

    def peak(rows: int) -> int:
        path.write_text("length,width\n" + line * rows)
        command = [sys.executable, "-c", script, str(path), str(tmp_path / "out.csv")]
        return int(subprocess.run(command, cwd=repo, capture_output=True, check=True).stdout)

    few, many = peak(10_000), peak(600_000)

    assert 600_001 == (tmp_path / "out.csv").read_text().count("\n")
    assert many < few + 20 * 1024


def test_a_folder_that_docker_can_build(model: Any, repo: Path, tmp_path: Path) -> None:
    """The model, its pinned requirements, and a server that runs without rights."""
    from ledgit.errors import Conflict
    from ledgit.models.serving import build_docker

    target = tmp_path / "image"
    written = build_docker("area", str(target))

    assert {"Dockerfile", ".dockerignore", "model/MLmodel", "model/requirements.txt"} <= set(written)
    text = (target / "Dockerfile").read_text()
    assert "USER ledgit" in text
    assert text.index("pip install") < text.index("COPY model model")
    assert "scikit-learn==" in (target / "model" / "requirements.txt").read_text()
    assert load_model(str(target / "model"), trust=True).predict(frame(2)).tolist()
    with pytest.raises(Conflict):
        build_docker("area", str(target))
    with pytest.raises(UsageError):
        build_docker("area", str(tmp_path / "other"), base="python; rm -rf /")
    with pytest.raises(Exception, match="nothing"):
        build_docker("nothing", str(tmp_path / "third"))
    assert not (tmp_path / "third").exists()
