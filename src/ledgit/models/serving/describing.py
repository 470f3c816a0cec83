"""What a served model takes and gives, for programs (OpenAPI) and for people (a page)."""

from __future__ import annotations

import html
import json
from typing import TYPE_CHECKING, Any

from ledgit._version import __version__
from ledgit.models.schema import ColSpec, ParamSpec, Schema, TensorSpec
from ledgit.models.types import AnyType, Array, DataType, Map, Object

if TYPE_CHECKING:
    from ledgit.models.serving.keeper import Served
    from ledgit.models.serving.settings import ServeSettings

__all__ = ["openapi", "page"]

_JSON: dict[DataType, dict[str, Any]] = {
    DataType.boolean: {"type": "boolean"},
    DataType.integer: {"type": "integer", "format": "int32"},
    DataType.long: {"type": "integer", "format": "int64"},
    DataType.float: {"type": "number", "format": "float"},
    DataType.double: {"type": "number", "format": "double"},
    DataType.string: {"type": "string"},
    DataType.binary: {"type": "string", "format": "byte"},
    DataType.datetime: {"type": "string", "format": "date-time"},
}


def openapi(served: Served, settings: ServeSettings) -> dict[str, Any]:
    """Return the OpenAPI 3.1 document of the server, made from the model's signature and input example."""
    metadata = served.model.metadata
    schemas = {"Request": _request(metadata), "Predictions": _predictions(metadata), "Error": _ERROR}
    content: dict[str, Any] = {"schema": {"$ref": "#/components/schemas/Request"}}
    example = example_of(served)
    if example is not None:
        content["example"] = example
    said = {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}}
    answers = {
        "200": {
            "description": "What the model predicts, a row each.",
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Predictions"}}},
        },
        "400": {"description": "The input is not what the model takes; the column is named.", **said},
        "413": {"description": f"More than {settings.max_body:,} bytes.", **said},
        "415": {"description": "Another media type.", **said},
        "500": {"description": "The model failed.", **said},
        "503": {"description": "Too many requests at a time.", **said},
        "504": {"description": f"No answer within {settings.timeout:g} s.", **said},
    }
    text = {"schema": {"type": "string"}}
    body = {
        "required": True,
        "content": {"application/json": content, "text/csv": text, "application/vnd.apache.parquet": text},
    }
    predict = {"summary": "Predict", "operationId": "predict", "requestBody": body, "responses": answers}
    paths: dict[str, Any] = {"/invocations": {"post": predict}}
    for path, summary in (
        ("/health", "Whether the server is ready"),
        ("/ping", "The same"),
        ("/version", "Ledgit's version"),
        ("/model", "Which model answers"),
        ("/metrics", "What is counted, for Prometheus"),
    ):
        paths[path] = {"get": {"summary": summary, "responses": {"200": {"description": "OK"}}}}
    info = {"title": served.name, "version": served.version or "unregistered", "description": f"{served}"}
    return {"openapi": "3.1.0", "info": info, "paths": paths, "components": {"schemas": schemas}}


_ERROR = {
    "type": "object",
    "required": ["error_code", "message"],
    "properties": {
        "error_code": {"type": "string"},
        "message": {"type": "string"},
        "column": {"type": "string", "description": "The column, tensor or param it is about."},
    },
}


def _request(metadata: Any) -> dict[str, Any]:
    """Return the schema of a request: one of four ways to say the data, and params."""
    schema, allowed = metadata.get_input_schema(), metadata.get_params_schema()
    params: dict[str, Any] = {"type": "object"}
    if allowed is not None:
        params["properties"] = {
            one.name: {
                **(
                    _JSON.get(one.dtype, {})
                    if one.shape is None
                    else {"type": "array", "items": _JSON.get(one.dtype, {})}
                ),
                "default": json.loads(json.dumps(one.to_dict()["default"], default=str)),
            }
            for one in allowed.params
        }
    ways: dict[str, Any] = {}
    if schema is None or not schema.is_tensor_spec():
        row, names = _row(schema)
        data = {"type": "array", "items": {"type": "array"}}
        columns: dict[str, Any] = {"type": "array", "items": {"type": "string"}}
        if names:
            columns["examples"] = [names]
        ways["dataframe_split"] = {
            "type": "object",
            "required": ["data"],
            "properties": {"columns": columns, "data": data, "index": {"type": "array"}},
        }
        ways["dataframe_records"] = {"type": "array", "items": row}
    tensors = _tensors(schema)
    ways["inputs"], ways["instances"] = tensors, {"type": "array"}
    return {
        "oneOf": [
            {"type": "object", "required": [name], "properties": {name: way, "params": params}, "title": name}
            for name, way in ways.items()
        ]
    }


def _param(spec: ParamSpec) -> dict[str, Any]:
    kind = _type(spec.dtype)
    if spec.shape is not None:
        kind = {"type": "array", "items": kind}
    return {**kind, "default": json.loads(json.dumps(spec.to_dict()["default"], default=str))}


def _row(schema: Schema | None) -> tuple[dict[str, Any], list[str]]:
    if schema is None or not schema.has_input_names():
        return {"type": "object"}, []
    names = [str(name) for name in schema.input_names()]
    return {
        "type": "object",
        "required": [str(name) for name in schema.required_input_names()],
        "properties": {str(one.name): _type(one.type) for one in schema.inputs},
    }, names


def _tensors(schema: Schema | None) -> dict[str, Any]:
    if schema is None or not schema.is_tensor_spec():
        return {}
    found = {str(one.name): _tensor(one) for one in schema.inputs if isinstance(one, TensorSpec)}
    if schema.has_input_names():
        return {"type": "object", "required": list(found), "properties": found}
    return next(iter(found.values()))


def _tensor(spec: TensorSpec) -> dict[str, Any]:
    kinds = {"b": "boolean", "i": "integer", "u": "integer", "f": "number"}
    schema: dict[str, Any] = {"type": kinds[spec.type.kind]} if spec.type.kind in kinds else {}
    for size in reversed(spec.shape):
        schema = {"type": "array", "items": schema}
        if size >= 0:
            schema |= {"minItems": size, "maxItems": size}
    return {**schema, "description": f"{spec.type.name} {spec.shape}"}


def _type(kind: Any) -> dict[str, Any]:
    """Return JSON Schema for a column's type."""
    if isinstance(kind, DataType):
        return dict(_JSON[kind])
    if isinstance(kind, Array):
        return {"type": "array", "items": _type(kind.dtype)}
    if isinstance(kind, Map):
        return {"type": "object", "additionalProperties": _type(kind.value_type)}
    if isinstance(kind, Object):
        return {
            "type": "object",
            "required": [one.name for one in kind.properties if one.required],
            "properties": {one.name: _type(one.dtype) for one in kind.properties},
        }
    assert isinstance(kind, AnyType) or kind is not None
    return {}


def _predictions(metadata: Any) -> dict[str, Any]:
    schema = metadata.get_output_schema()
    item: dict[str, Any] = {}
    if schema is not None and not schema.is_tensor_spec():
        only = schema.inputs[0]
        if len(schema) == 1 and isinstance(only, ColSpec) and only.name is None:
            item = _type(only.type)
        elif schema.has_input_names():
            item = _row(schema)[0]
    return {
        "type": "object",
        "required": ["predictions"],
        "properties": {"predictions": {"type": "array", "items": item} if item else {}},
    }


def example_of(served: Served) -> Any:
    """Return the body of a request: the one saved with the model, or one made up from its signature."""
    saved = served.example
    if saved is not None:
        return saved
    schema = served.model.input_schema
    if schema is None or schema.is_tensor_spec() or not schema.has_input_names():
        return None
    made_up = {"boolean": True, "integer": 1, "long": 1, "float": 0.5, "double": 0.5, "string": "text"}
    values = [made_up.get(getattr(one.type, "name", "")) for one in schema.inputs]
    return {"dataframe_split": {"columns": [str(name) for name in schema.input_names()], "data": [values]}}


def page(served: Served, settings: ServeSettings) -> str:
    """Return a page for people, which loads nothing from anywhere else."""
    metadata = served.model.metadata
    parts = [_table("Takes", metadata.get_input_schema()), _table("Gives", metadata.get_output_schema())]
    allowed = metadata.get_params_schema()
    if allowed is not None:
        rows = "".join(
            f"<tr><td>{_text(one.name)}<td>{_text(repr(one.dtype))}<td>{_text(str(one.default))}"
            for one in allowed.params
        )
        parts.append(f"<h2>Params</h2><table><tr><th>name<th>type<th>default{rows}</table>")
    body = json.dumps(example_of(served) or {"inputs": []}, indent=2, default=str)
    return _PAGE.format(
        title=_text(served.name),
        model=_text(str(served)),
        uri=_text(settings.uri),
        flavor=_text(served.model.flavor),
        parts="\n".join(parts),
        body=_text(body),
        version=__version__,
    )


def _table(title: str, schema: Schema | None) -> str:
    if schema is None:
        return f"<h2>{title}</h2><p>The model has no signature, so nothing is checked."
    rows = []
    for name, one in zip(schema.input_names(), schema.inputs, strict=True):
        kind = repr(one.type) if isinstance(one, ColSpec) else f"{one.type.name} {one.shape}"
        need = "" if one.required else "optional"
        rows.append(f"<tr><td>{_text(str(name))}<td>{_text(kind)}<td>{need}")
    return f"<h2>{title}</h2><table><tr><th>name<th>type<th>{''.join(rows)}</table>"


def _text(text: str) -> str:
    return html.escape(text, quote=True)


_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 52rem; margin: 2rem auto; padding: 0 1rem; }}
table {{ border-collapse: collapse; }} td, th {{ text-align: left; padding: .15rem 1.5rem .15rem 0; }}
textarea {{ width: 100%; height: 12rem; font: 14px/1.4 monospace; }} pre {{ white-space: pre-wrap; }}
:root {{ color-scheme: light dark; }}
</style>
<h1>{title}</h1>
<p>{model}, a {flavor} model, from <code>{uri}</code>.
{parts}
<h2>Try it</h2>
<form id="form"><label for="body">POST /invocations</label>
<textarea id="body" spellcheck="false">{body}</textarea>
<p><button>Predict</button></form>
<pre id="answer" aria-live="polite"></pre>
<p><a href="openapi.json">OpenAPI</a> · <a href="model">model</a> · <a href="metrics">metrics</a> · Ledgit {version}
<script>
document.getElementById("form").addEventListener("submit", async event => {{
  event.preventDefault();
  const answer = document.getElementById("answer");
  try {{
    const said = await fetch("invocations", {{
      method: "POST", headers: {{ "Content-Type": "application/json" }}, body: document.getElementById("body").value,
    }});
    answer.textContent = said.status + "\\n" + JSON.stringify(await said.json(), null, 2);
  }} catch (error) {{ answer.textContent = String(error); }}
}});
</script>
</html>
"""
