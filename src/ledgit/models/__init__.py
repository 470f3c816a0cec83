"""Models: MLflow's format both ways, safe formats first.

::

    mlmodel       the MLmodel file;  names  what a model is called
    types, schema, signature    what a model takes and gives;  inference  told from data
    enforce       input checked against it, by columns, values, tensors;  params
    payload       JSON as input;  example  input examples
    requirements  what a model needs installed
    flavors/      one module a library, behind one protocol;  faces  their functions
    saving        models become folders and artifacts;  loading  and back
    uris, sources where a model is;  consent, made  whose code may run;  paths
    evaluation/   metrics, slices, importance, plots

The names here are ``mlflow.models``' own, and ``save``, ``log``, ``load`` and ``evaluate``, which find
the flavor out. Nothing is imported before it is used; see ``ledgit/__init__.py``.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ledgit.models.enforce import validate_schema
    from ledgit.models.evaluation import (
        EvaluationArtifact,
        EvaluationMetric,
        EvaluationResult,
        MetricValue,
        Slice,
        evaluate,
        make_metric,
    )
    from ledgit.models.example import convert_input_example_to_serving_input
    from ledgit.models.flavors import Flavor, flavor_for, get_flavor
    from ledgit.models.flavors.from_code import ModelConfig, set_model
    from ledgit.models.loading import PyFuncModel, get_model_info, load_input_example
    from ledgit.models.mlmodel import Model, ModelInfo
    from ledgit.models.requirements import check_requirements
    from ledgit.models.schema import ColSpec, ParamSchema, ParamSpec, Schema, TensorSpec
    from ledgit.models.signature import ModelSignature, infer_signature
    from ledgit.models.types import AnyType, Array, DataType, Map, Object, Property
    from ledgit.models.uris import ModelSource, find_model
    from ledgit.models.verbs import load, log, predict, save, set_signature, validate_serving_input

_MODULE_OF = {
    "AnyType": "types",
    "Array": "types",
    "ColSpec": "schema",
    "DataType": "types",
    "EvaluationArtifact": "evaluation",
    "EvaluationMetric": "evaluation",
    "EvaluationResult": "evaluation",
    "Flavor": "flavors",
    "Map": "types",
    "MetricValue": "evaluation",
    "Model": "mlmodel",
    "ModelConfig": "flavors.from_code",
    "ModelInfo": "mlmodel",
    "ModelSignature": "signature",
    "ModelSource": "uris",
    "Object": "types",
    "ParamSchema": "schema",
    "ParamSpec": "schema",
    "Property": "types",
    "PyFuncModel": "loading",
    "Schema": "schema",
    "Slice": "evaluation",
    "TensorSpec": "schema",
    "check_requirements": "requirements",
    "convert_input_example_to_serving_input": "example",
    "evaluate": "evaluation",
    "find_model": "uris",
    "flavor_for": "flavors",
    "get_flavor": "flavors",
    "get_model_info": "loading",
    "infer_signature": "signature",
    "load": "verbs",
    "load_input_example": "loading",
    "log": "verbs",
    "make_metric": "evaluation",
    "predict": "verbs",
    "save": "verbs",
    "set_model": "flavors.from_code",
    "set_signature": "verbs",
    "validate_schema": "enforce",
    "validate_serving_input": "verbs",
}

__all__ = [
    "AnyType",
    "Array",
    "ColSpec",
    "DataType",
    "EvaluationArtifact",
    "EvaluationMetric",
    "EvaluationResult",
    "Flavor",
    "Map",
    "MetricValue",
    "Model",
    "ModelConfig",
    "ModelInfo",
    "ModelSignature",
    "ModelSource",
    "Object",
    "ParamSchema",
    "ParamSpec",
    "Property",
    "PyFuncModel",
    "Schema",
    "Slice",
    "TensorSpec",
    "check_requirements",
    "convert_input_example_to_serving_input",
    "evaluate",
    "find_model",
    "flavor_for",
    "get_flavor",
    "get_model_info",
    "infer_signature",
    "load",
    "load_input_example",
    "log",
    "make_metric",
    "predict",
    "save",
    "set_model",
    "set_signature",
    "validate_schema",
    "validate_serving_input",
]


def __getattr__(name: str) -> Any:
    module = _MODULE_OF.get(name)
    if module is None:
        raise AttributeError(f"module 'ledgit.models' has no attribute {name!r}", name=name, obj=sys.modules[__name__])
    value = getattr(__import__(f"ledgit.models.{module}", fromlist=[name]), name)  # see ledgit/__init__.py
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
