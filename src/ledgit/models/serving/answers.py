"""Predictions as JSON: MLflow's ``{"predictions": [...]}``."""

from __future__ import annotations

from typing import Any

__all__ = ["answer", "plain"]


def answer(predictions: Any) -> bytes:
    """Return the body that tells *predictions*: arrays as lists, frames as records; what is no number is null.

    Raises:
        TypeError: They are of a type that JSON has nothing for.
    """
    import orjson

    try:
        return orjson.dumps(
            {"predictions": plain(predictions)},
            default=_default,
            option=orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS,
        )
    except orjson.JSONEncodeError as error:
        raise TypeError(str(error)) from None


def plain(predictions: Any) -> Any:
    """Return *predictions* as lists, dictionaries and scalars, rows first, as MLflow's servers do."""
    module = type(predictions).__module__.partition(".")[0]
    if module == "pandas":
        if hasattr(predictions, "to_frame") and not hasattr(predictions, "columns"):
            predictions = predictions.to_frame()
        if hasattr(predictions, "to_dict"):
            return predictions.to_dict(orient="records")
    return predictions


def _default(value: Any) -> Any:
    """Return something that orjson knows for what it doesn't."""
    if hasattr(value, "detach"):  # a tensor of PyTorch's
        value = value.detach().cpu().numpy()
    if hasattr(value, "toarray"):  # SciPy's sparse matrices
        value = value.toarray()
    if isinstance(value, bytes | bytearray):
        import base64

        return base64.b64encode(value).decode("ascii")
    if isinstance(value, set | frozenset):
        return sorted(value, key=repr)
    if hasattr(value, "to_dict"):
        return value.to_dict(orient="records") if hasattr(value, "columns") else value.to_dict()
    if hasattr(value, "isoformat"):
        return value.isoformat()
    if hasattr(value, "tolist"):  # arrays of types or orders that orjson doesn't read
        return value.tolist()
    raise TypeError(
        f"a prediction is a {type(value).__module__}.{type(value).__qualname__}, which JSON has nothing for"
    )
