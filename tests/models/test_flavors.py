"""How flavors are found: each by the models it knows, and a third party's by its entry point."""

from __future__ import annotations

import importlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import ledgit
from ledgit.errors import FlavorNotFound, MissingDependency
from ledgit.models import flavors
from ledgit.models.faces import face
from ledgit.models.flavors import BUILT_IN, Flavor, flavor_for, get_flavor

ROOT = Path(__file__).parent.parent.parent

MODULE = '''
"""A flavor of a third party's."""
import json, os
from ledgit.models.flavors import BaseFlavor, Saved


class Table:
    """The library's model: a lookup."""

    def __init__(self, rows):
        self.rows = rows

    def predict(self, data):
        return [self.rows[key] for key in data]


class TableFlavor(BaseFlavor):
    name = "tables"
    loader_module = "tables_flavor"
    package = "tables-flavor"
    module = "tables_flavor"
    argument = "table"
    save_options = {"indent": None}

    def save(self, model, folder, options):
        with open(os.path.join(folder, "table.json"), "w") as stream:
            json.dump(model.rows, stream, indent=options["indent"])
        return Saved(flavor={"data": "table.json"}, pyfunc={"data": "table.json"})

    def load(self, stored, trust, options):
        with open(os.path.join(stored.folder, "table.json")) as stream:
            return Table(json.load(stream))


FLAVOR = TableFlavor()
'''


@pytest.fixture
def third_party(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A distribution as pip lays it out, with an entry point of the group ``ledgit.flavors``."""
    site = tmp_path / "site"
    info = site / "tables_flavor-1.2.dist-info"
    info.mkdir(parents=True)
    (site / "tables_flavor.py").write_text(MODULE)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: tables-flavor\nVersion: 1.2\n")
    (info / "entry_points.txt").write_text("[ledgit.flavors]\ntables = tables_flavor:FLAVOR\n")
    (info / "top_level.txt").write_text("tables_flavor\n")
    monkeypatch.syspath_prepend(str(site))
    forget()
    yield importlib.import_module("tables_flavor")
    del sys.modules["tables_flavor"]
    monkeypatch.undo()
    forget()


def forget() -> None:
    importlib.invalidate_caches()
    flavors._third_party.cache_clear()
    flavors.get_flavor.cache_clear()


@pytest.mark.usefixtures("repo")
def test_a_third_partys_flavor_is_found_by_its_entry_point(third_party: Any, tmp_path: Path) -> None:
    """It does all that a built-in one does, under its own name."""
    model = third_party.Table({"a": 1, "b": 2})

    assert flavor_for(model) is get_flavor("tables") is third_party.FLAVOR
    assert isinstance(third_party.FLAVOR, Flavor)
    with ledgit.start_run() as run:
        info = ledgit.models.log(model, "lookup", indent=2)
    assert "tables" == run.tags["ledgit.model.lookup"]
    assert {"a": 1, "b": 2} == ledgit.models.load(info.model_uri).rows
    assert [2, 1] == ledgit.pyfunc.load_model(info.model_uri).predict(["b", "a"])
    face("tables").save_model(table=model, path=tmp_path / "saved")
    assert "tables-flavor==1.2" in (tmp_path / "saved" / "requirements.txt").read_text().split()
    entry = info.flavors["python_function"]
    assert ("tables_flavor", "table.json") == (entry["loader_module"], entry["data"])


@pytest.mark.parametrize("name", BUILT_IN)
def test_every_flavor_keeps_to_the_protocol(name: str) -> None:
    flavor = get_flavor(name)

    assert isinstance(flavor, Flavor)
    assert name == flavor.name
    assert not flavor.recognizes(object())
    assert not flavor.recognizes(3)


def test_what_no_flavor_knows_is_said() -> None:
    with pytest.raises(FlavorNotFound, match="builtins"):
        flavor_for(object())
    with pytest.raises(FlavorNotFound, match="catboost"):
        get_flavor("catboost")


def test_nothing_is_imported_to_recognize_a_model() -> None:
    """Neither libraries nor what their models are stored with; and a face costs no more."""
    code = (
        "import sys, ledgit\n"
        "from ledgit.models.flavors import all_flavors\n"
        "import ledgit.xgboost, ledgit.lightgbm, ledgit.onnx, ledgit.pytorch, ledgit.keras, ledgit.transformers\n"
        "assert not any(flavor.recognizes(object()) for flavor in all_flavors())\n"
        "heavy = 'numpy pandas sklearn skops torch keras transformers xgboost lightgbm onnx onnxruntime matplotlib'\n"
        "found = [name for name in heavy.split() if name in sys.modules]\n"
        "assert not found, found"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)

    assert 0 == done.returncode, done.stderr


@pytest.mark.frameworks
def test_skops_is_imported_without_torch() -> None:
    """It would take four times as long, and nothing of it is needed; who wants torch gets it afterwards."""
    code = (
        "import sys\n"
        "from ledgit.models.flavors import get_flavor, import_library\n"
        "import_library(get_flavor('sklearn'), 'skops.io', 'skops')\n"
        "assert 'torch' not in sys.modules\n"
        "import sklearn.externals.array_api_compat.torch\n"
        "assert 'torch' in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)

    assert 0 == done.returncode, done.stderr


@pytest.mark.frameworks
@pytest.mark.parametrize(
    ("name", "module", "package"),
    [
        ("xgboost", "xgboost", "xgboost"),
        ("lightgbm", "lightgbm", "lightgbm"),
        ("onnx", "onnx", "onnx"),
        ("pytorch", "torch", "torch"),
        ("keras", "keras", "keras"),
        ("transformers", "transformers", "transformers"),
    ],
)
def test_a_library_that_is_not_installed_is_named(
    name: str, module: str, package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sentence says what to install, and no half of a model is left."""
    for loaded in [key for key in sys.modules if key.partition(".")[0] == module]:
        monkeypatch.delitem(sys.modules, loaded)
    monkeypatch.setattr(sys, "meta_path", [_Absent(module), *sys.meta_path])

    with pytest.raises(MissingDependency, match=f"pip install {package}"):
        face(name).save_model(object(), tmp_path / "model")

    assert not (tmp_path / "model").exists()


class _Absent:
    """Finds nothing of one library."""

    def __init__(self, module: str) -> None:
        self.module = module

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> None:
        if name.partition(".")[0] == self.module:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
