"""Evaluation: metrics of a task, of slices, permutation importance, plots."""

from ledgit.models.evaluation.custom import EvaluationMetric, MetricValue, make_metric
from ledgit.models.evaluation.evaluating import evaluate
from ledgit.models.evaluation.result import EvaluationArtifact, EvaluationResult
from ledgit.models.evaluation.slicing import Slice

__all__ = [
    "EvaluationArtifact",
    "EvaluationMetric",
    "EvaluationResult",
    "MetricValue",
    "Slice",
    "evaluate",
    "make_metric",
]
