"""The processes of a run: one, or those that `torchrun` started.

    torchrun --nproc-per-node 8 -m colddiff_cli train RECIPE

Gradients travel by nccl between GPUs and by gloo between CPUs; requests to stop, results and
errors always by gloo, so that no GPU has to be waited for.
"""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor, distributed

from colddiff_core.contracts.errors import ColdDiffError

T = TypeVar("T")
_FAREWELL = 0.2  # seconds


def is_first() -> bool:
    """Whether this process is the one that writes and prints; torch need not be asked."""
    return os.environ.get("RANK", "0") == "0"


@dataclass(frozen=True)
class World:
    """The processes that train together.

    Attributes:
        device: of this process.
        rank: number of this process.
        size: how many there are.
    """

    device: torch.device
    rank: int = 0
    size: int = 1

    def share(self, batch_size: int) -> range:
        """The places in a batch that are this process's: an even share, if need be but for one."""
        return range(self.rank * batch_size // self.size, (self.rank + 1) * batch_size // self.size)

    def sum(self, values: Tensor) -> Tensor:
        """The sum over all processes, on the CPU."""
        return self._reduced(values, distributed.ReduceOp.SUM)

    def max(self, value: int) -> int:
        """The largest value of all processes."""
        return int(self._reduced(torch.tensor(value), distributed.ReduceOp.MAX))

    def on_first(self, work: Callable[[], T]) -> T:
        """Do something in the first process, and have its result, or its error, in all of them.

        Raises:
            ColdDiffError: what the first process raised.
        """
        if self.size == 1:
            return work()
        outcome: list[Any] = [None, None]
        if self.rank == 0:
            try:
                outcome[0] = work()
            except ColdDiffError as error:
                outcome[1] = error
        distributed.broadcast_object_list(outcome, src=0, device=torch.device("cpu"))
        result, failure = outcome
        if failure is not None:
            raise failure
        return result  # type: ignore[no-any-return]

    def _reduced(self, values: Tensor, operation: Any) -> Tensor:
        values = values.cpu()
        if self.size > 1:
            values = values.clone()
            distributed.all_reduce(values, op=operation)
        return values


@contextmanager
def joined(device: str | torch.device) -> Iterator[World]:
    """Join the processes that `torchrun` started, if it did; each takes a GPU of its own.

    Args:
        device: where to train; `"cuda"` is the GPU of this process.
    """
    device = torch.device(device)
    if int(os.environ.get("WORLD_SIZE", "1")) == 1 and not distributed.is_initialized():
        yield World(device)
        return
    if device.type == "cuda":
        if device.index is None:
            device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
        torch.cuda.set_device(device)
    ours = not distributed.is_initialized()
    if ours:
        distributed.init_process_group("cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo")
    try:
        yield World(device, distributed.get_rank(), distributed.get_world_size())
    finally:
        if ours:
            # A gloo thread wants Python's lock to forget the last exchange; the group's destructor
            # waits for that thread without giving the lock up
            time.sleep(_FAREWELL)
            distributed.destroy_process_group()
