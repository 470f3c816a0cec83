"""Which way a metric should go: what the repository says, else what its name says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

Direction = Literal["maximize", "minimize"]

_LESS_WORDS = (
    "bpc brier bytes cer cost deviation divergence duration ece eer energy err error errors fid fnr fpr gap hinge"
    " huber kl kld latency loss losses mae mape maxerr mdape memory misclassified mse msle nll perplexity ppl regret"
    " residual rmse rmsle seconds smape time violations wer"
)
_MORE_WORDS = (
    "acc accuracy ap auc auprc auroc bleu chrf coverage dice elbo exact f1 f2 fbeta gini hits iou jaccard kappa"
    " likelihood lift map mcc meteor miou mrr ndcg pearson pr precision psnr r2 recall return reward roc rouge"
    " score sensitivity sharpe silhouette spearman specificity ssim success throughput tnr tpr utility"
)
_LESS, _MORE = frozenset(_LESS_WORDS.split()), frozenset(_MORE_WORDS.split())
# A rate of something takes the direction of the thing; these pairs mean more than their last word.
_PAIRS = {
    ("per", "second"): "maximize",
    ("per", "sec"): "maximize",
    ("false", "positives"): "minimize",
    ("false", "negatives"): "minimize",
    ("hit", "rate"): "maximize",
    ("win", "rate"): "maximize",
}
_WORDS = {"maximize": "maximize", "max": "maximize", "higher": "maximize", "up": "maximize",
          "minimize": "minimize", "min": "minimize", "lower": "minimize", "down": "minimize"}  # fmt: skip


def direction(name: str, configured: Mapping[str, str] | None = None) -> Direction | None:
    """Return whether more or less of the metric *name* is better, None where nothing says.

    Args:
        name: The metric's name, for example ``val/log_loss`` or ``testAccuracy``.
        configured: Names or shell patterns (``val_*``) to ``maximize``, ``minimize`` or ``none``;
            an exact name goes before a pattern, and both before the guess from the name. Source:
            ``metrics.<name>.direction`` in ``.ledgit/config.yaml``.

    The guess reads the name's words from the right and takes the first it knows, so
    ``accuracy_loss`` is a loss. ``neg_mean_squared_error`` is negated, as scikit-learn's scorers are. A metric of a
    slice (``accuracy/sex:female``) goes where the metric goes. Metrics below ``system/`` have no direction.
    """
    if configured:
        found = configured.get(name)
        if found is None:
            found = next((way for pattern, way in configured.items() if _matches(name, pattern)), None)
        if found is not None:
            return _WORDS.get(found.strip().lower())  # type: ignore[return-value]
    if name.startswith("system/"):
        return None
    whole, _, part = name.partition("/")
    if ":" in part:
        # ``accuracy_score/sex:female``, a slice's: its values are words of the data and say nothing.
        of_whole = direction(whole, configured)
        if of_whole is not None or whole in (configured or {}):
            return of_whole
    words = _split(name)
    way: str | None = None
    for position in range(len(words) - 1, -1, -1):
        word = words[position]
        way = _PAIRS.get((words[position - 1], word)) if position else None
        if way is None:
            way = "minimize" if word in _LESS else "maximize" if word in _MORE else None
        if way is not None:
            break
    if way is None:
        return None
    if "neg" in words or "negative" in words:
        return "minimize" if way == "maximize" else "maximize"
    return way  # type: ignore[return-value]


def _matches(name: str, pattern: str) -> bool:
    if "*" not in pattern and "?" not in pattern and "[" not in pattern:
        return False
    from fnmatch import fnmatchcase

    return fnmatchcase(name, pattern)


def _split(name: str) -> list[str]:
    """Split ``valLoss/top5-Acc`` into lower-case words; ``r2`` and ``f1`` stay whole."""
    words: list[str] = []
    word = ""
    previous = ""
    for char in name:
        if not char.isalnum() or (char.isupper() and previous.islower()):
            if word:
                words.append(word.lower())
            word = char if char.isalnum() else ""
        else:
            word += char
        previous = char
    if word:
        words.append(word.lower())
    return words
