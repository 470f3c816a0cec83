"""A PyTorch module as data: a description of its parts (JSON) and its tensors (safetensors), without a pickle.

A module is rebuilt without calling its constructor: each part is made empty (``cls.__new__``), given the plain
attributes it had, its parameters, buffers and inner modules. That takes the classes themselves, found by name, and
attributes that are data: numbers, texts, lists, tensors, other modules, functions of ``torch.nn.functional``.

This file is also copied into each model as ``ledgit_pytorch.py``, with which MLflow loads it as a python_function; so
it needs nothing but torch, safetensors and what they come with.
"""

from __future__ import annotations

import builtins
import importlib
import json
import math
import os
from collections.abc import Callable, Mapping
from typing import Any

WEIGHTS, STRUCTURE = "model.safetensors", "structure.json"
FORMAT = 1

#: What recurrent modules remember of their parameters besides; it is made again.
_FLAT = ("_flat_weights", "_flat_weight_refs")

#: Where a LightningModule has its hyperparameters, their first values, and how they were given.
_HPARAMS = ("_hparams", "_hparams_initial", "_hparams_name", "_log_hyperparams")

FindClass = Callable[[str, str], Any]

#: What torch.nn.Module's own constructor makes, that is kept; the rest of it must be as made: hooks are code.
_KEPT = ("training", "_parameters", "_buffers", "_modules", "_non_persistent_buffers_set")
#: Functions of ``torch`` itself that are activations; those of ``torch.nn.functional`` all are harmless.
_FUNCTIONS = frozenset(
    ("abs", "celu", "celu_", "clamp", "cos", "erf", "exp", "relu", "relu_", "rrelu", "selu", "selu_", "sigmoid", "sin",
     "softmax", "sqrt", "square", "tanh")
)  # fmt: skip


class NotPlain(Exception):
    """A part of the module is no data; the text says which and why."""


def describe(module: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the description of *module*, and its tensors by name.

    Raises:
        NotPlain: Some part of it can't be described.
    """
    writer = _Writer()
    writer.add(module, "")
    return {"format": FORMAT, "modules": writer.modules}, writer.tensors


def build(structure: Mapping[str, Any], tensors: Mapping[str, Any], find_class: FindClass) -> Any:
    """Return the module that *structure* describes.

    Args:
        structure: What :func:`describe` returned.
        tensors: By name.
        find_class: Gives the class of a module's name and a qualified name.

    Raises:
        ValueError: The description does not decode.
    """
    if not isinstance(structure, Mapping) or structure.get("format") != FORMAT:
        raise ValueError(f"{STRUCTURE} is not of format {FORMAT}")
    try:
        return _Reader(structure["modules"], tensors, find_class).module(0)
    except (KeyError, IndexError, TypeError, AttributeError, StopIteration, RuntimeError) as error:
        raise ValueError(f"{type(error).__name__}: {error}") from error


def save(module: Any, folder: str) -> None:
    """Write *module* into *folder*.

    Raises:
        NotPlain: Some part of it can't be described.
    """
    from safetensors.torch import save_file

    structure, tensors = describe(module)
    save_file(tensors, os.path.join(folder, WEIGHTS), metadata={"format": "pt"})
    with open(os.path.join(folder, STRUCTURE), "w", encoding="utf-8") as stream:
        json.dump(structure, stream, indent=1)


def weights(structure: Mapping[str, Any]) -> set[str]:
    """Return the names of the tensors that a state dict has: parameters, and buffers that are saved."""
    parts = structure["modules"]
    found: set[str] = set()
    seen: set[int] = set()
    waiting = [0]
    while waiting:
        number = waiting.pop()
        if number in seen:
            continue
        seen.add(number)
        part = parts[number]
        waiting += [inner for inner in part["modules"].values() if inner is not None]
        entries = [*part["parameters"].values(), *part["buffers"].values()]
        found |= {str(one["tensor"]) for one in entries if one is not None and one.get("saved", True)}
    return found


def load(folder: str, find_class: FindClass, device: str | None = None) -> Any:
    """Read the module in *folder*, with its tensors on *device* (``cpu`` if None), ready for predictions.

    Raises:
        ValueError: The description does not decode.
        OSError: A file is not there.
    """
    from safetensors.torch import load_file

    with open(os.path.join(folder, STRUCTURE), encoding="utf-8") as stream:
        structure = json.load(stream)
    tensors = load_file(os.path.join(folder, WEIGHTS), device=device or "cpu")
    return build(structure, tensors, find_class).eval()


def import_class(module: str, name: str) -> Any:
    """Return the class *name* of *module*, importing it."""
    found: Any = importlib.import_module(module)
    for part in name.split("."):
        found = getattr(found, part)
    return found


class _Writer:
    def __init__(self) -> None:
        self.modules: list[dict[str, Any]] = []
        self.tensors: dict[str, Any] = {}
        self._numbers: dict[int, int] = {}
        self._names: dict[int, str] = {}
        self._storages: set[int] = set()

    def add(self, module: Any, path: str) -> int:
        """Describe a module, once; return its number."""
        import torch

        if id(module) in self._numbers:
            return self._numbers[id(module)]
        cls = type(module)
        if isinstance(module, torch.jit.ScriptModule):
            raise NotPlain(f"{path or 'the module'} is TorchScript")
        if _found(cls.__module__, cls.__qualname__) is not cls:
            raise NotPlain(f"the class {cls.__qualname__} of {path or 'the module'} can't be imported by its name")
        if hasattr(cls, "_infer_parameters") and module.has_uninitialized_params():
            raise NotPlain(f"{path or 'the module'} is lazy, and has no parameters before it was called once")
        number = self._numbers[id(module)] = len(self.modules)
        described: dict[str, Any] = {"module": cls.__module__, "class": cls.__qualname__, "training": module.training}
        self.modules.append(described)
        where = f"{path}." if path else ""
        plain, lightning = torch.nn.Module(), _lightning(cls)
        # What Lightning's constructor sets (the trainer among it) is of the training; hyperparameters are data.
        passing = set() if lightning is None else vars(lightning()).keys() - vars(plain).keys()
        described["parameters"] = {
            name: None if value is None else {"tensor": self._tensor(value, where + name), "grad": value.requires_grad}
            for name, value in module._parameters.items()
        }
        lasting = module._non_persistent_buffers_set
        described["buffers"] = {
            name: None if value is None else {"tensor": self._tensor(value, where + name), "saved": name not in lasting}
            for name, value in module._buffers.items()
        }
        described["modules"] = {
            name: None if inner is None else self.add(inner, where + name) for name, inner in module._modules.items()
        }
        described["attributes"] = {}
        for name, value in vars(module).items():
            if name in _KEPT or name in passing or (name in _FLAT and isinstance(module, torch.nn.RNNBase)):
                continue
            if lightning is not None and name in _HPARAMS:
                if name == "_hparams":
                    described["hparams"] = self._value(dict(value), where + "hparams")
                continue
            if name in vars(plain):
                if value or (value is not None and value is not False and not hasattr(value, "__len__")):
                    raise NotPlain(f"{path or 'the module'} has hooks ({name.strip('_')}), which are code")
                continue
            described["attributes"][name] = self._value(value, where + name)
        return number

    def _tensor(self, value: Any, name: str) -> str:
        """Store a tensor, once; return its name."""
        known = self._names.get(id(value))
        if known is not None:
            return known
        if value.is_sparse or value.is_quantized:
            raise NotPlain(f"{name} is a sparse or quantized tensor")
        plain = value.detach().cpu().contiguous()
        if plain.data_ptr() in self._storages or plain.untyped_storage().nbytes() != plain.nbytes:
            plain = plain.clone()  # safetensors has no views
        self._storages.add(plain.data_ptr())
        self._names[id(value)] = name
        self.tensors[name] = plain
        return name

    def _value(self, value: Any, name: str) -> Any:
        import torch

        if value is None or isinstance(value, bool | str) or type(value) in (int, float):
            special = isinstance(value, float) and not math.isfinite(value)
            return {"~float": repr(value)} if special else value
        if isinstance(value, torch.nn.Module):
            return {"~module": self.add(value, name)}
        if isinstance(value, torch.Tensor):
            return {"~tensor": self._tensor(value, name), "grad": value.requires_grad}
        if isinstance(value, torch.dtype):
            return {"~dtype": str(value).removeprefix("torch.")}
        if isinstance(value, torch.device):
            return {"~device": str(value)}
        if type(value) is list:
            return [self._value(item, f"{name}.{number}") for number, item in enumerate(value)]
        if type(value) in (tuple, set, frozenset, torch.Size):
            items = [self._value(item, f"{name}.{number}") for number, item in enumerate(value)]
            return {f"~{type(value).__name__.lower()}": items}
        if isinstance(value, dict) and type(value).__name__ in ("dict", "OrderedDict"):
            kind = "~ordered" if type(value).__name__ == "OrderedDict" else "~dict"
            return {kind: [[self._value(k, name), self._value(v, f"{name}.{k}")] for k, v in value.items()]}
        if callable(value) and (found := _function_name(value)) is not None:
            return {"~function": found}
        raise NotPlain(f"{name} is {type(value).__module__}.{type(value).__qualname__}, which is no data")


class _Reader:
    def __init__(self, modules: list[dict[str, Any]], tensors: Mapping[str, Any], find_class: FindClass) -> None:
        self._described, self._tensors, self._find = modules, tensors, find_class
        self._made: dict[int, Any] = {}
        self._parameters: dict[str, Any] = {}

    def module(self, number: int) -> Any:
        import torch

        if number in self._made:
            return self._made[number]
        described = self._described[number]
        cls = self._find(str(described["module"]), str(described["class"]))
        if not (isinstance(cls, type) and issubclass(cls, torch.nn.Module)):
            raise ValueError(f"{described['module']}.{described['class']} is no torch.nn.Module")
        if (cls.__module__, cls.__qualname__) != (described["module"], described["class"]):
            raise ValueError(f"{described['class']} is not a class of {described['module']} itself")
        made: Any = cls.__new__(cls)
        (_lightning(cls) or torch.nn.Module).__init__(made)
        self._made[number] = made
        fresh = set(vars(made))
        own = vars(made)
        own["training"] = bool(described["training"])
        for name, entry in described["parameters"].items():
            own["_parameters"][name] = None if entry is None else self._parameter(entry)
        for name, entry in described["buffers"].items():
            own["_buffers"][name] = None if entry is None else self._tensors[entry["tensor"]]
            if entry is not None and not entry["saved"]:
                own["_non_persistent_buffers_set"].add(name)
        for name, inner in described["modules"].items():
            own["_modules"][name] = None if inner is None else self.module(inner)
        for name, value in described["attributes"].items():
            if name in fresh:
                raise ValueError(f"{name} is no attribute of a module's own")
            own[name] = self._value(value)
        if "hparams" in described:
            made.save_hyperparameters(self._value(described["hparams"]))
        if isinstance(made, torch.nn.RNNBase):
            made._init_flat_weights()
        return made

    def _parameter(self, entry: Mapping[str, Any]) -> Any:
        """Return a parameter; one that several modules share is shared again."""
        import torch

        name = entry["tensor"]
        if name not in self._parameters:
            self._parameters[name] = torch.nn.Parameter(self._tensors[name], requires_grad=bool(entry["grad"]))
        return self._parameters[name]

    def _value(self, value: Any) -> Any:
        import torch

        if isinstance(value, list):
            return [self._value(item) for item in value]
        if not isinstance(value, dict):
            return value
        kind, content = next(iter(value.items()))
        if kind in ("~list", "~tuple", "~set", "~frozenset"):
            return getattr(builtins, kind[1:])(self._value(item) for item in content)
        if kind == "~size":
            return torch.Size(content)
        if kind in ("~dict", "~ordered"):
            from collections import OrderedDict

            pairs = [(self._value(key), self._value(item)) for key, item in content]
            return OrderedDict(pairs) if kind == "~ordered" else dict(pairs)
        if kind == "~float":
            return float(content)
        if kind == "~module":
            return self.module(content)
        if kind == "~tensor":
            known = self._parameters.get(content)
            return known if known is not None else self._tensors[content].requires_grad_(bool(value["grad"]))
        if kind == "~dtype":
            found = getattr(torch, str(content))
            if not isinstance(found, torch.dtype):
                raise ValueError(f"{content} is no dtype")
            return found
        if kind == "~device":
            return torch.device(content)
        if kind == "~function":
            return _function(content)
        raise ValueError(f"{kind!r} is not known")


def _lightning(cls: type) -> Any:
    """Return the ``LightningModule`` that *cls* derives from, of whichever of its two packages; None without."""
    homes = ("lightning", "pytorch_lightning")
    found = (base for base in cls.__mro__ if base.__name__ == "LightningModule")
    return next((base for base in found if base.__module__.partition(".")[0] in homes), None)


def _found(module: str, name: str) -> Any:
    try:
        return import_class(module, name)
    except (ImportError, AttributeError):
        return None


def _function_name(value: Any) -> str | None:
    """Return the name of a function of torch's that :func:`_function` gives back."""
    name = str(getattr(value, "__name__", ""))
    for candidate in (f"torch.nn.functional.{name}", f"torch.{name}"):
        try:
            if _function(candidate) is value:
                return candidate
        except ValueError:
            continue
    return None


def _function(name: str) -> Any:
    """Return a function of torch's.

    Raises:
        ValueError: It is none that data may name.
    """
    import torch
    import torch.nn.functional

    module, _, last = name.rpartition(".")
    if module == "torch" and last in _FUNCTIONS:
        return getattr(torch, last)
    if module == "torch.nn.functional" and last in _functionals():
        return getattr(torch.nn.functional, last)
    raise ValueError(f"{name!r} is no function of torch.nn.functional")


def _functionals() -> set[str]:
    """Return the functions that compute something; torch.nn.functional also has imports and tools."""
    import torch.nn.functional as functions

    homes = ("torch.nn.functional", "torch._C._nn")
    return {
        name
        for name, value in vars(functions).items()
        if not name.startswith("_")
        and callable(value)
        and not isinstance(value, type)
        and getattr(value, "__module__", None) in homes
    }


def predict(module: Any, data: Any, params: Mapping[str, Any] | None = None) -> Any:
    """Return what *module* gives for a frame or an array, as MLflow's PyTorch models do.

    Raises:
        TypeError: The data are neither, or the module gives no single tensor.
    """
    import numpy as np
    import torch

    frame = type(data).__module__.partition(".")[0] == "pandas"
    if not frame and not isinstance(data, np.ndarray):
        raise TypeError(f"the data are {type(data).__name__}, expected a data frame or an array")
    array = data.to_numpy(dtype=np.float32) if frame else data
    first = next(iter(module.parameters()), None)
    device = "cpu" if first is None else first.device
    with torch.no_grad():
        found = module(torch.from_numpy(np.ascontiguousarray(array)).to(device), **(params or {}))
    if not isinstance(found, torch.Tensor):
        raise TypeError(f"the module gave {type(found).__name__}, expected a single tensor")
    answer = found.detach().cpu().numpy()
    if not frame:
        return answer
    import pandas as pd

    return pd.DataFrame(answer, index=data.index)


class _ForMlflow:
    """What ``mlflow.pyfunc`` calls."""

    def __init__(self, module: Any) -> None:
        self._module = module

    def get_raw_model(self) -> Any:
        return self._module

    def predict(self, data: Any, params: Mapping[str, Any] | None = None) -> Any:
        return predict(self._module, data, params)


def _load_pyfunc(path: str) -> Any:
    """Load the model in the folder *path* as MLflow's python_function, which trusts what it loads."""
    return _ForMlflow(load(path, import_class))
