"""What can be done with a model of any flavor: ``save``, ``log``, ``load``, ``predict``, and MLflow's smaller verbs."""

from __future__ import annotations

import json
import os
from typing import Any

from ledgit.errors import InvalidValue, UsageError
from ledgit.models.faces import Face
from ledgit.models.flavors import flavor_for
from ledgit.models.loading import load_model, load_native, native_flavor
from ledgit.models.mlmodel import FILE, Model, ModelInfo
from ledgit.models.signature import ModelSignature
from ledgit.models.uris import find_model

__all__ = ["load", "log", "predict", "save", "set_signature", "validate_serving_input"]


def save(model: Any, path: str | os.PathLike[str], **kwargs: Any) -> Model:
    """Save a model of any library into a new folder; its flavor is found out.

    Args:
        model: The model.
        path: A folder that does not exist yet.
        **kwargs: As for :meth:`ledgit.models.faces.Face.save_model`.

    Raises:
        FlavorNotFound: No flavor knows this kind of model.
    """
    return Face(flavor_for(model).name).save_model(model, path, **kwargs)


def log(model: Any, name: str, **kwargs: Any) -> ModelInfo:
    """Log a model of any library to the active run; its flavor is found out.

    Args:
        model: The model.
        name: Its folder among the run's artifacts.
        **kwargs: As for :meth:`ledgit.models.faces.Face.log_model`.

    Raises:
        FlavorNotFound: No flavor knows this kind of model.
    """
    return Face(flavor_for(model).name).log_model(model, name, **kwargs)


def load(model_uri: str, trust: bool | None = None, **options: Any) -> Any:
    """Load a model as its library's own object; one written in Python as something that predicts.

    Args:
        model_uri: See :func:`ledgit.models.find_model`.
        trust: Whether code of its maker may run; None to find out.
        **options: What only its flavor has.
    """
    flavor = native_flavor(find_model(model_uri).metadata())
    if flavor.name == "pyfunc":
        return load_model(model_uri, trust=trust, **options)
    if unknown := options.keys() - flavor.load_options.keys():
        raise UsageError(f"{flavor.name} models have no option {', '.join(sorted(unknown))} for loading")
    return load_native(model_uri, flavor, trust, {**flavor.load_options, **options})


def predict(
    model_uri: str,
    input_data: Any = None,
    input_path: str | None = None,
    content_type: str = "json",
    output_path: str | None = None,
    params: dict[str, Any] | None = None,
    trust: bool | None = None,
) -> Any:
    """Return what a model predicts, in this process, for data or for a file in the form of a server's request.

    Args:
        model_uri: The model.
        input_data: Data; text is read as a request's body.
        input_path: A file with a request's body, instead.
        content_type: ``json`` or ``csv``: what the text or the file is.
        output_path: Also write ``{"predictions": …}`` there.
        params: Params of prediction.
        trust: Whether code of the model's maker may run; None to find out.

    Raises:
        UsageError: Both or neither of data and file are given, or the text does not decode.
        InvalidModelInput: It does not fit the model's signature.
    """
    from ledgit.models import payload

    if (input_data is None) == (input_path is None):
        raise UsageError("predict needs input_data or input_path, one of them")
    model = load_model(model_uri, trust=trust)
    if input_path is not None:
        try:
            with open(input_path, encoding="utf-8") as stream:
                input_data = stream.read()
        except OSError as error:
            raise UsageError(f"{input_path} can't be read: {error.strerror}") from None
    if isinstance(input_data, str):
        if content_type not in {"json", "csv"}:
            raise InvalidValue("content_type", content_type, "json or csv")
        if content_type == "csv":
            input_data = payload.frame_from_csv(input_data, model.input_schema)
        else:
            input_data, sent = payload.read_request(input_data, model.input_schema)
            params = params if sent is None else {**sent, **(params or {})}
    found = model.predict(input_data, params)
    if output_path is not None:
        with open(output_path, "w", encoding="utf-8") as stream:
            json.dump({"predictions": payload.to_json(found)}, stream)
    return found


def set_signature(model_uri: str, signature: ModelSignature) -> None:
    """Give a model in a folder of this machine another signature.

    Raises:
        InvalidValue: It is no signature.
        UsageError: The model is in a run: what a run's commit has never changes.
    """
    if not isinstance(signature, ModelSignature):
        raise InvalidValue("the signature", signature, "a ModelSignature")
    source = find_model(model_uri)
    if source.private:
        raise UsageError(f"{model_uri} is in a run, which keeps what was logged; log the model again with signature=")
    metadata = source.metadata()
    metadata.signature = signature
    metadata.save(os.path.join(source.path, FILE))


def validate_serving_input(model_uri: str, serving_input: str | dict[str, Any]) -> Any:
    """Return what the model predicts for the body of a request to a server.

    Raises:
        UsageError: The body does not decode.
        InvalidModelInput: It does not fit the model's signature.
    """
    text = serving_input if isinstance(serving_input, str) else json.dumps(serving_input)
    return predict(model_uri, text)
