"""PyTorch: whole modules without a pickle; MLflow's formats with consent; in both directions."""

from __future__ import annotations

import json
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.models.networks import Block, Net
from tests.models.real_mlflow import real_mlflow
from torch import nn

import ledgit
from ledgit.errors import InvalidModelInput, InvalidValue, LedgitWarning, RecordError, UntrustedModel, UsageError
from ledgit.models.faces import face
from ledgit.models.flavors import flavor_for
from ledgit.models.loading import load_model

pytestmark = [pytest.mark.frameworks, pytest.mark.usefixtures("repo")]

DATA = np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32)
PYTORCH = face("pytorch")
KINDS = ["~tuple", "~size", "~dict", "~float", "~module", "~tensor", "~dtype", "~device", "~function", "tensor", "grad"]


@pytest.fixture
def net() -> Net:
    torch.manual_seed(0)
    return Net().eval()


def answer(module: Any, data: Any = DATA) -> Any:
    with torch.no_grad():
        return module(torch.from_numpy(data)).numpy()


def attention() -> Any:
    return nn.TransformerEncoderLayer(4, 2, 8, 0.0, "gelu", batch_first=True)


def scripted(module: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # PyTorch's word on TorchScript; it is still about
        return torch.jit.trace(module, torch.from_numpy(DATA))


def test_a_saved_module_predicts_the_same_everywhere(tmp_path: Path) -> None:
    """In all formats that both write; ours by default too, by the loader that goes along."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 2)).eval()
    want = answer(net)
    with real_mlflow(tmp_path) as mlflow:
        for number, (options, trust) in enumerate(
            [({}, False), ({"serialization_format": "pickle"}, True), ({"serialization_format": "pt2"}, True)]
        ):
            here, there = str(tmp_path / f"here{number}"), str(tmp_path / f"there{number}")
            info = PYTORCH.save_model(net, here, input_example=DATA, **options)
            folders = [here]
            if options:
                mlflow.pytorch.save_model(net, there, input_example=DATA, pip_requirements=["torch"], **options)
                folders.append(there)
                np.testing.assert_allclose(want, answer(mlflow.pytorch.load_model(here, weights_only=False)), rtol=1e-5)
            for folder in folders:
                np.testing.assert_allclose(want, answer(PYTORCH.load_model(folder, trust=trust)), rtol=1e-5)
                for loaded in (load_model(folder, trust=trust), mlflow.pyfunc.load_model(folder)):
                    np.testing.assert_allclose(want, loaded.predict(DATA), rtol=1e-5)
            assert (-1, 4) == info.get_input_schema().inputs[0].shape
    assert "pytorch" == flavor_for(net).name


def test_a_module_is_whole_again(net: Net, tmp_path: Path) -> None:
    """Shared weights are shared, frozen ones frozen; attributes, buffers and hidden modules are there."""
    PYTORCH.save_model(net, tmp_path / "net")

    again = PYTORCH.load_model(str(tmp_path / "net"), trust=False)

    assert type(again) is Net
    np.testing.assert_array_equal(answer(net), answer(again))
    assert again.second.linear.weight is again.first.linear.weight
    assert again.again is again.first
    assert [False] * 2 == [one.requires_grad for one in again.frozen.parameters()]
    assert again.last.weight.requires_grad
    assert again.nothing is None
    first, same = vars(net.first), vars(again.first)
    for name in ("settings", "order", "dtype", "device", "shape", "activation"):
        assert (first[name], type(first[name])) == (same[name], type(same[name]))
    assert list(net.state_dict()) == list(again.state_dict())
    assert "first.seen" not in again.state_dict()
    again.train()
    again(torch.from_numpy(DATA)).sum().backward()
    assert again.last.weight.grad is not None


@pytest.mark.parametrize(
    ("module", "shape"),
    [
        (lambda: nn.LSTM(4, 3, num_layers=2, bidirectional=True), (5, 2, 4)),
        (lambda: nn.TransformerEncoder(attention(), 2), (5, 2, 4)),
        (lambda: nn.MultiheadAttention(4, 2), None),
        (lambda: nn.Sequential(nn.Conv2d(1, 2, 3, padding="same"), nn.BatchNorm2d(2), nn.PReLU()), (3, 1, 4, 4)),
        (lambda: nn.ModuleDict({"a": nn.Embedding(5, 2, 0), "b": nn.ModuleList([nn.Bilinear(2, 2, 1)])}), None),
        (lambda: nn.Sequential(nn.Upsample(scale_factor=2.0), nn.AdaptiveAvgPool2d((None, 2))), (1, 2, 4, 4)),
    ],
)
def test_pytorchs_own_modules_need_nobodys_word(module: Any, shape: Any, tmp_path: Path) -> None:
    torch.manual_seed(0)
    made = module().eval()
    PYTORCH.save_model(made, tmp_path / "model")

    again = PYTORCH.load_model(str(tmp_path / "model"), trust=False)

    assert repr(made) == repr(again)
    for name, value in made.state_dict().items():
        torch.testing.assert_close(again.state_dict()[name], value)
    if shape is not None:
        x = torch.rand(shape)
        with torch.no_grad():
            torch.testing.assert_close(again(x), made(x))


def test_a_class_that_is_not_imported_yet_needs_consent(net: Net, tmp_path: Path) -> None:
    """Importing a module runs it, and a file says which."""
    PYTORCH.save_model(net, tmp_path / "net")
    code = (
        "import sys; from ledgit.models.faces import face; from ledgit.errors import UntrustedModel\n"
        "try: face('pytorch').load_model(sys.argv[1], trust=False)\n"
        "except UntrustedModel as error: assert 'the module tests.models.networks of its class Net' in str(error)\n"
        "else: raise SystemExit('loaded')\n"
        "print(type(face('pytorch').load_model(sys.argv[1], trust=True)).__name__)"
    )
    root = Path(__file__).parent.parent.parent
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "net")], cwd=root, capture_output=True, text=True, check=False
    )

    assert "Net" == done.stdout.strip(), done.stderr


def test_a_class_of_the_script_is_found_in_it_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In another script there is no such class, and what to do about that is said."""

    class Mine(nn.Linear):
        pass

    Mine.__module__, Mine.__qualname__ = "__main__", "Mine"
    monkeypatch.setattr(sys.modules["__main__"], "Mine", Mine, raising=False)
    mine = Mine(4, 2)
    PYTORCH.save_model(mine, tmp_path / "mine")

    np.testing.assert_array_equal(answer(mine), load_model(str(tmp_path / "mine")).predict(DATA))
    monkeypatch.delattr(sys.modules["__main__"], "Mine")
    with pytest.raises(UsageError, match=r"class Mine, which the module __main__ does not give here.*module=Mine\("):
        PYTORCH.load_model(str(tmp_path / "mine"))
    filled = PYTORCH.load_model(str(tmp_path / "mine"), module=nn.Linear(4, 2))
    np.testing.assert_array_equal(answer(mine), answer(filled))


def test_weights_fill_a_module_of_the_users(net: Net, tmp_path: Path) -> None:
    """PyTorch's own way: the class is code of one's own, and only numbers are loaded."""
    PYTORCH.save_model(net, tmp_path / "net")
    (tmp_path / "net" / "data" / "structure.json").unlink()
    mine = Net()
    unlisted = mine.unlisted

    with pytest.raises(UsageError, match=r"load_model\(uri, module=Net\(\)\)"):
        PYTORCH.load_model(str(tmp_path / "net"))
    with pytest.raises(UsageError, match=r"of another module"):
        PYTORCH.load_model(str(tmp_path / "net"), module=nn.Linear(4, 2))

    PYTORCH.save_model(net, tmp_path / "again")
    filled = PYTORCH.load_model(str(tmp_path / "again"), module=mine, trust=False)
    assert filled is mine
    mine.unlisted = net.unlisted
    np.testing.assert_array_equal(answer(net), answer(filled))
    mine.unlisted = unlisted


def test_of_what_is_no_data_the_weights_are_saved(tmp_path: Path) -> None:
    """The training's result is not lost over a lambda; what to do is said."""
    made = Block(4, activation=lambda x: x * 2)
    with ledgit.start_run() as run, pytest.warns(LedgitWarning, match=r"activation is .*function.*module=\.\.\."):
        info = PYTORCH.log_model(made, "net")

    assert ["pytorch"] == list(info.flavors)
    assert "pytorch" == run.tags["ledgit.model.net"]
    filled = PYTORCH.load_model(info.model_uri, module=Block(4, activation=lambda x: x * 2))
    np.testing.assert_array_equal(answer(made), answer(filled))
    with pytest.raises(UsageError, match="another module"):
        PYTORCH.load_model(info.model_uri, module=Block(5))


def test_hooks_are_code() -> None:
    """They are not lost silently."""
    from ledgit.models.flavors.torch_modules import NotPlain, describe

    module = nn.Linear(2, 2)
    module.register_forward_hook(lambda *given: None)

    with pytest.raises(NotPlain, match="hooks"):
        describe(module)
    with pytest.raises(NotPlain, match="lazy"):
        describe(nn.LazyLinear(2))


@pytest.mark.filterwarnings("ignore")  # Lightning's, on workers and loggers
def test_a_module_of_lightning_leaves_its_trainer_behind(tmp_path: Path) -> None:
    """Hyperparameters come along; a class of a function's own has its weights saved alone."""
    import pytorch_lightning
    from tests.models.lightning_networks import Lit

    made = Lit(width=2)
    rows = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(torch.from_numpy(DATA)), batch_size=6)
    pytorch_lightning.Trainer(
        max_epochs=1, logger=False, enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
        accelerator="cpu",
    ).fit(made, rows)  # fmt: skip
    PYTORCH.save_model(made, tmp_path / "lit")

    again = PYTORCH.load_model(str(tmp_path / "lit"), trust=False)

    np.testing.assert_array_equal(answer(made), answer(again))
    assert {"width": 2, "scale": 2.0} == dict(again.hparams)
    assert again._trainer is None

    class Local(Lit):
        pass

    with pytest.warns(LedgitWarning, match="only its weights"):
        PYTORCH.save_model(Local(), tmp_path / "local")
    assert 3 == len(PYTORCH.load_model(str(tmp_path / "local"), module=Local()).net.weight)


@pytest.mark.parametrize("kind", ["pickle", "pt2", "torchscript"])
def test_formats_that_run_code_need_consent(kind: str, tmp_path: Path) -> None:
    net: Any = nn.Linear(4, 2)
    options: dict[str, Any] = {"serialization_format": kind, "input_example": DATA}
    if kind == "torchscript":
        net, options = scripted(net), {}
    PYTORCH.save_model(net, tmp_path / "net", **options)

    with pytest.raises(UntrustedModel, match=r"data/model\.pt"):
        PYTORCH.load_model(str(tmp_path / "net"), trust=False)

    np.testing.assert_allclose(answer(net), load_model(str(tmp_path / "net"), trust=True).predict(DATA), rtol=1e-6)


def test_a_description_can_call_nothing(tmp_path: Path) -> None:
    """Names in it are of modules of PyTorch's and of functions that compute; all others are refused."""
    PYTORCH.save_model(nn.Sequential(nn.ReLU()), tmp_path / "net")
    file = tmp_path / "net" / "data" / "structure.json"
    good = file.read_text()

    def changed(**attributes: Any) -> str:
        description = json.loads(good)
        part = description["modules"][1]
        if "home" in attributes:
            part["module"], part["class"] = attributes.pop("home")
        part["attributes"].update(attributes)
        return json.dumps(description)

    for attempt in (
        changed(forward={"~function": "torch.load"}),
        changed(forward={"~function": "torch.nn.functional.importlib"}),
        changed(forward={"~function": "os.system"}),
        changed(x={"~dtype": "load"}),
        changed(x={"~eval": "1"}),
        changed(x={}),
        changed(_forward_hooks={"~dict": []}),
        changed(home=("torch.nn.modules.activation", "torch.load")),
        changed(home=("os", "system")),
        changed(home=("torch.nn.modules.module", "torch.fx.GraphModule")),
        changed(home=("builtins", "eval")),
        changed(x={"~module": 99}),
        "[]",
        "{}",
        '{"format": 2, "modules": []}',
        "[" * 100_000,
        "\udcff",
    ):
        file.write_text(attempt, errors="surrogateescape")
        with pytest.raises((RecordError, UsageError)):
            PYTORCH.load_model(str(tmp_path / "net"), trust=True)
    file.write_text(good)
    (file.parent / "model.safetensors").write_bytes(b"nonsense")
    with pytest.raises(RecordError, match=r"model\.safetensors"):
        PYTORCH.load_model(str(tmp_path / "net"))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 10) | st.text(max_size=5)
    | st.sampled_from(["torch.nn.modules.linear", "Linear", "cpu", "float32", "0.weight"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KINDS), inner, max_size=2),
    max_leaves=6,
)  # fmt: skip


@given(data=st.data())
@settings(max_examples=150)
def test_any_description_is_read_or_refused(data: Any, tmp_path_factory: pytest.TempPathFactory) -> None:
    """One value of a good description becomes another: that is an error that says so, or a module."""
    folder = tmp_path_factory.getbasetemp() / "described"
    if not folder.exists():
        PYTORCH.save_model(nn.Sequential(nn.Linear(2, 2), Block(2)), folder)
        (folder / "good.json").write_text((folder / "data" / "structure.json").read_text())
    description = json.loads((folder / "good.json").read_text())
    place: Any = description
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        key = data.draw(st.sampled_from(keys))
        if not isinstance(place[key], dict | list) or not place[key] or data.draw(st.booleans()):
            break
        place = place[key]
    place[key] = data.draw(JSON)
    (folder / "data" / "structure.json").write_text(json.dumps(description))

    try:
        assert isinstance(PYTORCH.load_model(str(folder), trust=False), nn.Module)
    except (RecordError, UsageError, UntrustedModel):
        pass


def test_frames_and_arrays_are_understood(tmp_path: Path) -> None:
    """A frame gives a frame with its index; what is neither is refused. The user's module stays in training."""
    net = nn.Sequential(nn.Linear(4, 2), nn.Dropout(0.9))
    frame = pd.DataFrame(DATA.astype(np.float64), index=list("abcdef"), columns=list("wxyz"))
    PYTORCH.save_model(net, tmp_path / "net", input_example=frame)
    model = load_model(str(tmp_path / "net"))

    found = model.predict(frame)

    assert net.training
    assert list("abcdef") == list(found.index)
    np.testing.assert_allclose(answer(net[0]), found.to_numpy(), rtol=1e-6)
    PYTORCH.save_model(net, tmp_path / "plain")
    with pytest.raises(InvalidModelInput, match="expected a data frame or an array"):
        load_model(str(tmp_path / "plain")).predict([1.0])


def test_with_own_code_there_is_one_folder_of_code(net: Net, tmp_path: Path) -> None:
    """MLflow looks into one; the loader is there too."""
    (tmp_path / "mynets.py").write_text("from torch import nn\nclass Mine(nn.Linear):\n    pass\n")
    sys.path.insert(0, str(tmp_path))
    try:
        from mynets import Mine  # type: ignore[import-not-found]

        mine = Mine(4, 2)
        PYTORCH.save_model(mine, tmp_path / "net", code_paths=[str(tmp_path / "mynets.py")])
    finally:
        sys.path.remove(str(tmp_path))
        del sys.modules["mynets"]

    assert {"ledgit_pytorch.py", "mynets.py"} == {path.name for path in (tmp_path / "net" / "code").iterdir()}
    with pytest.raises(UntrustedModel, match="code/"):
        load_model(str(tmp_path / "net"), trust=False)
    np.testing.assert_array_equal(answer(mine), load_model(str(tmp_path / "net"), trust=True).predict(DATA))


def test_mistakes_are_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidValue, match=r"torch\.nn\.Module"):
        PYTORCH.save_model({}, tmp_path / "net")
    with pytest.raises(InvalidValue, match="safetensors or pt2 or pickle"):
        PYTORCH.save_model(nn.ReLU(), tmp_path / "net", serialization_format="zip")
    with pytest.raises(UsageError, match="input_example"):
        PYTORCH.save_model(nn.ReLU(), tmp_path / "net", serialization_format="pt2")
    with pytest.raises(UsageError, match="leave out serialization_format"):
        PYTORCH.save_model(scripted(nn.ReLU()), tmp_path / "net", serialization_format="pt2")

    assert not (tmp_path / "net").exists()
