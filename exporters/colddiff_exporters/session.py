"""Start ONNX Runtime on a device, and say truthfully which one it became."""

import ctypes
import re
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from functools import cache
from io import StringIO
from typing import Any

import onnxruntime as ort

from colddiff_core.contracts.errors import ModelFileError, TimeLimitError, UsageError

_CPU = "CPUExecutionProvider"
_PROVIDERS: Mapping[str, tuple[str, ...]] = {
    "cpu": (_CPU,),
    "cuda": ("CUDAExecutionProvider", _CPU),
    "tensorrt": ("TensorrtExecutionProvider", "CUDAExecutionProvider", _CPU),
}
_NEEDS = {
    "cuda": "onnxruntime-gpu, an NVIDIA driver, and CUDA and cuDNN of its version",
    "tensorrt": "onnxruntime-gpu, an NVIDIA driver, and TensorRT of its version",
}
_ERRORS = 4  # severity: what goes wrong is raised, and a missing GPU is found out below


@dataclass(frozen=True)
class Session:
    """A running session.

    Attributes:
        ort: onnxruntime's own.
        device: `"cpu"`, `"cuda"` or `"tensorrt"`, and the number of the GPU behind a colon.
        note: why `auto` did not take a GPU; empty otherwise.
    """

    ort: Any
    device: str
    note: str = ""

    @property
    def provider(self) -> str:
        """ONNX Runtime's name for what runs the graph."""
        return str(self.ort.get_providers()[0])

    @property
    def memory(self) -> tuple[str, int]:
        """Where I/O binding puts tensors: ("cuda", number) or ("cpu", 0)."""
        kind, _, number = self.device.partition(":")
        return ("cpu", 0) if kind == "cpu" else ("cuda", int(number or 0))


def open_session(content: bytes, where: str, device: str = "auto") -> Session:
    """Start a session.

    Args:
        content: a file that has passed the gate.
        where: the file's name, for messages.
        device: `cpu`, `cuda`, `cuda:1`, `tensorrt`, or `auto` for CUDA where it really starts.

    Raises:
        UsageError: no such device, or ONNX Runtime does not start it here.
        ModelFileError: ONNX Runtime does not take the file.
    """
    if device == "auto":
        reason = why_no_cuda()
        if not reason:
            session = _start(content, where, "cuda")
            if session.provider != _CPU:
                return session
            reason = "ONNX Runtime does not start its CUDA provider"
        return Session(_start(content, where, "cpu").ort, "cpu", f"no GPU: {reason}")
    kind = _kind(device)
    if kind != "cpu" and why_no_cuda():
        raise UsageError(_unavailable(device, why_no_cuda()))
    session = _start(content, where, device)
    if session.provider != _PROVIDERS[kind][0]:
        raise UsageError(_unavailable(device, "its provider does not start"))
    return session


@cache
def why_no_cuda() -> str:
    """Load CUDA's libraries for ONNX Runtime; why it cannot use them, or an empty string."""
    if "CUDAExecutionProvider" not in ort.get_available_providers():
        return "this onnxruntime is without CUDA (onnxruntime-gpu has it)"
    try:
        ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        return "there is no NVIDIA driver"
    ort.set_default_logger_severity(_ERRORS)  # a provider that does not start logs; CPU takes over
    with redirect_stdout(StringIO()):  # preload_dlls prints what it does not find
        ort.preload_dlls()
    return ""


@contextmanager
def time_limit(seconds: float | None) -> Iterator[Any]:
    """Run options that end a run after `seconds`; None for no limit.

    Raises:
        UsageError: `seconds` is not positive.
        TimeLimitError: the time was up.
        ModelFileError: ONNX Runtime failed in the body of the `with`.
    """
    check_seconds(seconds)
    options = ort.RunOptions()
    options.log_severity_level = _ERRORS
    up = threading.Event()

    def end() -> None:
        up.set()
        options.terminate = True

    timer = threading.Timer(seconds or 0, end)
    timer.daemon = True
    if seconds is not None:
        timer.start()
    try:
        yield options
    except UsageError:
        raise
    except Exception as error:  # onnxruntime raises a class of its own for each status
        if up.is_set():
            raise TimeLimitError(f"the time limit of {seconds:g} seconds was up") from error
        raise ModelFileError(f"the file failed while it ran: {first_line(error)}") from error
    finally:
        timer.cancel()


def check_seconds(seconds: float | None) -> None:
    """Check a time limit.

    Raises:
        UsageError: it is not positive.
    """
    if seconds is not None and not seconds > 0:
        raise UsageError(f"time limit: expected a positive number of seconds, got {seconds}")


def first_line(error: Exception) -> str:
    """What an error says, without the lines for developers."""
    return (str(error).splitlines() or [type(error).__name__])[0]


def _start(content: bytes, where: str, device: str) -> Session:
    options = ort.SessionOptions()
    options.log_severity_level = _ERRORS
    kind, _, number = device.partition(":")
    gpu = {"device_id": number or "0"}
    settings = {
        # TF32 keeps 10 bits of the mantissa, too few for the transforms of the degradations
        "CUDAExecutionProvider": {**gpu, "use_tf32": "0"},
        "TensorrtExecutionProvider": gpu,
    }
    providers = [(name, settings.get(name, {})) for name in _PROVIDERS[kind]]
    try:
        session = ort.InferenceSession(content, options, providers=providers)
    except Exception as error:  # onnxruntime raises a class of its own for each status
        raise ModelFileError(f"{where}: not a usable ONNX file: {first_line(error)}") from error
    return Session(session, device)


def _kind(device: str) -> str:
    match = re.fullmatch(r"(cpu)|(cuda|tensorrt)(:\d{1,3})?", device)
    if not match:
        known = ", ".join(_PROVIDERS)
        raise UsageError(f"device: expected auto, {known} or cuda:1; got {device!r}")
    return match.group(1) or match.group(2)


def _unavailable(device: str, reason: str) -> str:
    kind = device.partition(":")[0]
    name = _PROVIDERS[kind][0].removesuffix("ExecutionProvider")
    return (
        f"device {device}: ONNX Runtime does not start its {name} provider here: {reason} "
        f"(it needs {_NEEDS[kind]}); use device cpu or auto"
    )
