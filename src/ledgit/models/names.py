"""What a logged model may be called, and the tag that says a run has one."""

from __future__ import annotations

from ledgit.errors import InvalidName
from ledgit.records.names import check_artifact_path, check_key

__all__ = ["MODEL_TAG", "check_model_path"]

MODEL_TAG = "ledgit.model."
"""Begins the tag that a run has for each of its models; its value is the flavor."""


def check_model_path(name: object) -> str:
    """Return the folder of artifacts that a model called *name* has.

    Raises:
        InvalidName: It can be none.
    """
    if not isinstance(name, str) or not name.strip("/"):
        raise InvalidName("model", str(name), "is no folder for artifacts; a word such as 'my_model' is")
    path = check_artifact_path(name.rstrip("/"))
    try:
        check_key("tag", MODEL_TAG + path)
    except InvalidName as error:  # of a tag that the user knows nothing about
        raise InvalidName("model", path, error.reason) from None
    return path
