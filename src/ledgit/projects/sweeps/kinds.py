"""The names of samplers and pruners."""

from __future__ import annotations

__all__ = ["PRUNERS", "SAMPLERS"]

SAMPLERS = ("grid", "random", "qmc", "tpe", "cmaes", "gp", "nsgaii")
PRUNERS = ("none", "median", "percentile", "halving", "hyperband")
