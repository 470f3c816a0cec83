"""Which way is better, guessed from a metric's name."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledgit.compare import direction

LESS = "loss val_loss train/log_loss testRMSE error_rate perplexity inference_time eval/wer false_positives"
MORE = (
    "accuracy val_acc top5-accuracy roc_auc f1_macro r2 mAP log_likelihood test/F1 samples_per_second"
    " best_cv_score neg_mean_squared_error neg_log_loss eval_reward"
)


@pytest.mark.parametrize("name", LESS.split())
def test_less_is_better(name: str) -> None:
    assert direction(name) == "minimize"


@pytest.mark.parametrize("name", MORE.split())
def test_more_is_better(name: str) -> None:
    assert direction(name) == "maximize"


@pytest.mark.parametrize("name", ["epoch", "learning_rate", "", "///", "système", "system/memory_usage_megabytes", "n"])
def test_an_unknown_name_has_no_direction(name: str) -> None:
    assert direction(name) is None


def test_configuration_goes_before_the_guess_and_an_exact_name_before_a_pattern() -> None:
    configured = {"val_*": "minimize", "val_accuracy": "maximize", "energy": "none", "epoch": "max"}

    assert direction("val_accuracy", configured) == "maximize"
    assert direction("val_score", configured) == "minimize"
    assert direction("energy", configured) is None
    assert direction("epoch", configured) == "maximize"
    assert direction("loss", configured) == "minimize"


@given(st.text(max_size=40))
def test_any_name_gets_an_answer(name: str) -> None:
    assert direction(name) in {"maximize", "minimize", None}
