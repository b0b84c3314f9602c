"""An exponential moving average of a network's weights, and of the statistics that it keeps."""

import copy

import torch
from torch import nn


class Ema:
    """Average the weights and the floating-point buffers of a network, quickly at first.

    The running statistics of a batch normalisation belong to weights: those of averaged weights are
    near the average of theirs. Counters are copied, and what is not finite, such as a mask.

    After n updates the decay is min(decay, (1 + n) / (10 + n)), so that a short run is not
    dominated by its random start.

    Args:
        network: the network that is trained; a copy of it holds the average.
        decay: of the average once it is warm, 0 to 1.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.decay = decay
        self.updates = 0
        self.network = copy.deepcopy(network).eval().requires_grad_(False)

    @torch.no_grad()
    def update(self, network: nn.Module) -> None:
        """Move the average towards the weights of `network`."""
        weight = 1 - min(self.decay, (1 + self.updates) / (10 + self.updates))
        self.updates += 1
        for mine, theirs in zip(self.network.parameters(), network.parameters(), strict=True):
            mine.lerp_(theirs, weight)
        for kept, current in zip(self.network.buffers(), network.buffers(), strict=True):
            if current.is_floating_point():
                kept.copy_(torch.where(current.isfinite(), kept.lerp(current, weight), current))
            else:
                kept.copy_(current)
