"""Tell digits (or wines) apart with a linear model, trained by stochastic gradient descent."""

import argparse

from sklearn.datasets import load_digits, load_wine
from sklearn.linear_model import SGDClassifier
from sklearn.metrics import classification_report, log_loss
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

import ledgit as mlflow

parser = argparse.ArgumentParser()
parser.add_argument("--data", choices=["digits", "wine"], default="digits")
parser.add_argument("--learning-rate", type=float, default=0.001)
parser.add_argument("--epochs", type=int, default=20)
options = parser.parse_args()

features, labels = {"digits": load_digits, "wine": load_wine}[options.data](return_X_y=True)
x, x_test, y, y_test = train_test_split(features, labels, test_size=0.3, random_state=0)
scaler = StandardScaler().fit(x)
x, x_test = scaler.transform(x), scaler.transform(x_test)

model = SGDClassifier(loss="log_loss", learning_rate="constant", eta0=options.learning_rate, random_state=0)

mlflow.set_experiment(options.data)
with mlflow.start_run(tags={"model": "linear"}):
    mlflow.log_params({"learning_rate": options.learning_rate, "epochs": options.epochs})
    for epoch in range(options.epochs):
        model.partial_fit(x, y, classes=sorted(set(labels)))
        mlflow.log_metric("loss", log_loss(y_test, model.predict_proba(x_test)), step=epoch)
        mlflow.log_metric("accuracy", model.score(x_test, y_test), step=epoch)
    mlflow.log_text(classification_report(y_test, model.predict(x_test)), "report.txt")

print(f"linear model on {options.data}: accuracy {model.score(x_test, y_test):.3f}")
