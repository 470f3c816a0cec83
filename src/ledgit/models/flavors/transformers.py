"""Transformers: pipelines and models as their libraries store them, weights in safetensors.

``model/`` (``save_pretrained``) and ``components/<name>/`` for tokenizers and their like, with MLflow's keys: ``task``,
``instance_type``, ``pipeline_model_type``, ``model_binary``, ``components``, ``tokenizer_type`` … Nothing is fetched
from a hub. Weights that are a pickle, and models whose code goes along, need consent.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar

from ledgit.errors import InvalidValue, RecordError, UsageError
from ledgit.models.consent import Trust
from ledgit.models.flavors import BaseFlavor, Predictor, Saved, Stored, import_library, types_from
from ledgit.models.flavors.transformers_answers import Answers
from ledgit.models.paths import inside

__all__ = ["FLAVOR", "Transformers"]

MODEL, COMPONENTS = "model", "components"
KINDS = ("feature_extractor", "tokenizer", "image_processor")
PROCESSOR = "processor"
#: What Transformers reads if it is there, and else pickles.
SAFE_WEIGHTS = ("model.safetensors", "model.safetensors.index.json")
#: What a part's class must derive from: other classes may read anything in other ways.
BASES = {
    "model": "PreTrainedModel",
    "tokenizer": "PreTrainedTokenizerBase",
    "feature_extractor": "FeatureExtractionMixin",
    "image_processor": "ImageProcessingMixin",
    "processor": "ProcessorMixin",
}


class Transformers(BaseFlavor):
    """``transformers.Pipeline``, ``PreTrainedModel``, and a dictionary of a pipeline's parts."""

    name = "transformers"
    loader_module = "mlflow.transformers"
    package = "transformers"
    module = "transformers"
    argument = "transformers_model"
    save_options: ClassVar[Mapping[str, Any]] = MappingProxyType(
        {"task": None, "tokenizer": None, "processor": None, "model_config": None, "torch_dtype": None,
         "save_pretrained": True, "model_card": None}
    )  # fmt: skip
    load_options: ClassVar[Mapping[str, Any]] = MappingProxyType(
        {"return_type": None, "device": None, "torch_dtype": None}
    )

    def recognizes(self, model: object) -> bool:
        """Whether it is a pipeline, a model, or a dictionary with such a model."""
        found = model.get("model") if isinstance(model, dict) else model
        return "transformers" in types_from(found) and (hasattr(found, "save_pretrained") or hasattr(found, "task"))

    def save(self, model: Any, folder: str, options: Mapping[str, Any]) -> Saved:
        """Write the model's weights and configuration, and those of what goes with it."""
        transformers = import_library(self)
        if not options["save_pretrained"]:
            raise UsageError("Ledgit keeps the weights of a model; leave out save_pretrained=False")
        pipeline, inner, parts = _taken_apart(transformers, model, options)
        try:
            inner.save_pretrained(os.path.join(folder, MODEL))
            for name, part in parts.items():
                part.save_pretrained(os.path.join(folder, COMPONENTS, name))
        except (ValueError, TypeError, RuntimeError) as error:
            raise UsageError(f"Transformers can't save the model: {error}") from error
        dtype = options["torch_dtype"] or getattr(inner, "dtype", None)
        flavor = {
            "transformers_version": transformers.__version__,
            "task": None if pipeline is None else pipeline.task,
            "instance_type": type(inner if pipeline is None else pipeline).__name__,
            "torch_dtype": None if dtype is None or str(dtype) == "torch.float32" else str(dtype),
            "pipeline_model_type": type(inner).__name__,
            "source_model_name": str(getattr(inner, "name_or_path", "")),
            "model_binary": MODEL,
            "components": [name for name in parts if name != PROCESSOR],
            **{f"{name}_type": type(part).__name__ for name, part in parts.items()},
        }
        config = options["model_config"]
        pyfunc = {} if config is None else {"config": dict(config)}
        usable = pipeline is not None and PROCESSOR not in parts
        return Saved(
            flavor=flavor, pyfunc=pyfunc if usable else None, packages=("torch",), objects=(inner, *parts.values())
        )

    def load(self, stored: Stored, trust: Trust, options: Mapping[str, Any]) -> Any:
        """Read the pipeline, or its parts.

        Args:
            stored: Where it is.
            trust: Needed for pickled weights, and for models whose code goes along.
            options: ``return_type``: ``pipeline``, or ``components`` for a dictionary of the parts; by default what
                was saved; ``device`` and ``torch_dtype``: where to, and as what.
        """
        transformers = import_library(self)
        kind, entry = options["return_type"], stored.flavor
        if kind not in (None, "pipeline", "components"):
            raise InvalidValue("return_type", kind, "pipeline or components")
        if "model_binary" not in entry:
            raise UsageError(f"{trust.model} is without its weights, which Ledgit does not fetch from a hub")
        if entry.get("peft_adaptor"):
            raise UsageError(f"{trust.model} is an adaptor for another model, which Ledgit can't load yet")
        dtype = options["torch_dtype"] or "auto"
        parts = {"model": _load_model(transformers, stored, trust, dtype)}
        names = [*(entry.get("components") or ()), *([PROCESSOR] if entry.get("processor_type") else ())]
        for name in names:
            parts[name] = _load_part(transformers, stored, trust, str(name))
        task = entry.get("task")
        if kind == "components":
            return parts
        if task is None or PROCESSOR in parts:
            if kind == "pipeline" or len(parts) > 1:
                return parts if kind is None else _no_pipeline(trust)
            return parts["model"]
        device = {} if options["device"] is None else {"device": options["device"]}
        try:
            return transformers.pipeline(task=str(task), **parts, **device)
        except (KeyError, ValueError, TypeError) as error:
            raise RecordError(trust.model, f"its parts make no pipeline for {task!r}: {error}") from error

    def predictor(self, model: Any, stored: Stored) -> Predictor:
        """Return what asks the pipeline, in MLflow's forms of questions and answers."""
        pipeline = model
        if isinstance(model, dict) and "task" in stored.flavor:
            transformers = import_library(self)
            pipeline = transformers.pipeline(task=stored.flavor["task"], **model)
        return Answers(pipeline, stored.pyfunc.get("config") or {})


def _no_pipeline(trust: Trust) -> Any:
    raise UsageError(f"{trust.model} was saved without a task, so it is no pipeline; leave out return_type")


def _taken_apart(transformers: Any, model: Any, options: Mapping[str, Any]) -> tuple[Any, Any, dict[str, Any]]:
    """Return the pipeline if there is one, its model, and what goes with it by name."""
    if isinstance(model, transformers.Pipeline):
        found = {name: getattr(model, name, None) for name in KINDS}
        pipeline, inner = model, model.model
    else:
        found = {key: value for key, value in model.items() if key != "model"} if isinstance(model, Mapping) else {}
        inner = model.get("model") if isinstance(model, Mapping) else model
        if not hasattr(inner, "save_pretrained"):
            raise InvalidValue("the model", model, "a transformers.Pipeline, a model, or a dictionary with 'model'")
        if options["tokenizer"] is not None:
            found["tokenizer"] = options["tokenizer"]
        if unknown := found.keys() - set(KINDS):
            raise InvalidValue("the model's parts", sorted(unknown), f"model and some of {', '.join(KINDS)}")
        pipeline = None
    parts = {name: part for name, part in found.items() if part is not None}
    if pipeline is None and options["task"] is not None:
        try:
            pipeline = transformers.pipeline(task=options["task"], model=inner, **parts)
        except (KeyError, ValueError, TypeError) as error:
            raise UsageError(
                f"Transformers makes no pipeline for {options['task']!r} of these parts: {error}"
            ) from error
    if options["processor"] is not None:
        parts[PROCESSOR] = options["processor"]
    return pipeline, inner, parts


def _load_model(transformers: Any, stored: Stored, trust: Trust, dtype: Any) -> Any:
    name = str(stored.flavor["model_binary"])
    path = inside(stored.folder, name)
    safe = any(os.path.isfile(os.path.join(path, file)) for file in SAFE_WEIGHTS)
    if not safe:
        trust.require(f"the pickled weights in {name}/")
    cls = _class(transformers, stored.flavor.get("pipeline_model_type"), "model")
    remote = cls is None
    if remote:
        trust.require(f"the model's own code in {name}/")
        cls = transformers.AutoModel
    as_type = {"dtype" if int(transformers.__version__.partition(".")[0]) >= 5 else "torch_dtype": dtype}
    return _from_folder(
        cls, path, f"{trust.model} ({name}/)", trust_remote_code=remote, use_safetensors=safe, **as_type
    )


def _load_part(transformers: Any, stored: Stored, trust: Trust, name: str) -> Any:
    if name not in (*KINDS, PROCESSOR):
        raise RecordError(trust.model, f"its part {name!r} is none of {', '.join((*KINDS, PROCESSOR))}")
    path = inside(stored.folder, os.path.join(COMPONENTS, name))
    cls = _class(transformers, stored.flavor.get(f"{name}_type"), name)
    remote = cls is None
    if remote:
        trust.require(f"the {name}'s own code in {COMPONENTS}/{name}/")
        cls = getattr(transformers, "Auto" + "".join(part.capitalize() for part in name.split("_")))
    return _from_folder(cls, path, f"{trust.model} ({COMPONENTS}/{name}/)", trust_remote_code=remote)


def _class(transformers: Any, name: Any, part: str) -> Any:
    """Return the class of Transformers' that a file names for a part; None if it is none that such a part can be of."""
    found = getattr(transformers, str(name), None)
    base = getattr(transformers, BASES[part])
    return found if isinstance(found, type) and issubclass(found, base) else None


def _from_folder(cls: Any, path: str, where: str, **options: Any) -> Any:
    if not os.path.isdir(path):  # or the name would be looked up on a hub
        raise RecordError(where, "the folder is not there")
    try:
        return cls.from_pretrained(path, local_files_only=True, **options)
    except Exception as error:
        # json's, tokenizers' (made in Rust, without a base), safetensors' and built-in errors alike.
        said = str(error).strip().splitlines()
        raise RecordError(where, f"Transformers can't read it: {said[0] if said else type(error).__name__}") from error


FLAVOR = Transformers()
