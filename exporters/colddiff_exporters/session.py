"""Start ONNX Runtime on a device, and say truthfully which one it became."""

import ctypes
import re
import sys
from collections.abc import Mapping
from contextlib import redirect_stdout
from functools import cache
from io import StringIO
from typing import Any

import onnxruntime as ort

from colddiff_core.contracts.errors import ModelFileError, UsageError

_CPU = "CPUExecutionProvider"
PROVIDERS: Mapping[str, tuple[str, ...]] = {
    "cpu": (_CPU,),
    "cuda": ("CUDAExecutionProvider", _CPU),
    "tensorrt": ("TensorrtExecutionProvider", "CUDAExecutionProvider", _CPU),
}
_ERRORS = 4  # severity: what goes wrong is raised, and a missing GPU is found out below

_PROBE = bytes.fromhex(
    "080a3a390a0e0a01780a01781201792203416464120570726f62655a0f0a0178120a0a0808011204"
    "0a020801620f0a0179120a0a08080112040a02080142040a001012"
)
"""An ONNX file that adds a number to itself, written out because onnx may not be installed."""


def resolve(device: str) -> tuple[str, str]:
    """What a device comes to here: its name, and why `auto` takes no GPU.

    Args:
        device: `cpu`, `cuda`, `cuda:1`, `tensorrt`, or `auto` for CUDA where it really starts.

    Raises:
        UsageError: no such device, or ONNX Runtime does not start it here.
    """
    wanted = "cuda" if device == "auto" else device
    if not re.fullmatch(r"cpu|(cuda|tensorrt)(:\d{1,3})?", wanted):
        raise UsageError(f"device: expected auto, {', '.join(PROVIDERS)} or cuda:1; got {device!r}")
    reason = _why_not(wanted)
    if not reason:
        return wanted, ""
    if device == "auto":
        return "cpu", f"no GPU: {reason}"
    raise UsageError(_unavailable(device, reason))


def open_session(source: bytes | str, where: str, device: str) -> Any:
    """Start a session.

    Args:
        source: a file that has passed the gate, or the path of one.
        where: the file's name, for messages.
        device: as `resolve` gives it.

    Raises:
        ModelFileError: ONNX Runtime does not take the file.
        UsageError: it does not start it on this device.
    """
    options = ort.SessionOptions()
    options.log_severity_level = _ERRORS
    kind, _, number = device.partition(":")
    gpu = {"device_id": number or "0"}
    settings = {
        # TF32 keeps 10 bits of the mantissa, too few for the transforms of the degradations
        "CUDAExecutionProvider": {**gpu, "use_tf32": "0"},
        "TensorrtExecutionProvider": gpu,
    }
    providers = [(name, settings.get(name, {})) for name in PROVIDERS[kind]]
    try:
        session = ort.InferenceSession(source, options, providers=providers)
    except Exception as error:  # onnxruntime raises a class of its own for each status
        raise ModelFileError(f"{where}: not a usable ONNX file: {first_line(error)}") from error
    if session.get_providers()[0] != PROVIDERS[kind][0]:
        raise UsageError(_unavailable(device, "its provider does not start"))
    return session


def run(session: Any, output: str, feed: Mapping[str, Any], where: str) -> Any:
    """One output of a session; other values are not given out.

    Raises:
        ModelFileError: ONNX Runtime failed.
    """
    options = ort.RunOptions()
    options.log_severity_level = _ERRORS
    try:
        (found,) = session.run([output], feed, options)
    except Exception as error:  # onnxruntime raises a class of its own for each status
        raise ModelFileError(f"{where}: failed while it ran: {first_line(error)}") from error
    return found


@cache
def _why_not(device: str) -> str:
    """Why ONNX Runtime does not start on a device; empty if it does."""
    reason = "" if device == "cpu" else _why_no_cuda()
    if not reason:
        try:
            open_session(_PROBE, "probe", device)
        except (UsageError, ModelFileError):
            return "its provider does not start"
    return reason


@cache
def _why_no_cuda() -> str:
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


def first_line(error: Exception) -> str:
    """What an error says, without the lines for developers."""
    return (str(error).splitlines() or [type(error).__name__])[0]


def _unavailable(device: str, reason: str) -> str:
    kind = device.partition(":")[0]
    name = PROVIDERS[kind][0].removesuffix("ExecutionProvider")
    return (
        f"device {device}: ONNX Runtime does not start its {name} provider here: {reason} "
        "(a GPU takes onnxruntime-gpu, an NVIDIA driver, and CUDA with cuDNN, or TensorRT, of its "
        "version); use device cpu or auto"
    )
