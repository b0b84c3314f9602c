"""The sampling loop on the host around a step graph, with the images staying on the device."""

import itertools
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from colddiff_core.contracts.errors import TimeLimitError
from colddiff_exporters.session import Session, time_limit


class StepLoop:
    """Calls a step graph with I/O binding: x_s of one call is x_t of the next, where it lies.

    Args:
        session: of a step graph.
        context: its context tensors, which are bound once.
    """

    def __init__(self, session: Session, context: Mapping[str, NDArray[Any]]) -> None:
        self._session = session
        self._context = context

    def run(
        self,
        x_t: NDArray[np.float32],
        levels: Sequence[int],
        on_step: Callable[[int, int], None] | None,
        deadline: float | None,
    ) -> NDArray[np.float32]:
        """Run over `levels`.

        Args:
            x_t: (B, C, H, W), contiguous.
            levels: decreasing.
            on_step: called with the number of steps done and of all.
            deadline: on the monotonic clock.

        Raises:
            TimeLimitError: the deadline has passed.
            ModelFileError: ONNX Runtime failed.
        """
        memory = self._session.memory
        binding = self._session.ort.io_binding()
        # Copies, so that no buffer of the caller's is written to
        here = ort.OrtValue.ortvalue_from_numpy(x_t.copy(), *memory)
        there = ort.OrtValue.ortvalue_from_numpy(x_t.copy(), *memory)
        for name, array in self._context.items():
            binding.bind_ortvalue_input(name, ort.OrtValue.ortvalue_from_numpy(array, *memory))
        count = len(levels) - 1
        for k, (t, s) in enumerate(itertools.pairwise(levels), 1):
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                raise TimeLimitError(f"the time limit was up after {k - 1} of {count} steps")
            # Named, because the binding does not keep them alive
            t_batch, s_batch = (np.full(len(x_t), level, dtype=np.int64) for level in (t, s))
            binding.bind_cpu_input("t", t_batch)
            binding.bind_cpu_input("s", s_batch)
            binding.bind_ortvalue_input("x_t", here)
            binding.bind_ortvalue_output("x_s", there)
            with time_limit(left) as options:
                self._session.ort.run_with_iobinding(binding, options)
            here, there = there, here
            if on_step is not None:
                binding.synchronize_outputs()  # or a GPU would still be at work
                on_step(k, count)
        binding.synchronize_outputs()
        return np.array(here.numpy())  # a copy: numpy() may share memory that ends with `here`
