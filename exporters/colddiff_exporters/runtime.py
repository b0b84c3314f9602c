"""Run an exported file with onnxruntime and numpy alone."""

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from colddiff_core import Arrays, Images, UsageError
from colddiff_core.contracts import timesteps as schedules
from colddiff_exporters import session as sessions
from colddiff_exporters.checked_file import read_file
from colddiff_exporters.gate.signature import CONTEXT_TYPES
from colddiff_exporters.opened import OpenedFile


class OnnxSampler(OpenedFile):
    """A sampler from an ONNX file.

    A file of the kind `sampler` runs its whole loop in one call; one of the kind `step` is called
    for each step, which shows progress; one of the kind `restorer` takes a single step to 0.
    The file is judged here, and loaded by ONNX Runtime when it is first run.

    Args:
        path: a file that `colddiff export` wrote.
        device: `"cpu"`, `"cuda"`, `"cuda:1"`, `"tensorrt"`, or `"auto"` for CUDA where it starts.

    Raises:
        ModelFileError: missing, damaged, hostile or not exported by colddiff.
        UsageError: unknown device, or one that ONNX Runtime does not start.
    """

    def __init__(self, path: Path | str, *, device: str = "auto") -> None:
        self._file = file = read_file(Path(path))
        super().__init__(path, file.metadata, (item.name for item in file.context))
        self.device, self.note = sessions.resolve(device)
        self.outputs = tuple(item.name for item in file.outputs)

    @cached_property
    def _session(self) -> Any:
        with self._file.for_runtime() as source:
            return sessions.open_session(source, self.name, self.device)

    def restore(
        self,
        x_t: Images,
        timesteps: Iterable[int] | None = None,
        context: Arrays | None = None,
        *,
        on_step: Callable[[int, int], None] | None = None,
        seconds: float | None = None,
    ) -> Images:
        """Run the sampling loop; see `Model.restore`.

        Args:
            x_t: (B, C, H, W) float32 images at level `timesteps[0]`, in [-1, 1].
            timesteps: levels, strictly decreasing to 0; all from T when None.
            context: one array per context tensor that the file takes.
            on_step: called with the number of steps done and of all; needs a file of the kind
                `step`.
            seconds: the most that it may take, in a process of its own; see
                `LimitedModel`.

        Raises:
            UsageError: shape, timesteps or context do not fit.
            TimeLimitError: it took longer than `seconds`.
        """
        if seconds is not None:
            from colddiff_exporters.limited import LimitedModel

            with LimitedModel(OnnxSampler, self.name, device=self.device, seconds=seconds) as own:
                return own.restore(x_t, timesteps, context)
        if on_step is None:
            return super().restore(x_t, timesteps, context)
        levels = self._levels(timesteps)
        for k, x in enumerate(self.steps(x_t, levels, context), 1):  # noqa: B007 - the last is it
            on_step(k, len(levels) - 1)
        return x

    def steps(
        self, x_t: Images, timesteps: Iterable[int] | None = None, context: Arrays | None = None
    ) -> Iterator[Images]:
        """The images after each step of `restore`, from a file of the kind `step`.

        Raises:
            UsageError: see `restore`, or the file is of another kind.
        """
        if self.graph != "step":
            raise UsageError(
                "steps: this file runs its loop in one call; export it with --graph step"
            )
        (height, width), x = self.check(x_t), self._padded(x_t)
        for pair in itertools.pairwise(self._levels(timesteps)):
            x = self._checked_result(self.run(x, pair, context or {}), x)
            yield x[:, :, :height, :width]

    def trajectory(
        self, x_t: Images, timesteps: Iterable[int] | None = None, context: Arrays | None = None
    ) -> Images:
        """All states of `restore`, the start included: (len(timesteps), B, C, H, W).

        Raises:
            UsageError: see `restore`, or the file was exported without its trajectory.
        """
        if self.graph == "step":
            start = np.asarray(x_t, dtype=np.float32)
            return np.stack([start, *self.steps(x_t, timesteps, context)])
        return self._optional("trajectory", x_t, timesteps, context)

    def direct(
        self, x_t: Images, timesteps: Iterable[int] | None = None, context: Arrays | None = None
    ) -> Images:
        """The restorer's estimate from the first step of a file with a trajectory, R(x_t, t).

        Raises:
            UsageError: see `trajectory`.
        """
        return self._optional("x0_direct", x_t, timesteps, context)

    def run(self, x_t: Images, levels: Sequence[int], context: Arrays) -> Images:
        """Run the loop over any levels; see `OpenedFile.run`."""
        feed = self._feed(x_t, context)
        if self.graph == "step":
            for t, s in itertools.pairwise(levels):
                feed |= {"t": self._level(t, len(x_t)), "s": self._level(s, len(x_t))}
                feed["x_t"] = self._output("x_s", feed)
            return feed["x_t"]
        if self.graph == "restorer":
            return self._output("x0", {**feed, "t": self._level(levels[0], len(x_t))})
        return self._output("x0", {**feed, "timesteps": self._schedule(levels, len(x_t))})

    def _optional(
        self, name: str, x_t: Images, timesteps: Iterable[int] | None, context: Arrays | None
    ) -> Images:
        levels = self._levels(timesteps)
        height, width = self.check(x_t)
        if name not in self.outputs:
            raise UsageError(f"{name}: the file has none; export it with --trajectory")
        feed = self._feed(self._padded(x_t), context or {})
        feed["timesteps"] = self._schedule(levels, len(x_t))
        return self._output(name, feed)[..., :height, :width]

    def _output(self, name: str, feed: dict[str, NDArray[Any]]) -> Images:
        return np.asarray(sessions.run(self._session, name, feed, self.name))

    def _levels(self, timesteps: Iterable[int] | None) -> tuple[int, ...]:
        return schedules.checked(
            self.schedule() if timesteps is None else timesteps, self.num_steps
        )

    def _level(self, level: int, batch: int) -> NDArray[np.int64]:
        return np.full(batch, level, dtype=np.int64)

    def _schedule(self, levels: Sequence[int], batch: int) -> NDArray[np.int64]:
        schedule = np.array(levels, dtype=np.int64)
        (rank,) = (len(item.shape) for item in self._file.inputs if item.name == "timesteps")
        return np.tile(schedule, (batch, 1)) if rank == 2 else schedule

    def _feed(self, x_t: Images, context: Arrays) -> dict[str, NDArray[Any]]:
        arrays: dict[str, NDArray[Any]] = {"x_t": np.ascontiguousarray(x_t, dtype=np.float32)}
        for item in self._file.context:
            if item.name not in context:
                raise UsageError(f"context: {item.name!r} is missing")
            array, wanted = np.asarray(context[item.name]), CONTEXT_TYPES[item.element]
            if array.shape != (len(x_t), *item.shape[1:]) or array.dtype.name != wanted:
                raise UsageError(
                    f"context {item.name!r}: expected {wanted} {(len(x_t), *item.shape[1:])}, "
                    f"got {array.dtype} {array.shape}"
                )
            arrays[item.name] = np.ascontiguousarray(array)
        return arrays
