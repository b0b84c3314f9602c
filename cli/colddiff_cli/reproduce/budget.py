"""What may be spent on a data set of a table, and what that leaves of the paper's recipe."""

import re
from dataclasses import dataclass
from typing import Literal

from colddiff_core.contracts.errors import UsageError

TRAINING_SHARE = 0.65
"""Of a budget in minutes; the rest is for evaluating, and for a machine that slows down."""

_UNITS = {"s": 1 / 60, "m": 1, "min": 1, "minutes": 1, "h": 60, "hours": 60}
_STEPS = {"", "steps"}

SMALL = (
    "restorer.channels=16",
    "restorer.blocks=1",
    "restorer.attention=false",
    "train.batch_size=64",
    "train.lr=2e-3",
    "train.lr_schedule=cosine",
    "train.ema_decay=0.99",
    "train.sample_every=0",
    "train.checkpoint_every=200",
)
"""A network that learns something in minutes: the paper's needs days."""

_WARM_UP = 50  # steps, at most


@dataclass(frozen=True)
class Budget:
    """How long to train.

    Attributes:
        text: as it was given.
        unit: minutes for all of a data set's work, steps of training, or the paper's own recipe.
        amount: how many; 0 for the paper's own.
    """

    text: str
    unit: Literal["minutes", "steps", "full"]
    amount: float

    @classmethod
    def parse(cls, text: str) -> "Budget":
        """Read `12m`, `1.5h`, `2000`, `2000steps` or `full`.

        Raises:
            UsageError: it is none of them, or nothing.
        """
        if text == "full":
            return cls(text, "full", 0)
        found = re.fullmatch(r"(\d{1,9}(?:\.\d{1,3})?)\s*([a-z]*)", text.strip())
        amount = float(found[1]) if found else 0.0
        if found and found[2] in _UNITS and amount > 0:
            return cls(text, "minutes", amount * _UNITS[found[2]])
        if found and found[2] in _STEPS and amount >= 1 and amount.is_integer():
            return cls(text, "steps", amount)
        raise UsageError(
            f"--budget {text!r}: expected minutes or hours (12m, 1.5h), training steps (2000) or "
            f"full for the paper's own recipe"
        )


def small(steps: int) -> list[str]:
    """Settings that fit a recipe to so many steps of training."""
    return [*SMALL, f"train.steps={steps}", f"train.warmup_steps={min(_WARM_UP, steps // 10)}"]


def steps_in(minutes: float, images_per_second: float, batch_size: int) -> int:
    """Steps of training that take so long, at least one."""
    return max(1, int(minutes * 60 * images_per_second / batch_size))


def images_in(minutes: float, images_per_second: float, passes: int) -> int:
    """Images that can be evaluated in that time: 50, 100, 200, 500, 1000 and so on, at least 50.

    Args:
        minutes: for evaluating.
        images_per_second: in training.
        passes: through the network for each image.
    """
    affordable = minutes * 60 * 2 * images_per_second / passes  # without the backward pass
    count = 50
    for factor in (2, 2, 2.5) * 3:
        if count * factor > affordable:
            break
        count = int(count * factor)
    return count
