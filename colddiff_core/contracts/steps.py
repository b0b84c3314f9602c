"""What the event hooks are told of a loop's step. Imports no torch."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Step:
    """One step of a sampling loop.

    Attributes:
        t: the level left.
        s: the level reached.
        x_t: (B, C, H, W) before the step.
        x0_hat: (B, C, H, W), the restorer's estimate R(x_t, t).
        x_s: (B, C, H, W) after the step.
    """

    t: int
    s: int
    x_t: "Tensor"
    x0_hat: "Tensor"
    x_s: "Tensor"


@dataclass(frozen=True)
class TrainingStep:
    """What a line of `metrics.jsonl` says.

    Attributes:
        step: steps done, from 1.
        steps: steps in all.
        loss: mean absolute error on [-1, 1], averaged since the line before.
        lr: learning rate of the step.
        images_seen: training images used so far.
        images_per_second: since the line before.
    """

    step: int
    steps: int
    loss: float
    lr: float
    images_seen: int
    images_per_second: float
