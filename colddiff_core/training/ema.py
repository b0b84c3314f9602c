"""An exponential moving average of a network's weights."""

import copy
from itertools import chain

import torch
from torch import nn


class Ema:
    """Average the weights and running statistics of a network, quickly at first.

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
        # Buffers too: running statistics have to be those of the averaged weights
        averages = chain(self.network.parameters(), self.network.buffers())
        currents = chain(network.parameters(), network.buffers())
        for average, current in zip(averages, currents, strict=True):
            if average.is_floating_point():
                average.lerp_(current, weight)
            else:
                average.copy_(current)
