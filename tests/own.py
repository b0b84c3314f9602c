"""A process of somebody's own classes, which no plugin registers."""

import numpy as np
import torch
from torch import Tensor, nn

from colddiff_core import NO_CONTEXT, ColdDiffusion, Context, Degradation, build

SETTINGS = {"steps": 4, "batch_size": 4, "log_every": 1, "sample_every": 0}


class Fade(Degradation):
    """To grey."""

    def __init__(self, num_steps: int = 3) -> None:
        super().__init__(num_steps)

    def forward(self, x0: Tensor, t: Tensor, context: Context = NO_CONTEXT) -> Tensor:
        return x0 * (1 - t / self.num_steps)[:, None, None, None].to(x0.dtype)


class Net(nn.Module):
    """Two convolutions with a batch normalisation between, and perhaps a weight of no use."""

    def __init__(self, channels: int = 1, out: int | None = None, *, idle: bool = False) -> None:
        super().__init__()
        self.enter = nn.Conv2d(channels, 4, 3, padding=1)
        self.norm = nn.BatchNorm2d(4)
        self.leave = nn.Conv2d(4, out or channels, 3, padding=1)
        if idle:
            self.idle = nn.Parameter(torch.zeros(3))

    def forward(self, x_t: Tensor, t: Tensor) -> Tensor:
        return self.leave(torch.relu(self.norm(self.enter(x_t))))


def own_process(network: nn.Module | None = None) -> ColdDiffusion:
    torch.manual_seed(0)
    return ColdDiffusion(Fade(), network or Net(), build("sampler", "improved"))


def own_images(count: int = 10) -> np.ndarray:
    """(count, 1, 12, 12) float64 in [-1, 1]."""
    return np.random.default_rng(0).uniform(-1, 1, (count, 1, 12, 12))
