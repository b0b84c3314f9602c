"""What takes the place of an endpoint that only the user's own pictures can give."""

from torch import Tensor

from colddiff_core import Context


def stand_in(x0: Tensor) -> Context:
    """Each image, turned by 180°."""
    return {"endpoint": x0.flip(2, 3).float()}
