"""A search over parameters, each trial a run below the search's own."""

from __future__ import annotations

from sklearn.datasets import load_wine
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import cross_val_score

import ledgit

features, labels = load_wine(return_X_y=True)

ledgit.set_experiment("wine")
with ledgit.start_run(run_name="search"):
    best = 0.0
    for depth in (1, 2, 4):
        with ledgit.start_run(run_name=f"depth-{depth}", nested=True):
            ledgit.log_param("depth", depth)
            scores = cross_val_score(
                RandomForestClassifier(n_estimators=20, max_depth=depth, random_state=0), features, labels, cv=3
            )
            for fold, score in enumerate(scores):
                ledgit.log_metric("accuracy", score, step=fold)
            best = max(best, scores.mean())
    ledgit.log_metric("best_accuracy", best)
