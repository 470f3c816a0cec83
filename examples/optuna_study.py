"""A study of Optuna's: each trial is a run below the study's, which gets the best value."""

from __future__ import annotations

import optuna
from sklearn.datasets import load_wine
from sklearn.model_selection import cross_val_score
from sklearn.tree import DecisionTreeClassifier

import ledgit

features, labels = load_wine(return_X_y=True)


def objective(trial: optuna.Trial) -> float:
    params = {"depth": trial.suggest_int("depth", 1, 8), "leaf": trial.suggest_int("leaf", 1, 20, log=True)}
    with ledgit.start_run(run_name=f"trial-{trial.number}", nested=True):
        ledgit.log_params(params)
        tree = DecisionTreeClassifier(max_depth=params["depth"], min_samples_leaf=params["leaf"], random_state=0)
        accuracy = cross_val_score(tree, features, labels, cv=3).mean()
        ledgit.log_metric("accuracy", accuracy)
    return accuracy


optuna.logging.set_verbosity(optuna.logging.WARNING)
ledgit.set_experiment("wine-study")
with ledgit.start_run(run_name="study"):
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=0))
    study.optimize(objective, n_trials=12)
    ledgit.log_params({f"best_{name}": value for name, value in study.best_params.items()})
    ledgit.log_metric("accuracy", study.best_value)
