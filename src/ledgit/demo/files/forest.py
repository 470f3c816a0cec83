"""Tell digits (or wines) apart with a random forest, grown a few trees at a time."""

import argparse

from sklearn.datasets import load_digits, load_wine
from sklearn.ensemble import ExtraTreesClassifier, RandomForestClassifier
from sklearn.metrics import classification_report, log_loss
from sklearn.model_selection import train_test_split

import ledgit as mlflow

FORESTS = {"random": RandomForestClassifier, "extra": ExtraTreesClassifier}

parser = argparse.ArgumentParser()
parser.add_argument("--data", choices=["digits", "wine"], default="digits")
parser.add_argument("--trees", type=int, default=60)
parser.add_argument("--depth", type=int, default=12)
options = parser.parse_args()

features, labels = {"digits": load_digits, "wine": load_wine}[options.data](return_X_y=True)
x, x_test, y, y_test = train_test_split(features, labels, test_size=0.3, random_state=0)

model = FORESTS["random"](max_depth=options.depth, warm_start=True, random_state=0)

mlflow.set_experiment(options.data)
with mlflow.start_run(tags={"model": "forest"}):
    mlflow.log_params({"trees": options.trees, "depth": options.depth})
    for trees in range(10, options.trees + 1, 10):
        model.set_params(n_estimators=trees).fit(x, y)
        mlflow.log_metric("loss", log_loss(y_test, model.predict_proba(x_test)), step=trees)
        mlflow.log_metric("accuracy", model.score(x_test, y_test), step=trees)
    mlflow.log_text(classification_report(y_test, model.predict(x_test)), "report.txt")

print(f"forest of {options.trees} trees on {options.data}: accuracy {model.score(x_test, y_test):.3f}")
