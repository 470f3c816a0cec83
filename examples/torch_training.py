"""PyTorch: a training loop with curves, a confusion table and the model with its signature."""

from __future__ import annotations

import torch
from sklearn.datasets import load_digits
from sklearn.metrics import confusion_matrix
from torch import nn

import ledgit

params = {"hidden": 32, "rate": 0.01, "epochs": 15}

pixels, digits = load_digits(return_X_y=True)
x, y = torch.tensor(pixels / 16, dtype=torch.float32), torch.tensor(digits)
torch.manual_seed(0)
torch.set_num_threads(1)
model = nn.Sequential(nn.Linear(64, params["hidden"]), nn.ReLU(), nn.Linear(params["hidden"], 10))
optimizer = torch.optim.Adam(model.parameters(), lr=params["rate"])

ledgit.set_experiment("digits")
with ledgit.start_run():
    ledgit.log_params(params)
    for epoch in range(params["epochs"]):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x[:1200]), y[:1200])
        loss.backward()
        optimizer.step()
        with torch.no_grad():
            guess = model(x[1200:]).argmax(dim=1)
        ledgit.log_metrics({"loss": loss, "accuracy": (guess == y[1200:]).float().mean()}, step=epoch)
    ledgit.log_dict({"rows": confusion_matrix(y[1200:], guess).tolist()}, "confusion.json")
    ledgit.pytorch.log_model(model, "model", input_example=x[:2].numpy())
