"""Run an exported file with onnxruntime and numpy alone."""

import itertools
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from colddiff_core.contracts import timesteps as schedules
from colddiff_core.contracts.errors import UsageError
from colddiff_exporters.checked_file import read_file
from colddiff_exporters.gate.signature import CONTEXT_TYPES
from colddiff_exporters.opened import OpenedFile
from colddiff_exporters.session import check_seconds, open_session, time_limit
from colddiff_exporters.step_loop import StepLoop

Images = NDArray[np.float32]
OnStep = Callable[[int, int], None]
"""Called after each step with how many are done, and of how many."""


class OnnxSampler(OpenedFile):
    """A sampler from an ONNX file.

    A file of the kind `sampler` runs its whole loop in one call; one of the kind `step` is called
    for each step, which shows progress; one of the kind `restorer` takes a single step to 0.

    Args:
        path: a file that `colddiff export` wrote.
        device: `"cpu"`, `"cuda"`, `"cuda:1"`, `"tensorrt"`, or `"auto"` for CUDA where it starts.

    Raises:
        ModelFileError: missing, damaged, hostile or not exported by colddiff.
        UsageError: unknown device, or one that ONNX Runtime does not start.
    """

    def __init__(self, path: Path | str, *, device: str = "auto") -> None:
        file = read_file(Path(path))
        super().__init__(Path(path), file.metadata)
        self._context = file.context
        self.outputs = tuple(item.name for item in file.model.graph.outputs)
        (self._levels_rank,) = (
            len(item.shape) for item in file.model.graph.inputs if item.name in ("timesteps", "t")
        )
        self._session = open_session(file.content, str(path), device)
        self.provider: str = self._session.provider
        self.device = self._session.device
        self.note = self._session.note
        self._on_step: OnStep | None = None
        self._seconds: float | None = None

    @property
    def graph(self) -> str:
        """The kind of graph: `sampler`, `step` or `restorer`."""
        return self._metadata.graph

    @property
    def context_names(self) -> tuple[str, ...]:
        """The context tensors that it takes."""
        return tuple(item.name for item in self._context)

    @property
    def static_steps(self) -> int | None:
        """The only number of steps it takes; None for any."""
        return self._metadata.static_steps

    def restore(
        self,
        x_t: Images,
        timesteps: Iterable[int] | None = None,
        context: Mapping[str, NDArray[Any]] | None = None,
        *,
        on_step: OnStep | None = None,
        seconds: float | None = None,
    ) -> Images:
        """Run the sampling loop.

        Args:
            x_t: (B, C, H, W) float32 images at level `timesteps[0]`, in [-1, 1].
            timesteps: levels, strictly decreasing to 0; all from T when None.
            context: one array per context tensor that the file takes.
            on_step: shows progress; needs a file of the kind `step`.
            seconds: the most that it may take.

        Returns:
            The restored images, (B, C, H, W) float32, not clamped.

        Raises:
            UsageError: shape, timesteps or context do not fit.
            TimeLimitError: it took longer than `seconds`.
        """
        if on_step is not None and self.graph != "step":
            raise UsageError(
                "on_step: this file runs its loop in one call; export it with --graph step"
            )
        self._on_step, self._seconds = on_step, seconds
        try:
            return super().restore(x_t, self._checked_levels(timesteps), context)
        finally:
            self._on_step = self._seconds = None

    def _restore(
        self, x_t: Images, levels: tuple[int, ...], context: Mapping[str, NDArray[Any]]
    ) -> Images:
        return self.run(x_t, levels, context, self._on_step, self._seconds)

    def schedule(self, level: int | None = None) -> tuple[int, ...]:
        """The levels to visit from `level`; see `Model.schedule`."""
        start = self.num_steps if level is None else level
        if self.graph == "restorer":
            return start, 0
        steps = self._metadata.static_steps
        return super().schedule(level) if steps is None else schedules.evenly(start, steps)

    def stream(
        self,
        images: Iterable[Images],
        timesteps: Iterable[int] | None = None,
        *,
        batch_size: int = 16,
        seconds: float | None = None,
    ) -> Iterator[Images]:
        """Restore any number of images, holding one batch at a time.

        Args:
            images: (C, H, W) float32 images at level `timesteps[0]`, in [-1, 1].
            timesteps: levels, strictly decreasing to 0; all from T when None.
            batch_size: images restored together.
            seconds: the most that one batch may take.

        Yields:
            The restored images, (C, H, W), in order.

        Raises:
            UsageError: shape or timesteps do not fit, or the model takes context.
            TimeLimitError: a batch took longer than `seconds`.
        """
        levels = self._checked_levels(timesteps)
        coming = iter(images)
        while batch := list(itertools.islice(coming, batch_size)):
            yield from self.restore(np.stack(batch), levels, seconds=seconds)

    def trajectory(
        self,
        x_t: Images,
        timesteps: Iterable[int] | None = None,
        context: Mapping[str, NDArray[Any]] | None = None,
        *,
        seconds: float | None = None,
    ) -> Images:
        """All states of `restore`, the start included: (len(timesteps), B, C, H, W).

        Raises:
            UsageError: see `restore`, or the file was exported without its trajectory.
            TimeLimitError: it took longer than `seconds`.
        """
        levels = self._checked_levels(timesteps)
        self._check(x_t)
        if self.graph == "step":
            states = [np.asarray(x_t, dtype=np.float32)]
            for pair in itertools.pairwise(levels):
                states.append(self.run(states[-1], pair, context or {}, None, seconds))
            return np.stack(states)
        if "trajectory" not in self.outputs:
            raise UsageError("trajectory: the file has none; export it with --trajectory")
        feed = self._feed(x_t, levels, context or {})
        with time_limit(seconds) as options:
            (found,) = self._session.ort.run(["trajectory"], feed, options)
        return np.asarray(found)

    def direct(
        self,
        x_t: Images,
        timesteps: Iterable[int] | None = None,
        context: Mapping[str, NDArray[Any]] | None = None,
    ) -> Images:
        """The restorer's estimate from the first step of a file with a trajectory, R(x_t, t).

        Raises:
            UsageError: see `trajectory`.
        """
        levels = self._checked_levels(timesteps)
        self._check(x_t)
        if "x0_direct" not in self.outputs:
            raise UsageError("x0_direct: the file has none; export it with --trajectory")
        with time_limit(None) as options:
            feed = self._feed(x_t, levels, context or {})
            (found,) = self._session.ort.run(["x0_direct"], feed, options)
        return np.asarray(found)

    def run(
        self,
        x_t: Images,
        levels: Sequence[int],
        context: Mapping[str, NDArray[Any]],
        on_step: OnStep | None = None,
        seconds: float | None = None,
    ) -> Images:
        """Run the loop over any levels, a part of a schedule for example; see `restore`."""
        if self.graph == "step":
            check_seconds(seconds)
            loop = StepLoop(self._session, self._extra(context, len(x_t)))
            deadline = None if seconds is None else time.monotonic() + seconds
            return loop.run(_contiguous(x_t), levels, on_step, deadline)
        feed = self._feed(x_t, levels, context)
        with time_limit(seconds) as options:
            (x0,) = self._session.ort.run(["x0"], feed, options)
        return np.asarray(x0)

    def _feed(
        self, x_t: Images, levels: Sequence[int], context: Mapping[str, NDArray[Any]]
    ) -> dict[str, NDArray[Any]]:
        feed = {"x_t": _contiguous(x_t), **self._extra(context, len(x_t))}
        schedule = np.array(levels, dtype=np.int64)
        if self.graph == "restorer":
            feed["t"] = np.full(len(x_t), levels[0], dtype=np.int64)
        elif self._levels_rank == 2:
            feed["timesteps"] = np.tile(schedule, (len(x_t), 1))
        else:
            feed["timesteps"] = schedule
        return feed

    def _extra(self, context: Mapping[str, NDArray[Any]], batch: int) -> dict[str, NDArray[Any]]:
        arrays = {}
        for item in self._context:
            if item.name not in context:
                raise UsageError(f"context: {item.name!r} is missing")
            array, wanted = np.asarray(context[item.name]), CONTEXT_TYPES[item.element]
            if array.shape != (batch, *item.shape[1:]) or array.dtype.name != wanted:
                raise UsageError(
                    f"context {item.name!r}: expected {wanted} {(batch, *item.shape[1:])}, "
                    f"got {array.dtype} {array.shape}"
                )
            arrays[item.name] = np.ascontiguousarray(array)
        return arrays

    def _checked_levels(self, timesteps: Iterable[int] | None) -> tuple[int, ...]:
        if timesteps is None:
            timesteps = self.schedule()
        levels = schedules.checked(timesteps, self.num_steps)
        steps, only = len(levels) - 1, self._metadata.static_steps
        if self.graph == "restorer" and steps != 1:
            raise UsageError(
                "timesteps: this file is the restorer alone, which takes one step, e.g. "
                f"{self.num_steps},0; export with --graph sampler for more"
            )
        if only not in (None, steps):
            raise UsageError(f"timesteps: this file takes {only} steps, no other number")
        return levels


def _contiguous(x: Images) -> Images:
    return np.ascontiguousarray(x, dtype=np.float32)
