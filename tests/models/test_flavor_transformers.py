"""Transformers: small models with random weights, the same in Ledgit and MLflow, in both directions; no network."""

from __future__ import annotations

import os

os.environ["HF_HUB_OFFLINE"] = "1"

from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pandas as pd
import pytest
import torch
import transformers
import yaml
from tests.models.real_mlflow import real_mlflow
from tokenizers import Tokenizer, models, pre_tokenizers

from ledgit.errors import InvalidModelInput, InvalidValue, RecordError, UntrustedModel, UsageError
from ledgit.models.faces import face
from ledgit.models.flavors import flavor_for
from ledgit.models.loading import load_model

pytestmark = [pytest.mark.frameworks, pytest.mark.usefixtures("repo")]

TRANSFORMERS = face("transformers")
WORDS = ["[PAD]", "[UNK]", "[MASK]", "[CLS]", "[SEP]", "a", "good", "bad", "day"]
SIZES = {"vocab_size": len(WORDS), "hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2,
         "intermediate_size": 8, "max_position_embeddings": 16, "pad_token_id": 0}  # fmt: skip
TEXTS = ["a good day", "a bad day"]


@pytest.fixture(autouse=True)
def _quiet() -> None:
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()


def tokenizer() -> Any:
    words = Tokenizer(models.WordLevel({word: number for number, word in enumerate(WORDS)}, unk_token="[UNK]"))
    words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=words, pad_token="[PAD]", unk_token="[UNK]", mask_token="[MASK]", cls_token="[CLS]",
        sep_token="[SEP]", model_max_length=16,
    )  # fmt: skip


def pipeline(task: str) -> Any:
    torch.manual_seed(0)
    config = transformers.BertConfig(**SIZES)
    made = {
        "text-classification": transformers.BertForSequenceClassification,
        "fill-mask": transformers.BertForMaskedLM,
        "token-classification": transformers.BertForTokenClassification,
        "feature-extraction": transformers.BertModel,
    }
    if task == "text-generation":
        small = transformers.GPT2Config(vocab_size=len(WORDS), n_embd=8, n_layer=1, n_head=2, n_positions=32,
                                        pad_token_id=0, eos_token_id=0, bos_token_id=3)  # fmt: skip
        model: Any = transformers.GPT2LMHeadModel(small)
    else:
        model = made[task](config)
    return transformers.pipeline(task=task, model=model.eval(), tokenizer=tokenizer())


def same(want: Any, found: Any) -> None:
    if isinstance(want, pd.DataFrame):
        pd.testing.assert_frame_equal(want, found)
    elif isinstance(want, np.ndarray):
        np.testing.assert_allclose(want, found, rtol=1e-5)
    else:
        assert want == found


@pytest.mark.parametrize(
    ("task", "texts", "params"),
    [
        ("text-classification", TEXTS, {}),
        ("fill-mask", ["a [MASK] day", "bad [MASK]"], {}),
        ("token-classification", TEXTS, {}),
        ("feature-extraction", TEXTS, {}),
        ("text-generation", TEXTS, {"max_new_tokens": 3, "do_sample": False}),
    ],
)
def test_a_pipeline_answers_the_same_everywhere(task: str, texts: Any, params: Any, tmp_path: Path) -> None:
    """Saved here and there, loaded here and there; asked with a text, a list of them, and a frame."""
    made = pipeline(task)
    here, there = str(tmp_path / "here"), str(tmp_path / "there")
    with (
        real_mlflow(tmp_path) as mlflow,
        mock.patch("mlflow.transformers._fetch_model_card", return_value=None),
        mock.patch("mlflow.transformers._write_license_information"),
    ):
        TRANSFORMERS.save_model(made, here, model_config=params or None)
        mlflow.transformers.save_model(made, there, pip_requirements=["transformers"], model_config=params or None)
        for folder in (here, there):
            theirs, ours = mlflow.pyfunc.load_model(folder), load_model(folder, trust=False)
            for question in (texts[0], texts, pd.DataFrame({0: texts})):
                same(theirs.predict(question), ours.predict(question))
        assert type(made) is type(mlflow.transformers.load_model(here))
        assert type(made) is type(TRANSFORMERS.load_model(there))
    assert "transformers" == flavor_for(made).name
    assert (Path(here) / "model" / "model.safetensors").exists()
    assert not [*Path(here).rglob("*.bin"), *Path(here).rglob("*.pkl")]


def test_models_and_parts_are_saved_without_a_pipeline(tmp_path: Path) -> None:
    """A model comes back as a model, with its tokenizer as a dictionary; a task makes a pipeline of them."""
    made = pipeline("text-classification")
    model, words = made.model, made.tokenizer

    alone = TRANSFORMERS.save_model(model, tmp_path / "alone")
    TRANSFORMERS.save_model({"model": model, "tokenizer": words}, tmp_path / "parts")
    TRANSFORMERS.save_model(model, tmp_path / "task", tokenizer=words, task="text-classification")

    again = TRANSFORMERS.load_model(str(tmp_path / "alone"))
    parts = TRANSFORMERS.load_model(str(tmp_path / "parts"))
    whole = TRANSFORMERS.load_model(str(tmp_path / "task"))
    assert ["transformers"] == list(alone.flavors)
    torch.testing.assert_close(model.state_dict(), again.state_dict())
    assert {"model", "tokenizer"} == set(parts)
    assert made(TEXTS) == whole(TEXTS)
    assert {"model", "tokenizer"} == set(TRANSFORMERS.load_model(str(tmp_path / "task"), return_type="components"))
    with pytest.raises(UsageError, match="without a task"):
        TRANSFORMERS.load_model(str(tmp_path / "parts"), return_type="pipeline")


def test_pickled_weights_and_own_code_need_consent(tmp_path: Path) -> None:
    made = pipeline("text-classification")
    TRANSFORMERS.save_model(made, tmp_path / "pickled")
    folder = tmp_path / "pickled" / "model"
    torch.save(made.model.state_dict(), folder / "pytorch_model.bin")
    (folder / "model.safetensors").rename(folder / "other.safetensors")
    TRANSFORMERS.save_model(made, tmp_path / "custom")
    file = tmp_path / "custom" / "MLmodel"
    entry = yaml.safe_load(file.read_text())
    entry["flavors"]["transformers"]["pipeline_model_type"] = "MyOwnModel"
    file.write_text(yaml.safe_dump(entry))

    entry["flavors"]["transformers"] |= {"pipeline_model_type": "BertForSequenceClassification"}
    entry["flavors"]["transformers"] |= {"tokenizer_type": "Trainer"}
    TRANSFORMERS.save_model(made, tmp_path / "strange")
    (tmp_path / "strange" / "MLmodel").write_text(yaml.safe_dump(entry))

    with pytest.raises(UntrustedModel, match="the tokenizer's own code"):
        load_model(str(tmp_path / "strange"), trust=False)
    with pytest.raises(UntrustedModel, match="the pickled weights in model/"):
        load_model(str(tmp_path / "pickled"), trust=False)
    with pytest.raises(UntrustedModel, match="the model's own code in model/"):
        load_model(str(tmp_path / "custom"), trust=False)
    same(load_model(str(tmp_path / "pickled"), trust=True).predict(TEXTS), pd.DataFrame(made(TEXTS)))


def test_nothing_is_looked_up_on_a_hub(tmp_path: Path) -> None:
    """A model without its weights, or without the folder of a part, is refused."""
    TRANSFORMERS.save_model(pipeline("text-classification"), tmp_path / "model")
    file = tmp_path / "model" / "MLmodel"
    good = yaml.safe_load(file.read_text())

    for change, words in (
        ({"model_binary": "google/bert"}, "the folder is not there"),
        ({"components": ["image_processor"], "image_processor_type": "AutoImageProcessor"}, "the folder is not there"),
        ({"components": ["../../x"]}, "is none of"),
        ({"peft_adaptor": "peft"}, "adaptor"),
    ):
        changed = {**good["flavors"]["transformers"], **change}
        file.write_text(yaml.safe_dump({**good, "flavors": {**good["flavors"], "transformers": changed}}))
        with pytest.raises((RecordError, UsageError), match=words):
            load_model(str(tmp_path / "model"), trust=True)
    del changed["peft_adaptor"], changed["model_binary"]
    file.write_text(yaml.safe_dump({**good, "flavors": {**good["flavors"], "transformers": changed}}))
    with pytest.raises(UsageError, match="without its weights"):
        load_model(str(tmp_path / "model"), trust=True)


def test_what_a_pipeline_cannot_be_asked_is_said(tmp_path: Path) -> None:
    TRANSFORMERS.save_model(pipeline("text-classification"), tmp_path / "model")
    model = load_model(str(tmp_path / "model"))

    with pytest.raises(InvalidModelInput, match="one column of texts"):
        model.predict(pd.DataFrame({"a": TEXTS, "b": TEXTS}))
    with pytest.raises(InvalidModelInput, match="takes texts"):
        model.predict([1, 2])


def test_what_is_no_model_is_refused(tmp_path: Path) -> None:
    model = pipeline("text-classification").model
    with pytest.raises(InvalidValue, match=r"transformers\.Pipeline"):
        TRANSFORMERS.save_model("bert-base", tmp_path / "model")
    with pytest.raises(InvalidValue, match="some of"):
        TRANSFORMERS.save_model({"model": model, "head": model}, tmp_path / "model")
    with pytest.raises(UsageError, match="save_pretrained"):
        TRANSFORMERS.save_model(model, tmp_path / "model", save_pretrained=False)
    TRANSFORMERS.save_model(model, tmp_path / "model")
    with pytest.raises(InvalidValue, match="return_type"):
        TRANSFORMERS.load_model(str(tmp_path / "model"), return_type="tokens")
