"""Modules of PyTorch as people write them, in a module that can be imported."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import torch
from torch import nn
from torch.nn import functional


class Block(nn.Module):
    """A part with plain attributes of every kind, and an activation chosen by whoever makes it."""

    def __init__(self, width: int, activation: Any = functional.relu) -> None:
        super().__init__()
        self.linear = nn.Linear(width, width)
        self.activation = activation
        self.settings = {"scale": 0.5, "sizes": (1, 2), "kinds": {"a"}, "none": None, "far": float("inf")}
        self.order = OrderedDict(first=1)
        self.dtype = torch.float32
        self.device = torch.device("cpu")
        self.shape = torch.Size([width])
        self.offset = torch.full((width,), 0.25)
        self.register_buffer("seen", torch.ones(width), persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.activation(self.linear(x)) * self.settings["scale"] + self.offset * self.seen


class Net(nn.Module):
    """Two blocks that share weights, a buffer, a frozen layer, and modules in a plain list."""

    def __init__(self, width: int = 4) -> None:
        super().__init__()
        self.first, self.second = Block(width), Block(width, torch.tanh)
        self.second.linear.weight = self.first.linear.weight
        self.again = self.first
        self.norm = nn.BatchNorm1d(width)
        self.frozen = nn.Linear(width, width).requires_grad_(False)
        self.last = nn.Linear(width, 2)
        self.register_parameter("nothing", None)
        self.unlisted = [nn.Linear(2, 2)]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.again(self.second(self.first(x)))
        return self.unlisted[0](self.last(self.norm(self.frozen(x))))
