"""Flavors are found by name, by the model, or as somebody's entry point; what is not installed is named."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from sklearn.linear_model import LogisticRegression

import ledgit as mlflow
from ledgit.errors import FlavorNotFound, MissingDependency
from ledgit.models import flavors
from ledgit.models.flavors import BUILT_IN, BaseFlavor, Flavor, Saved, all_flavors, flavor_for, get_flavor

pytestmark = pytest.mark.usefixtures("repo")

PLUGIN = """
from ledgit.models.flavors import BaseFlavor, Saved
class Abacus:
    def __init__(self, add): self.add = add
    def predict(self, data): return data + self.add
class AbacusFlavor(BaseFlavor):
    name, loader_module, package, module = "abacus", "abacus_flavor", "", "abacus_flavor"
    def save(self, model, folder, options):
        with open(f"{folder}/beads.txt", "w") as file: file.write(str(model.add))
        return Saved({"beads": "beads.txt"}, {"data": "beads.txt"})
    def load(self, stored, trust, options):
        with open(f"{stored.folder}/{stored.flavor['beads']}") as file: return Abacus(int(file.read()))
FLAVOR = AbacusFlavor()
"""


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A distribution with a flavor, installed for the time of the test."""
    (tmp_path / "abacus_flavor.py").write_text(PLUGIN)
    info = tmp_path / "abacus-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: abacus\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[ledgit.flavors]\nabacus = abacus_flavor:FLAVOR\n")
    monkeypatch.syspath_prepend(tmp_path)
    for known in (flavors._third_party, get_flavor):
        known.cache_clear()
    yield __import__("abacus_flavor")
    sys.modules.pop("abacus_flavor")
    for known in (flavors._third_party, get_flavor):
        known.cache_clear()


def test_somebody_elses_flavor_is_one_like_ours(plugin: Any) -> None:
    """By its entry point: recognized, saved, found and loaded."""
    mlflow.models.log(plugin.Abacus(3), "counts")

    assert 5 == mlflow.pyfunc.load_model("counts").predict(2)
    assert 3 == mlflow.models.load("counts").add
    assert "abacus" == flavor_for(plugin.Abacus(1)).name
    mlflow.end_run()


@pytest.mark.parametrize("name", BUILT_IN)
def test_each_of_ours_keeps_the_protocol(name: str) -> None:
    """And is found by MLflow's name."""
    flavor = get_flavor(name)

    assert isinstance(flavor, Flavor)
    assert isinstance(flavor, BaseFlavor)
    assert name == flavor.name
    assert flavor in list(all_flavors())
    assert get_flavor("pyfunc") is get_flavor("python_function")


def test_an_unknown_flavor_is_named_with_what_is_like_it() -> None:
    """A typo is seen."""
    with pytest.raises(FlavorNotFound, match="no flavor matches 'sklaern'"):
        get_flavor("sklaern")
    with pytest.raises(FlavorNotFound, match="did you mean lightgbm"):
        get_flavor("lightgbmx")
    with pytest.raises(FlavorNotFound, match=r"a model of type builtins\.dict"):
        flavor_for({})


@pytest.mark.parametrize(
    ("module", "package", "save"),
    [
        ("skops.io", "skops", {}),
        ("sklearn", "scikit-learn", {}),
        ("cloudpickle", "cloudpickle", {"serialization_format": "cloudpickle"}),
    ],
)
def test_a_library_that_is_not_installed_is_named_as_pip_knows_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str, package: str, save: Mapping[str, Any]
) -> None:
    """For saving as for loading."""
    mlflow.sklearn.save_model(LogisticRegression(), tmp_path / "m", **save)
    monkeypatch.setitem(sys.modules, module, None)

    for use in (
        lambda: mlflow.sklearn.save_model(LogisticRegression(), tmp_path / "n", **save),
        lambda: mlflow.sklearn.load_model(tmp_path / "m"),
    ):
        with pytest.raises(MissingDependency, match=f"'pip install {package}'"):
            use()
    assert not (tmp_path / "n").exists()


def test_a_flavor_without_predictions_has_no_python_function(tmp_path: Path) -> None:
    """A scaler is a model that loads, and says so where it should predict."""
    from sklearn.preprocessing import StandardScaler

    mlflow.sklearn.save_model(StandardScaler().fit([[1.0], [3.0]]), tmp_path / "m")

    assert 2 == mlflow.sklearn.load_model(tmp_path / "m").mean_[0]
    with pytest.raises(FlavorNotFound, match="python_function in"):
        mlflow.pyfunc.load_model(tmp_path / "m")
    assert Saved({}).pyfunc == {}
