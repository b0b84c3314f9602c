"""How much memory restoring takes, and how much there is."""

import os
import sys
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

SHARE = 0.5
"""Of the memory that is free, what a job takes unless somebody says how much it may."""

_SCRATCH = 1.3
"""What is held beside the tensors, in units of them: scratch space of the convolutions."""


def free_memory() -> int:
    """Bytes that can still be taken on this machine, or within its container's limit."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        free = next(int(line.split()[1]) * 1024 for line in lines if "MemAvailable" in line)
    except (OSError, StopIteration, ValueError):
        if sys.platform == "win32":
            return 4 * 2**30  # what any machine has that runs torch
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
    try:
        group = Path("/sys/fs/cgroup")
        limit = int((group / "memory.max").read_text(encoding="ascii"))
        return min(free, limit - int((group / "memory.current").read_text(encoding="ascii")))
    except (OSError, ValueError):  # no such group, or no limit: "max"
        return free


def resident_memory() -> int:
    """Bytes that this process holds now; 0 where that cannot be told."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except (OSError, ValueError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


def working_memory(run: Callable[[], "Tensor"]) -> int:
    """Bytes that `run` holds at most at a time, by counting the tensors that it makes.

    Args:
        run: computes with torch, on any device.
    """
    from torch import Tensor
    from torch.utils._python_dispatch import TorchDispatchMode
    from torch.utils._pytree import tree_leaves

    class Counting(TorchDispatchMode):  # type: ignore[no-untyped-call]
        held = most = 0
        known: set[int] = set()  # noqa: RUF012 - of this one mode

        def __torch_dispatch__(
            self, func: Any, _types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            made = func(*args, **(kwargs or {}))
            for tensor in tree_leaves(made):
                if isinstance(tensor, Tensor):
                    self.count(tensor)
            return made

        def count(self, tensor: Tensor) -> None:
            storage = tensor.untyped_storage()
            if storage._cdata not in self.known:
                self.known.add(storage._cdata)
                self.held += storage.nbytes()
                self.most = max(self.most, self.held)
                weakref.finalize(storage, self.forget, storage._cdata, storage.nbytes())

        def forget(self, key: int, size: int) -> None:
            self.known.discard(key)
            self.held -= size

    with Counting() as counting:  # type: ignore[no-untyped-call]
        run()
    return int(counting.most * _SCRATCH)
