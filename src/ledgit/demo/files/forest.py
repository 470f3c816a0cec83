"""Tell digits (or wines) apart with a random forest, grown a few trees at a time."""

import argparse

import numpy as np
from sklearn.datasets import load_digits, load_wine
from sklearn.ensemble import ExtraTreesClassifier, RandomForestClassifier
from sklearn.metrics import classification_report, confusion_matrix, log_loss
from sklearn.model_selection import train_test_split

import ledgit as mlflow
from ledgit.models import infer_signature

FORESTS = {"random": RandomForestClassifier, "extra": ExtraTreesClassifier}

parser = argparse.ArgumentParser()
parser.add_argument("--data", choices=["digits", "wine"], default="digits")
parser.add_argument("--trees", type=int, default=60)
parser.add_argument("--depth", type=int, default=12)
options = parser.parse_args()


def picture(matrix: np.ndarray) -> str:
    """Draw how often each class (row) was taken for each (column)."""
    cells = "".join(
        f'<rect x="{24 * column}" y="{24 * row}" width="23" height="23" fill-opacity="{count / matrix.max():.2f}"/>'
        for row, counts in enumerate(matrix)
        for column, count in enumerate(counts)
    )
    side = 24 * len(matrix)
    return f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {side} {side}" fill="#036">{cells}</svg>\n'


features, labels = {"digits": load_digits, "wine": load_wine}[options.data](return_X_y=True, as_frame=True)
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
    mlflow.log_text(picture(confusion_matrix(y_test, model.predict(x_test))), "plots/confusion.svg")
    signature = infer_signature(x_test, model.predict(x_test))
    mlflow.sklearn.log_model(model, "model", signature=signature)

print(f"forest of {options.trees} trees on {options.data}: accuracy {model.score(x_test, y_test):.3f}")
