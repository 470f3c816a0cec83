"""What a request asks for: MLflow's scoring protocol, JSON, CSV or Parquet."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from ledgit.errors import InvalidModelInput, LedgitError, UsageError
from ledgit.models import payload

if TYPE_CHECKING:
    from ledgit.models.schema import Schema
    from ledgit.models.serving.keeper import Served

__all__ = ["CSV", "JSON", "PARQUET", "Refused", "media_type", "parse"]

JSON, CSV = "application/json", "text/csv"
PARQUET = ("application/vnd.apache.parquet", "application/x-parquet")
_DEEPEST = 64  # levels of nesting; what goes deeper is no data


class Refused(LedgitError):
    """A request that is not answered with a prediction.

    Attributes:
        status: HTTP's status.
        reason: One sentence.
        name: The column, tensor or param it is about, or ''.
    """

    def __init__(self, status: int, reason: str, name: str = "") -> None:
        Exception.__init__(self, status, reason, name)
        self.status, self.reason, self.name = status, reason, name

    def __str__(self) -> str:
        return self.reason


def media_type(header: str) -> str:
    """Return what a ``Content-Type`` header says, in lower case, without its parameters.

    Raises:
        Refused: It is nothing that can be read, or not UTF-8.
    """
    kind, *rest = (part.strip() for part in header.split(";"))
    kind = kind.lower()
    if kind not in {JSON, CSV, *PARQUET}:
        known = ", ".join((JSON, CSV, PARQUET[0]))
        raise Refused(415, f"the Content-Type is {kind or 'not given'}, expected one of {known}")
    for parameter in rest:
        name, _, value = parameter.partition("=")
        if name.strip().lower() != "charset":
            raise Refused(415, f"the Content-Type has {parameter!r}, and only a charset is known")
        if value.strip().strip('"').lower() not in {"utf-8", "utf8"}:
            raise Refused(415, f"the charset is {value}, and only UTF-8 is read")
    return kind


def parse(body: bytes, kind: str, served: Served) -> tuple[Any, dict[str, Any] | None, bool]:
    """Return data, params, and whether the data is known to fit the model's signature.

    Args:
        body: All of it.
        kind: What :func:`media_type` returned.
        served: The model that is asked.

    Raises:
        Refused, InvalidModelInput: It is nothing to predict on.
    """
    schema = served.model.input_schema
    if kind == JSON:
        request = _json(body)
        if served.quick is not None:
            frame = served.quick.frame(request)
            if frame is not None:
                return frame, None, True
        return *_from_json(request, schema), False
    if not body:
        raise Refused(400, "the request has no body")
    return (_csv(body, schema) if kind == CSV else _parquet(body)), None, False


def _json(body: bytes) -> dict[str, Any]:
    """Return the object that *body* is; NaN and Infinity are read as Python writes them."""
    import orjson

    try:
        request = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        request = _lenient(body, error)
    if not isinstance(request, dict):
        kind = {list: "a list", str: "a text", type(None): "null"}.get(type(request), f"a {type(request).__name__}")
        raise Refused(400, f"the request is {kind}, expected an object with one of {', '.join(payload.KINDS)}")
    return request


def _lenient(body: bytes, error: ValueError) -> Any:
    import json

    if b"NaN" not in body and b"Infinity" not in body:
        raise Refused(400, f"the request is no JSON: {error}" if body else "the request has no body")
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise Refused(400, f"the request is no JSON: {error}") from None


def _from_json(request: dict[str, Any], schema: Schema | None) -> tuple[Any, dict[str, Any] | None]:
    if any(_depth(content) > _DEEPEST for content in request.values()):
        raise Refused(400, f"the request is nested deeper than {_DEEPEST} levels")
    try:
        return payload.read_request(request, schema)
    except InvalidModelInput:
        raise
    except UsageError as error:
        raise Refused(400, str(error)) from None


def _depth(content: Any) -> int:
    """Return how deep *content* is nested, looking along its first items and no further than needed."""
    depth, level = 0, [content]
    while level and depth <= _DEEPEST:
        depth += 1
        level = [
            child
            for one in level
            if isinstance(one, dict | list)
            for child in (one.values() if isinstance(one, dict) else one[:1])
            if isinstance(child, dict | list)
        ]
    return depth


def _csv(body: bytes, schema: Schema | None) -> Any:
    try:
        return payload.frame_from_csv(body.decode("utf-8-sig"), schema)
    except InvalidModelInput:
        raise
    except (UsageError, UnicodeDecodeError) as error:
        raise Refused(400, " ".join(str(error).split())) from None


def _parquet(body: bytes) -> Any:
    import pandas as pd

    try:
        return pd.read_parquet(io.BytesIO(body))
    except ImportError:
        raise Refused(415, "Parquet needs pyarrow on the server; send JSON or CSV") from None
    except (ValueError, OSError) as error:
        raise Refused(400, f"the request is no Parquet: {' '.join(str(error).split())}") from None
