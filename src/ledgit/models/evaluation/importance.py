"""How much worse a model gets when one column is shuffled: which features it relies on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ledgit.errors import InvalidValue
from ledgit.models.evaluation.frame import Frame, numpy
from ledgit.models.evaluation.scoring import Scored

__all__ = ["REPEATS", "permutation_importance"]

REPEATS = 5
ROWS = 1_000  # of which the importance is estimated; the model is asked columns × repeats times
COLUMNS = 64


def permutation_importance(
    frame: Frame, ask: Callable[[Frame], Scored], measure: Callable[[Scored], float], repeats: int, seed: int = 0
) -> dict[str, list[Any]]:
    """Return the mean loss of the score, and its standard deviation, for each column, greatest first.

    At most 1,000 rows are used, drawn once; of wider data than 64 columns none: it takes columns × *repeats*
    predictions of them all.

    Args:
        frame: The rows.
        ask: Predicts rows like these.
        measure: The score of predictions; more is better.
        repeats: How often each column is shuffled.
        seed: Of the random numbers: the same data give the same table.

    Raises:
        InvalidValue: *repeats* is no number from 1.
    """
    if not isinstance(repeats, int) or isinstance(repeats, bool) or repeats < 1:
        raise InvalidValue("permutation_importance", repeats, "a number of repeats from 1, True or False")
    np = numpy()
    if not 0 < len(frame.names) <= COLUMNS:
        return {}
    random = np.random.default_rng(seed)
    if len(frame) > ROWS:
        frame = _rows(frame, np.sort(random.choice(len(frame), ROWS, replace=False)))
    best = measure(ask(frame))
    rows = []
    for number, name in enumerate(frame.names):
        losses = [best - measure(ask(_shuffled(frame, number, random))) for _ in range(repeats)]
        rows.append((name, float(np.mean(losses)), float(np.std(losses))))
    rows.sort(key=lambda row: -row[1])
    return {
        "feature": [row[0] for row in rows],
        "importance_mean": [row[1] for row in rows],
        "importance_std": [row[2] for row in rows],
    }


def _rows(frame: Frame, chosen: Any) -> Frame:
    features = frame.features.iloc[chosen] if hasattr(frame.features, "iloc") else frame.features[chosen]
    weights = None if frame.weights is None else frame.weights[chosen]
    return Frame(features, features, frame.names, frame.targets[chosen], weights, frame.targets_name)


def _shuffled(frame: Frame, number: int, random: Any) -> Frame:
    features = frame.features.copy()
    order = random.permutation(len(frame))
    if hasattr(features, "iloc"):
        # Through the column itself: dtypes, categories among them, stay as they are.
        features.isetitem(number, features.iloc[order, number].array)
    else:
        features[:, number] = features[order, number]
    return Frame(frame.data, features, frame.names, frame.targets, frame.weights, frame.targets_name)
