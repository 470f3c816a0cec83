"""PyTorch: a module as safetensors and a description of its parts, without a pickle.

``data/model.safetensors`` and ``data/structure.json`` (:mod:`ledgit.models.flavors.torch_modules`), and a small
loader with which MLflow's ``pyfunc`` reads them. Where some part of the module is no data (a lambda, a class made in
a function), its state dict alone is written, and ``load_model(uri, module=Net())`` fills a module with it.

MLflow's own formats are read, and written if asked for: ``serialization_format="pt2"`` (``torch.export``, needs
an input example) and ``"pickle"``, which also TorchScript is kept as. Reading these needs consent: what
they hold can run code.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any, ClassVar

from ledgit.errors import InvalidModelInput, InvalidValue, RecordError, UsageError
from ledgit.models.consent import Trust
from ledgit.models.flavors import BaseFlavor, Predictor, Saved, Stored, import_library, torch_modules
from ledgit.models.paths import inside
from ledgit.tracking import session

__all__ = ["FLAVOR", "PyTorch"]

SAFETENSORS, PT2, PICKLE = "safetensors", "pt2", "pickle"
FORMATS = (SAFETENSORS, PT2, PICKLE)
DATA, PICKLED, EXPORTED, PICKLE_INFO = "data", "model.pth", "model.pt2", "pickle_module_info.txt"
#: MLflow's, by which it reads what cloudpickle wrote.
MLFLOW_PICKLE = "mlflow.pytorch.pickle_module"
#: Classes that are made for being put together by anybody: no consent is asked for.
OPEN_MODULES = ("torch.nn.modules.", "torchvision.models.", "torchvision.ops.")


class PyTorch(BaseFlavor):
    """``torch.nn.Module`` and all that derives from it."""

    name = "pytorch"
    loader_module = "mlflow.pytorch"
    package = "torch"
    module = "torch"
    argument = "pytorch_model"
    save_options: ClassVar[Mapping[str, Any]] = MappingProxyType(
        {"serialization_format": None, "export_model": False, "pickle_module": None, "input_example": None}
    )
    load_options: ClassVar[Mapping[str, Any]] = MappingProxyType({"module": None, "device": None, "map_location": None})

    def recognizes(self, model: object) -> bool:
        """Whether it is a ``torch.nn.Module``."""
        return any(
            cls.__name__ == "Module" and cls.__module__ == "torch.nn.modules.module" for cls in type(model).__mro__
        )

    def save(self, model: Any, folder: str, options: Mapping[str, Any]) -> Saved:
        """Write the module as ``serialization_format`` says, safetensors by default."""
        torch = import_library(self)
        if not isinstance(model, torch.nn.Module):
            raise InvalidValue("the model", model, "a torch.nn.Module")
        script = isinstance(model, torch.jit.ScriptModule)
        kind = options["serialization_format"] or (
            PT2 if options["export_model"] else PICKLE if script else SAFETENSORS
        )
        if kind not in FORMATS:
            raise InvalidValue("serialization_format", kind, " or ".join(FORMATS))
        if script and kind != PICKLE:
            raise UsageError(f"a TorchScript module can't be written as {kind}; leave out serialization_format")
        data = os.path.join(folder, DATA)
        os.makedirs(data)
        flavor = {"model_data": DATA, "pytorch_version": str(torch.__version__), "serialization_format": kind}
        if kind == SAFETENSORS:
            import_library(self, "safetensors.torch", "safetensors")
            pyfunc = _save_plain(model, folder, data)
            return Saved(flavor=flavor, pyfunc=pyfunc, packages=("safetensors", "numpy"))
        if kind == PT2:
            _export(torch, model, os.path.join(data, EXPORTED), options["input_example"])
            return Saved(flavor=flavor, pyfunc={"data": DATA, "config": {"device": None}}, packages=("numpy",))
        pickle_name = _pickle(torch, self, model, data, options["pickle_module"])
        pyfunc = {"data": DATA, "config": {"device": None}, "pickle_module_name": pickle_name}
        return Saved(flavor=flavor, pyfunc=pyfunc, packages=("numpy", "cloudpickle"))

    def load(self, stored: Stored, trust: Trust, options: Mapping[str, Any]) -> Any:
        """Read the module, ready for predictions (``eval()``).

        Args:
            stored: Where it is.
            trust: Needed for pickles, TorchScript, pt2, and classes of modules that are not imported here yet.
            options: ``module``: fill this module with the weights instead of making one; ``device`` or
                ``map_location``: where to put the tensors.
        """
        torch = import_library(self)
        name = str(stored.flavor.get("model_data") or DATA)
        data = inside(stored.folder, name)
        device = options["device"] or options["map_location"]
        if os.path.isfile(os.path.join(data, torch_modules.WEIGHTS)):
            import_library(self, "safetensors.torch", "safetensors")
            return _load_plain(data, trust, device, options["module"])
        if options["module"] is not None:
            raise UsageError(f"{trust.model} is no state dict that a module could be filled with; leave out module=")
        exported = os.path.join(data, EXPORTED)
        if os.path.isfile(exported):
            trust.require(f"{name}/{EXPORTED}")
            return torch.export.load(exported).module()
        path = os.path.join(data, PICKLED) if os.path.isdir(data) else data
        trust.require(f"{name}/{PICKLED}")
        if _is_torchscript(path):
            with _no_deprecation():
                module = torch.jit.load(path, map_location=device or "cpu")
        else:
            module = torch.load(path, map_location=device or "cpu", weights_only=False)
        return module.eval()

    def predictor(self, model: Any, stored: Stored) -> Predictor:  # noqa: ARG002 - the protocol's
        """Return a function that calls the module on a tensor of the data's rows, as MLflow does."""

        def predict(data: Any, params: Mapping[str, Any] | None) -> Any:
            with _evaluating(model):
                try:
                    return torch_modules.predict(model, data, params)
                except TypeError as error:
                    raise InvalidModelInput("", f"the PyTorch model did not predict: {error}") from error

        return predict


@contextmanager
def _evaluating(model: Any) -> Iterator[None]:
    """Have dropout and its like off for a while; each part is trained on as it was."""
    before = [part for part in model.modules() if part.training]
    try:
        if before:
            model.eval()
    except NotImplementedError:  # what torch.export made has no modes
        before = []
    try:
        yield
    finally:
        for part in before:
            part.training = True


def _save_plain(model: Any, folder: str, data: str) -> dict[str, Any] | None:
    """Write safetensors and the description; return the python_function's entry, None without a description."""
    try:
        torch_modules.save(model, data)
    except torch_modules.NotPlain as error:
        _save_weights(model, data)
        session.report(
            f"{error}; load_model(uri, module=...) fills a module like it, and serialization_format='pt2' or 'pickle'"
            " keeps it whole",
            "of the PyTorch model only its weights were saved",
        )
        return None
    # Beside the user's code, if there is some: MLflow looks into one folder for code.
    code = "code" if os.path.isdir(os.path.join(folder, "code")) else "loader"
    os.makedirs(os.path.join(folder, code), exist_ok=True)
    shutil.copyfile(torch_modules.__file__, os.path.join(folder, code, "ledgit_pytorch.py"))
    return {"data": DATA, "loader_module": "ledgit_pytorch", "code": code}


def _save_weights(model: Any, data: str) -> None:
    """Write the state dict alone, tensors that are shared once."""
    from safetensors.torch import save_file

    state = model.state_dict()
    strange = [name for name, value in state.items() if not hasattr(value, "untyped_storage")]
    if strange:
        raise UsageError(
            f"the module's state has {strange[0]!r}, which is no tensor; serialization_format='pickle' writes anything"
        )
    tensors: dict[str, Any] = {}
    seen: set[tuple[int, Any]] = set()
    for name, value in state.items():
        where = (value.data_ptr(), tuple(value.shape))
        if value.numel() and where in seen:
            continue  # tied to one that is there
        seen.add(where)
        tensors[name] = value.detach().cpu().contiguous().clone()
    save_file(tensors, os.path.join(data, torch_modules.WEIGHTS), metadata={"format": "pt"})


def _load_plain(data: str, trust: Trust, device: Any, module: Any) -> Any:
    from safetensors.torch import load_file

    place = None if device is None else str(device)
    described = os.path.join(data, torch_modules.STRUCTURE)
    try:
        if module is None:
            if not os.path.isfile(described):
                raise UsageError(
                    f"{trust.model} has weights alone; give the module to fill: load_model(uri, module=Net())"
                )
            return torch_modules.load(data, lambda home, name: _find_class(home, name, trust), place)
        tensors = load_file(os.path.join(data, torch_modules.WEIGHTS), device=place or "cpu")
        if os.path.isfile(described):
            with open(described, encoding="utf-8") as stream:
                wanted = torch_modules.weights(json.load(stream))
            tensors = {name: tensor for name, tensor in tensors.items() if name in wanted}
        return _fill(module, tensors, trust).eval()
    except (ValueError, KeyError, TypeError, OSError, RecursionError) as error:
        raise RecordError(trust.model, f"its PyTorch module does not decode: {error}") from error
    except Exception as error:
        if type(error).__name__ != "SafetensorError":  # which is made in Rust, and has no base but Exception
            raise
        raise RecordError(trust.model, f"{torch_modules.WEIGHTS} does not decode: {error}") from error


def _fill(module: Any, tensors: Mapping[str, Any], trust: Trust) -> Any:
    """Give *module* the weights; what is tied to a weight that is there need not be."""
    state = module.state_dict(keep_vars=True)
    given = {id(state[name]) for name in tensors if name in state}
    missing = [name for name, value in state.items() if name not in tensors and id(value) not in given]
    unknown = [name for name in tensors if name not in state]
    if missing or unknown:
        problems = [f"lacks {', '.join(missing[:5])}"] if missing else []
        problems += [f"has {', '.join(unknown[:5])}, which the module lacks"] if unknown else []
        raise UsageError(f"{trust.model} is of another module: it {' and '.join(problems)}")
    try:
        module.load_state_dict(dict(tensors), strict=False)
    except RuntimeError as error:  # sizes differ; it lists which
        raise UsageError(
            f"{trust.model} is of another module: {str(error).strip().splitlines()[-1].strip()}"
        ) from error
    return module


def _find_class(home: str, name: str, trust: Trust) -> Any:
    """Return a class that the description names: importing a module runs it."""
    if home not in sys.modules and not home.startswith(OPEN_MODULES):
        trust.require(f"the module {home} of its class {name} (one that you imported yourself needs no word)")
    try:
        return torch_modules.import_class(home, name)
    except (ImportError, AttributeError) as error:
        raise UsageError(
            f"{trust.model} is made of the class {name}, which the module {home} does not give here ({error});"
            f" make it importable, or give a module to fill: load_model(uri, module={name}(...))"
        ) from error


def _export(torch: Any, model: Any, path: str, example: Any) -> None:
    """Trace the module on its input example and write the graph, as MLflow does."""
    import numpy as np

    given = example if isinstance(example, tuple | list) else (example,)
    if example is None or not all(isinstance(one, np.ndarray | torch.Tensor) for one in given):
        raise UsageError("pt2 traces the module on input_example=, which must be an array or tensor, or a list of them")
    tensors = tuple(torch.from_numpy(one) if isinstance(one, np.ndarray) else one for one in given)
    shapes = tuple({0: torch.export.Dim.AUTO} if one.ndim else None for one in tensors)
    try:
        with _evaluating(model):
            torch.export.save(torch.export.export(model, tensors, dynamic_shapes=shapes), path)
    except Exception as error:
        # Whatever the tracer meets in the user's code.
        said = str(error).strip().splitlines() or [""]
        raise UsageError(f"torch.export can't trace the module ({type(error).__name__}: {said[0]})") from error


def _pickle(torch: Any, flavor: PyTorch, model: Any, data: str, chosen: Any) -> str:
    """Write the module as a pickle, or TorchScript as such; return the pickle module's name as MLflow notes it."""
    path = os.path.join(data, PICKLED)
    name = MLFLOW_PICKLE if chosen is None else str(chosen.__name__)
    with open(os.path.join(data, PICKLE_INFO), "w", encoding="utf-8") as stream:
        stream.write(name)
    if isinstance(model, torch.jit.ScriptModule):
        with _no_deprecation():
            torch.jit.save(model, path)
        return name
    try:
        torch.save(model, path, pickle_module=chosen or _cloudpickle(flavor))
    except Exception as error:
        # PicklingError, TypeError, AttributeError, and what __reduce__ of the user's raises.
        raise UsageError(f"the module can't be pickled: {error}") from error
    return name


def _cloudpickle(flavor: PyTorch) -> Any:
    """Return what torch.save takes as a pickle module, with cloudpickle's pickler: classes of a script go along."""
    import pickle
    from types import SimpleNamespace

    library = import_library(flavor, "cloudpickle")
    return SimpleNamespace(
        Pickler=library.CloudPickler, Unpickler=pickle.Unpickler, dump=library.dump, dumps=library.dumps,
        load=pickle.load, loads=pickle.loads, __name__=MLFLOW_PICKLE,
    )  # fmt: skip


@contextmanager
def _no_deprecation() -> Iterator[None]:
    """Leave it to PyTorch to say, where a module is scripted, that TorchScript is on its way out."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        yield


def _is_torchscript(path: str) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            return any(name.endswith("/constants.pkl") for name in archive.namelist())
    except (OSError, zipfile.BadZipFile):
        return False


FLAVOR = PyTorch()
