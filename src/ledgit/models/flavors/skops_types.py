"""Types inside scikit-learn's models that skops leaves to its users, and that hold numbers or compute with them.

skops knows estimators to be safe, but neither the trees of a forest nor a distance: what it lists for each of
scikit-learn's own estimators and searches is here, and XGBoost and LightGBM inside of them, which read a
format of their own. None of them runs anything of whoever made the model.
"""

from __future__ import annotations

import re

__all__ = ["is_harmless"]

_HARMLESS = re.compile(
    r"""
      sklearn\.tree\._tree\.Tree
    | sklearn\.ensemble\._hist_gradient_boosting\.(predictor\.TreePredictor|binning\._BinMapper)
    | sklearn\.metrics\._dist_metrics\.[A-Za-z]+Distance(32|64)?
    | sklearn\.neighbors\._(kd|ball)_tree\.(KD|Ball)Tree(32|64)?
    | sklearn\._loss\.(loss|link|_loss)\.[A-Za-z]+
    | sklearn\.gaussian_process\.kernels\.[A-Z][A-Za-z]+
    | sklearn\.gaussian_process\._gpc\._BinaryGaussianProcessClassifierLaplace
    | sklearn\.calibration\._(CalibratedClassifier|SigmoidCalibration|TemperatureScaling)
    | sklearn\.cluster\._bisect_k_means\._BisectingTree
    | sklearn\.cluster\._kmeans\._kmeans_single_(lloyd|elkan)
    | sklearn\.feature_selection\._univariate_selection\.(f_classif|f_regression|f_oneway|chi2|r_regression)
    | sklearn\.feature_selection\._mutual_info\.mutual_info_(classif|regression)
    | sklearn\.neural_network\._stochastic_optimizers\.(Adam|SGD)Optimizer
    | sklearn\.metrics\._scorer\._[A-Za-z]*Scorer
    | sklearn\.metrics\._(classification|regression|ranking)\.[a-z][a-z0-9_]+
    | sklearn\.model_selection\._split\.[A-Z][A-Za-z]+
    | xgboost\.(core\.Booster|sklearn\.XGB[A-Za-z]+)
    | lightgbm\.(basic\.Booster|sklearn\.LGBM[A-Za-z]+)
    | numpy\.(dtype|mean|median|max|min|sum|amax|amin)
    | scipy\.sparse\._(csr|csc|coo)\.(csr|csc|coo)_(matrix|array)
    | scipy\.interpolate\.(_bsplines\.BSpline|_interpolate\.interp1d)
    | scipy\._lib\.array_api_compat\.numpy\._aliases\.asarray
    """,
    re.VERBOSE,
)


def is_harmless(name: str) -> bool:
    """Whether the type or function of this full name is one of those."""
    return _HARMLESS.fullmatch(name) is not None
