"""scikit-learn without logging code: the params and scores of every fit are logged."""

from __future__ import annotations

from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import ledgit

ledgit.autolog()
ledgit.set_experiment("breast-cancer")

features, labels = load_breast_cancer(return_X_y=True)
x, x_test, y, y_test = train_test_split(features, labels, random_state=0)
for strength in (0.01, 0.1, 1.0):
    with ledgit.start_run(run_name=f"C-{strength}"):
        model = make_pipeline(StandardScaler(), LogisticRegression(C=strength)).fit(x, y)
        ledgit.log_metric("test_accuracy", model.score(x_test, y_test))
