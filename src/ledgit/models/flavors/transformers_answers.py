"""Questions to a Transformers pipeline, and its answers, in the forms that MLflow's python_function has.

Texts, lists of texts and frames with a column of texts go in. Classifications come out as a frame, features as an
array, everything else as a list of texts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ledgit.errors import InvalidModelInput
from ledgit.models.kinds import is_array, is_frame

__all__ = ["Answers"]

#: Which part of an answer is the text, by the pipeline's task.
_TEXTS = {
    "text-generation": "generated_text",
    "text2text-generation": "generated_text",
    "summarization": "summary_text",
    "translation": "translation_text",
    "fill-mask": "token_str",
    "question-answering": "answer",
    "document-question-answering": "answer",
    "table-question-answering": "answer",
    "automatic-speech-recognition": "text",
    "image-to-text": "generated_text",
    "image-text-to-text": "generated_text",
}
_TOKENS = frozenset(("token-classification", "ner"))
_FRAMES = frozenset(("text-classification", "image-classification", "audio-classification"))


class Answers:
    """Asks a pipeline.

    Attributes:
        pipeline: The pipeline.
        config: Arguments of each call, which params go before.
    """

    def __init__(self, pipeline: Any, config: Mapping[str, Any]) -> None:
        self.pipeline, self.config = pipeline, dict(config)

    def __call__(self, data: Any, params: Mapping[str, Any] | None = None) -> Any:
        """Return the answers.

        Raises:
            InvalidModelInput: The data are no texts, or not what the task takes.
        """
        task = str(self.pipeline.task)
        task = "translation" if task.startswith("translation") else task
        asked = _asked(data, task)
        given = {**self.config, **(params or {})}
        try:
            raw = self.pipeline(**asked, **given) if isinstance(asked, dict) else self.pipeline(asked, **given)
        except (ValueError, TypeError, KeyError) as error:
            raise InvalidModelInput("", f"the {task} pipeline did not answer: {error}") from error
        return _answered(raw, task, one=isinstance(asked, str))


def _asked(data: Any, task: str) -> Any:
    """Return what the pipeline is called with: a text, a list of them, or a dictionary."""
    if is_frame(data):
        rows = data.to_dict(orient="records")
        if task in {"question-answering", "zero-shot-classification", "table-question-answering"}:
            return _joined(rows, task)
        if task == "text-classification" and {"text", "text_pair"} <= set(data.columns):
            return rows
        if len(data.columns) != 1:
            listed = ", ".join(map(str, data.columns))
            raise InvalidModelInput("", f"a {task} pipeline takes one column of texts, the data have {listed}")
        return data.iloc[:, 0].tolist()
    if is_array(data):
        return data.reshape(-1).tolist() if data.dtype.kind in "UO" else data
    if isinstance(data, str | bytes | dict):
        return data
    if isinstance(data, list) and all(isinstance(one, str | bytes | dict) for one in data):
        return data
    raise InvalidModelInput("", f"a {task} pipeline takes texts, a frame with a column of them or a dictionary")


def _joined(rows: list[dict[str, Any]], task: str) -> dict[str, Any]:
    """Return the rows as the arguments of one call."""
    found: dict[str, Any] = {name: [row[name] for row in rows] for name in rows[0]} if rows else {}
    if task == "zero-shot-classification":
        labels = found.get("candidate_labels")
        if labels and isinstance(labels[0], list):
            found["candidate_labels"] = labels[0]
        elif labels:
            found["candidate_labels"] = list(dict.fromkeys(labels))
        if "sequences" in found:
            found["sequences"] = list(dict.fromkeys(found["sequences"]))
    return found


def _answered(raw: Any, task: str, *, one: bool) -> Any:
    if task in _FRAMES:
        return _frame(raw if isinstance(raw, list) else [raw])
    if task == "zero-shot-classification":
        rows = [
            {"sequence": entry["sequence"], "labels": label, "scores": score}
            for entry in (raw if isinstance(raw, list) else [raw])
            for label, score in zip(entry["labels"], entry["scores"], strict=True)
        ]
        return _frame(rows)
    if task == "feature-extraction":
        import numpy as np

        return raw if isinstance(raw, np.ndarray) else np.array(raw[0][0])
    pick: Callable[[Any], Any]
    if task in _TOKENS:
        pick = _tokens
    elif task in _TEXTS:
        key = _TEXTS[task]

        def pick(entry: Any) -> Any:
            return _first(entry, key)
    else:
        return raw
    nested = isinstance(raw, list) and bool(raw) and isinstance(raw[0], list)
    flat = isinstance(raw, list) and not one and task not in {"fill-mask", *_TOKENS}  # their one answer is a list
    several = nested or flat
    found = [pick(entry) for entry in raw] if several else [pick(raw)]
    return [text.strip() if isinstance(text, str) else text for text in found]


def _first(entry: Any, key: str) -> Any:
    """Return the text of an answer; of several to one question the first, which is the best."""
    while isinstance(entry, list):
        entry = entry[0]
    return entry[key]


def _tokens(entry: list[dict[str, Any]]) -> str:
    return ",".join(str(token.get("entity_group", token.get("entity"))) for token in entry)


def _frame(rows: list[Any]) -> Any:
    import pandas as pd

    return pd.DataFrame(rows)
