"""A module of PyTorch Lightning, in a module that can be imported."""

from __future__ import annotations

from typing import Any

import pytorch_lightning
import torch
from torch import nn


class Lit(pytorch_lightning.LightningModule):
    """A line, with hyperparameters that its forward asks for."""

    def __init__(self, width: int = 3, scale: float = 2.0) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.net = nn.Linear(4, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.net(x) * self.hparams["scale"]

    def training_step(self, batch: Any, index: int) -> torch.Tensor:
        return self(batch[0]).square().mean()

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), 0.1)
