"""XGBoost without logging code: params, and a curve for each metric of each data set."""

from __future__ import annotations

import xgboost
from sklearn.datasets import load_diabetes
from sklearn.model_selection import train_test_split

import ledgit

ledgit.xgboost.autolog()
ledgit.set_experiment("diabetes")

features, target = load_diabetes(return_X_y=True)
x, x_test, y, y_test = train_test_split(features, target, random_state=0)
with ledgit.start_run():
    xgboost.train(
        {"max_depth": 3, "eta": 0.1, "nthread": 1},
        xgboost.DMatrix(x, y),
        num_boost_round=30,
        evals=[(xgboost.DMatrix(x_test, y_test), "test")],
        verbose_eval=False,
    )
