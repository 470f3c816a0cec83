"""``import ledgit``: which names there are, and what importing costs."""

from __future__ import annotations

import subprocess
import sys

import pytest

import ledgit
import ledgit.tracking

HEAVY = {"pygit2", "dvc", "yaml", "textual", "lark", "pandas", "numpy", "torch", "psutil", "orjson", "sqlite3"}


def modules_after(code: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys\nprint(*sys.modules)"], capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


def test_importing_loads_what_a_start_needs_and_no_more() -> None:
    """30 ms above ``python -c pass`` are the limit; threading is 3 of them, and in every training anyway."""
    added = modules_after("import ledgit") - modules_after("import threading, zlib, errno")

    assert {"ledgit.tracking.runs", "ledgit.store.active"} <= added
    assert set() == {name for name in added if not name.startswith("ledgit")} - {"__future__"}


def test_logging_loads_no_heavy_library(repo: object) -> None:
    """What a metric needs is the journal, not Git."""
    code = "import ledgit\nledgit.start_run()\nledgit.log_metric('a', 1.0)\nledgit.log_param('b', 2)"

    assert set() == modules_after(code) & (HEAVY - {"orjson"})


@pytest.mark.parametrize("name", ledgit.__all__)
def test_every_name_of_the_face_is_there(name: str) -> None:
    """The list and the modules agree."""
    assert getattr(ledgit, name) is not None
    assert name in dir(ledgit)


def test_a_name_is_looked_up_once() -> None:
    """From then on it is an attribute of the module, as fast as any."""
    vars(ledgit).pop("log_metric", None)

    assert ledgit.log_metric is vars(ledgit)["log_metric"]


def test_the_tracking_package_has_a_home_for_every_name() -> None:
    """One list for readers, one for the loader: they must not drift apart."""
    assert sorted(ledgit.tracking._MODULE_OF) == ledgit.tracking.__all__
    for name in ledgit.tracking.__all__:
        assert callable(getattr(ledgit.tracking, name))


def test_all_is_sorted_and_complete() -> None:
    """What tracking offers a user is in ``ledgit`` itself, but for mlflow.artifacts' functions."""
    elsewhere = {"download_artifacts", "list_artifacts", "load_dict", "load_image", "load_text"}

    assert sorted(ledgit.__all__) == ledgit.__all__
    assert set() == set(ledgit.tracking.__all__) - set(ledgit.__all__) - elsewhere


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    """``hasattr`` and typing errors work as with any module."""
    with pytest.raises(AttributeError, match="no attribute 'log_metrik'"):
        ledgit.log_metrik  # type: ignore[attr-defined]  # noqa: B018
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        ledgit.tracking.nothing  # type: ignore[attr-defined]  # noqa: B018


@pytest.mark.parametrize("name", ["sklearn", "xgboost", "lightgbm", "lightning", "pytorch", "keras", "transformers"])
def test_a_library_is_found_where_mlflow_has_it(name: str) -> None:
    """Both ``ledgit.sklearn.autolog`` and ``import ledgit.sklearn``, without importing the library."""
    loaded = modules_after(f"import ledgit\nassert callable(ledgit.{name}.autolog)\nimport ledgit.{name}")

    assert set() == loaded & {"sklearn", "xgboost", "lightgbm", "lightning", "torch", "keras", "transformers"}


def test_artifact_functions_are_found_where_mlflow_has_them() -> None:
    """``mlflow.artifacts.download_artifacts``, though ``ledgit.artifacts`` is a package of its own."""
    for order in ("import ledgit", "import ledgit.artifacts", "import ledgit; ledgit.open"):
        code = f"{order}\nimport ledgit\nassert callable(ledgit.artifacts.download_artifacts)"

        assert "ledgit.tracking.uris" in modules_after(code)


def test_the_module_runs_as_a_command() -> None:
    """``python -m ledgit`` is ``ledgit``."""
    done = subprocess.run([sys.executable, "-m", "ledgit", "--version"], capture_output=True, text=True, check=True)

    assert ledgit.__version__ in done.stdout


def test_what_only_mlflow_has_says_what_to_use_instead() -> None:
    """Scripts that come from there stop at a sentence that helps."""
    with pytest.raises(AttributeError, match=r"no attribute 'evaluate': ledgit\.models\.evaluate does it"):
        ledgit.evaluate  # noqa: B018
    with pytest.raises(AttributeError, match=r"no attribute 'nonsense'$"):
        ledgit.nonsense  # noqa: B018


def test_a_run_is_a_dictionary_as_mlflow_has_it(repo: object) -> None:
    with ledgit.start_run(run_name="owl") as run:
        ledgit.log_params({"depth": 3})
    found = ledgit.get_run(run.info.run_id).to_dictionary()

    assert {"info", "data", "inputs"} == set(found)
    assert ("owl", {"depth": "3"}) == (found["info"]["run_name"], found["data"]["params"])
