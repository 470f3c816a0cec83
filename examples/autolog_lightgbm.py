"""LightGBM without logging code: params, a curve for each metric, and the model."""

from __future__ import annotations

import lightgbm
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split

import ledgit

ledgit.lightgbm.autolog()
ledgit.set_experiment("breast-cancer")

features, labels = load_breast_cancer(return_X_y=True)
x, x_test, y, y_test = train_test_split(features, labels, random_state=0)
data = lightgbm.Dataset(x, y)
with ledgit.start_run():
    lightgbm.train(
        {"objective": "binary", "metric": "auc", "num_leaves": 7, "num_threads": 1, "verbose": -1},
        data,
        num_boost_round=30,
        valid_sets=[lightgbm.Dataset(x_test, y_test, reference=data)],
        valid_names=["test"],
    )
