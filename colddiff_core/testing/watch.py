"""Look on while a component runs: the operations it dispatches, the random state it leaves."""

import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class Operations(TorchDispatchMode):  # type: ignore[no-untyped-call] # torch's own base
    """Records the torch operations within its context.

    Attributes:
        names: of each operation, in order.
        numbers: how many numbers all their results hold.
        wide: the first operation with a result of more than 32 bits, and its type; or None.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.names: list[str] = []
        self.numbers = 0
        self.wide: tuple[str, torch.dtype] | None = None

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run an operation and note it."""
        result = func(*args, **(kwargs or {}))
        self.names.append(func.__name__.partition(".")[0])
        for leaf in tree_leaves(result):
            if isinstance(leaf, Tensor):
                self.numbers += leaf.numel()
                widest = torch.complex64 if leaf.is_complex() else torch.float32
                inexact = leaf.is_floating_point() or leaf.is_complex()
                if inexact and leaf.dtype.itemsize > widest.itemsize and self.wide is None:
                    self.wide = (self.names[-1], leaf.dtype)
        return result


@contextmanager
def global_seed(seed: int) -> Iterator[None]:
    """Seed the global generators of torch, NumPy and Python; put their states back afterwards."""
    before = (torch.get_rng_state(), np.random.get_state(), random.getstate())  # noqa: NPY002
    torch.manual_seed(seed)
    np.random.seed(seed)  # noqa: NPY002 - the global state is what is looked at
    random.seed(seed)
    try:
        yield
    finally:
        torch.set_rng_state(before[0])
        np.random.set_state(before[1])  # noqa: NPY002
        random.setstate(before[2])


@contextmanager
def drawn_from() -> Iterator[list[str]]:
    """Tell which global generators were drawn from within the context."""
    with global_seed(0):
        drawn: list[str] = []
        before = _global_states()
        yield drawn
        after = _global_states()
        drawn += [name for name, state in before.items() if after[name] != state]


def _global_states() -> Mapping[str, bytes]:
    numpy_state = np.random.get_state(legacy=False)  # noqa: NPY002
    return {
        "torch's global generator": torch.get_rng_state().numpy().tobytes(),
        "NumPy's global generator": repr(
            (numpy_state["state"]["pos"], numpy_state["state"]["key"].tobytes())
        ).encode(),
        "Python's random module": repr(random.getstate()).encode(),
    }
