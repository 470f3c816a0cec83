"""What a model takes and gives: inputs, outputs and params, given or told from data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ledgit.errors import UsageError
from ledgit.models.inference import infer_params, infer_schema
from ledgit.models.schema import ColSpec, ParamSchema, Schema
from ledgit.models.types import AnyType

__all__ = ["ModelSignature", "infer_signature"]


class ModelSignature:
    """The schemas of a model's inputs, outputs and params; at least one is there.

    Raises:
        UsageError: None is, or one is something else.
    """

    def __init__(
        self, inputs: Schema | None = None, outputs: Schema | None = None, params: ParamSchema | None = None
    ) -> None:
        for what, value, kind in (
            ("inputs", inputs, Schema),
            ("outputs", outputs, Schema),
            ("params", params, ParamSchema),
        ):
            if value is not None and not isinstance(value, kind):
                raise UsageError(f"the {what} of a signature are {type(value).__name__}, expected a {kind.__name__}")
        if inputs is None and outputs is None and params is None:
            raise UsageError("a signature needs inputs, outputs or params")
        self.inputs, self.outputs, self.params = inputs, outputs, params

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ModelSignature) and (self.inputs, self.outputs, self.params) == (
            other.inputs,
            other.outputs,
            other.params,
        )

    def __hash__(self) -> int:
        return hash(repr(self))

    def __repr__(self) -> str:
        return f"inputs: \n  {self.inputs!r}\noutputs: \n  {self.outputs!r}\nparams: \n  {self.params!r}\n"

    def to_dict(self) -> dict[str, str | None]:
        """Return it as an MLmodel has it: each schema as JSON, None where there is none."""
        return {
            "inputs": self.inputs.to_json() if self.inputs else None,
            "outputs": self.outputs.to_json() if self.outputs else None,
            "params": self.params.to_json() if self.params else None,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> ModelSignature:
        """Return the signature that an MLmodel tells.

        Raises:
            UsageError: It does not decode.
        """
        inputs, outputs, params = (data.get(key) for key in ("inputs", "outputs", "params"))
        return cls(
            Schema.from_json(inputs) if inputs else None,
            Schema.from_json(outputs) if outputs else None,
            ParamSchema.from_json(params) if params else None,
        )


def infer_signature(
    model_input: Any = None, model_output: Any = None, params: dict[str, Any] | None = None
) -> ModelSignature:
    """Tell a signature from data: (part of) the training set, what the model predicts for it, default params.

    Frames, series, records, dictionaries and scalars give columns; NumPy arrays and dictionaries of them give
    tensors. A column with missing values is optional. Data of no known type is ``Any``, with a warning.

    Args:
        model_input: What the model takes.
        model_output: What it gives for that.
        params: Params of prediction, with their defaults.

    Raises:
        UsageError: Nothing is given, or a param has no type that a signature knows.
    """
    return ModelSignature(
        None if model_input is None else _schema(model_input, "input"),
        None if model_output is None else _schema(model_output, "output"),
        infer_params(params) if params else None,
    )


def _schema(data: Any, what: str) -> Schema:
    try:
        return infer_schema(data)
    except UsageError as error:
        from ledgit.tracking.session import report

        report(f"{error}; nothing will be checked", f"the signature of the model's {what} is 'any'")
        return Schema([ColSpec(AnyType())])
