"""What a model needs is told from the model itself, at once, and compared with what is installed when it is loaded."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

import ledgit as mlflow
from ledgit.errors import LedgitWarning, UsageError
from ledgit.models import check_requirements
from ledgit.models.flavors import get_flavor
from ledgit.models.requirements import infer_requirements, modules_of

pytestmark = pytest.mark.usefixtures("repo")


def names(lines: list[str]) -> list[str]:
    return [line.partition("==")[0] for line in lines]


def test_the_parts_of_a_model_say_what_it_needs() -> None:
    """A model inside a pipeline, by its distribution's name, with the version that is installed."""
    from lightgbm import LGBMClassifier

    lines = infer_requirements(
        get_flavor("sklearn"), [make_pipeline(LogisticRegression(), LGBMClassifier())], ["skops"]
    )

    assert {"lightgbm", "scikit-learn", "skops"} <= set(names(lines))
    assert f"scikit-learn=={version('scikit-learn')}" in lines
    assert sorted(lines, key=str.lower) == lines


def test_a_function_needs_what_it_uses() -> None:
    """Globals, closures, classes, and imports of its own; not what merely happens to be loaded."""
    yaml = __import__("yaml")
    frame = pd.DataFrame

    def predict(data: Any) -> Any:
        return np.asarray(frame(yaml.safe_load(data)))

    lines = names(infer_requirements(get_flavor("pyfunc"), [predict], ["cloudpickle"]))

    assert {"cloudpickle", "numpy", "pandas", "PyYAML"} <= set(lines)
    assert "torch" not in lines


def test_what_the_users_own_modules_import_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are not installed: theirs is what they need; the standard library and Ledgit are not asked for."""
    (tmp_path / "own_features.py").write_text("import json, os\nimport own_more\nimport ledgit\nclass Scale: pass\n")
    (tmp_path / "own_more.py").write_text("from PIL import Image\n")
    monkeypatch.syspath_prepend(tmp_path)
    module = __import__("own_features")

    assert {"PIL"} == modules_of([module.Scale()])
    assert {"PIL"} == modules_of([], [str(tmp_path / "own_more.py"), str(tmp_path / "own_features.py")])
    for name in ("own_features", "own_more"):
        del sys.modules[name]


def test_it_is_quick_and_starts_no_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """MLflow starts Python anew for this, which takes seconds."""

    def refuse(*args: Any, **kwargs: Any) -> Any:
        raise AssertionError("a process was started")

    monkeypatch.setattr(subprocess, "Popen", refuse)
    mlflow.sklearn.save_model(LogisticRegression(), tmp_path / "m")

    assert {"scikit-learn", "skops"} <= set(names((tmp_path / "m/requirements.txt").read_text().split()))


def test_the_user_has_the_last_word(tmp_path: Path) -> None:
    """All of them, further ones, a file, conda's spelling; not two of these."""
    (tmp_path / "r.txt").write_text("# comment\nnumpy>=1\n\n-r other.txt\n")
    given = {
        "list": ({"pip_requirements": ["a==1"]}, ["a==1"]),
        "file": ({"pip_requirements": str(tmp_path / "r.txt")}, ["numpy>=1", "-r other.txt"]),
        "conda": ({"conda_env": {"dependencies": ["python=3.11", {"pip": ["b==2"]}]}}, ["b==2"]),
    }
    for name, (options, expected) in given.items():
        mlflow.sklearn.save_model(LogisticRegression(), tmp_path / name, **options)
        assert expected == (tmp_path / name / "requirements.txt").read_text().splitlines(), name
    mlflow.sklearn.save_model(LogisticRegression(), tmp_path / "more", extra_pip_requirements=["c==3"])
    assert {"c", "scikit-learn"} <= set(names((tmp_path / "more/requirements.txt").read_text().split()))
    with pytest.raises(UsageError, match="give requirements once"):
        mlflow.sklearn.save_model(LogisticRegression(), tmp_path / "x", pip_requirements=[], conda_env={})
    with pytest.raises(UsageError, match="can't be read"):
        mlflow.sklearn.save_model(LogisticRegression(), tmp_path / "x", pip_requirements="nowhere.txt")


def test_a_mismatch_is_a_warning_with_the_difference(tmp_path: Path) -> None:
    """What is wanted and what is here; what does not say or does not apply is passed over."""
    here = version("numpy")
    lines = [
        "numpy==0.0.1", f"pandas=={version('pandas')}", "no-such-thing==1.0", "scikit-learn", "-r other.txt",
        "mlflow==2.0", "x @ https://example.org/x.whl", "gone==1; python_version < '3'",
    ]  # fmt: skip
    mlflow.sklearn.save_model(LogisticRegression(C=4), tmp_path / "m", pip_requirements=lines)

    found = [str(one) for one in check_requirements(str(tmp_path / "m"))]
    with pytest.warns(LedgitWarning, match=f"numpy is {here}, the model wants ==0.0.1; no-such-thing is not installed"):
        loaded = mlflow.sklearn.load_model(tmp_path / "m")

    assert 4 == loaded.C
    assert [
        f"numpy is {here}, the model wants ==0.0.1",
        "no-such-thing is not installed, the model wants ==1.0",
        "x is not installed, the model wants it",
    ] == found
