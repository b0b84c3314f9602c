"""Run a file of a stranger's in a process of its own, with limits of time and memory.

The process opens and runs the file with the code that is installed here; between the two go JSON
and arrays, as .npz. When the time is up it is killed, whatever it is doing.
"""

import io
import json
import math
import os
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import IO, Any, Self

import numpy as np
from numpy.typing import NDArray

from colddiff_core.contracts import errors
from colddiff_core.contracts.model import Arrays, Images
from colddiff_exporters import metadata
from colddiff_exporters.opened import OpenedFile

_START = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from colddiff_exporters.limited import serve; serve(sys.argv[2])"
)
_ERRORS = {"UsageError": errors.UsageError, "ColdDiffError": errors.ColdDiffError}


class LimitedModel(OpenedFile):
    """A file that is opened and run in a process of its own.

    What is promised: opening and each call end within `seconds`, by an error if need be; the
    process allocates no more than `memory`; and if it crashes, this one does not. It has the rights
    of the user all the same: it is no sandbox. After a crash the next call starts another.

    Args:
        opener: the class that opens the file.
        path: of the file.
        device: as for `opener`; memory on a GPU is not limited.
        seconds: the most that opening may take, and each call; None for no limit.
        memory: bytes that may be allocated beyond what the libraries take; None for no limit.

    Raises:
        UsageError: a limit is not positive, or memory cannot be limited on this system.
        TimeLimitError: opening took too long.
        ModelFileError: see `opener`; or the process crashed.
    """

    def __init__(
        self,
        opener: type[OpenedFile],
        path: Path | str,
        *,
        device: str = "auto",
        seconds: float | None = None,
        memory: int | None = None,
    ) -> None:
        for name, limit in (("time", seconds), ("memory", memory)):
            if limit is not None and not limit > 0:
                raise errors.UsageError(f"{name} limit: expected a positive number, got {limit}")
        if memory is not None and sys.platform != "linux":
            raise errors.UsageError("memory limit: only Linux has one; run it in a container")
        self.name = str(path)
        self._seconds = None if seconds is None or math.isinf(seconds) else seconds
        self._opener = f"{opener.__module__}:{opener.__qualname__}"
        self._limits = {"path": self.name, "device": device, "memory": memory}
        facts = self._start()
        super().__init__(path, metadata.parse(facts["metadata"], Path(path)), facts["context"])
        self.device, self.note = facts["device"], facts["note"]

    def __enter__(self) -> Self:
        """End the process on leaving."""
        return self

    def __exit__(self, *error: object) -> None:
        """End the process."""
        self._end()

    def run(self, x_t: Images, levels: tuple[int, ...], context: Arrays) -> Images:
        """Run the loop over any levels; see `OpenedFile.run`."""
        if self._child.poll() is not None:
            self._start()
        _, found = self._ask({"levels": levels}, {**context, "x_t": x_t}, self._seconds)
        return found["x0"]

    def _start(self) -> Mapping[str, Any]:
        self._child = subprocess.Popen(  # noqa: S603 - our own interpreter
            [sys.executable, "-I", "-c", _START, json.dumps(sys.path), self._opener],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self._end = weakref.finalize(self, _end, self._child)
        self._ask({}, {}, None)  # that importing takes long is no fault of the file
        return self._ask(self._limits, {}, self._seconds)[0]

    def _ask(
        self, message: Mapping[str, Any], arrays: Arrays, seconds: float | None
    ) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """Send a message and take the answer, within the time."""
        child = self._child
        assert child.stdin and child.stdout  # noqa: S101, PT018 - they are pipes
        start = time.monotonic()
        timer = threading.Timer(min(seconds or 0, threading.TIMEOUT_MAX), child.kill)
        timer.daemon = True
        if seconds is not None:
            timer.start()
        try:
            _send(child.stdin, message, arrays)
            reply, found = _receive(child.stdout)
        except (OSError, EOFError):
            self._end()
            if seconds is not None and time.monotonic() - start >= seconds:
                raise errors.TimeLimitError(
                    f"{self.name}: the time limit of {seconds:g} seconds was up"
                ) from None
            raise errors.ModelFileError(
                f"{self.name}: crashed the process that ran it, which ended with the status "
                f"{child.returncode}"
            ) from None
        finally:
            timer.cancel()
        if "error" in reply:
            if reply["error"] == "MemoryError" or "alloc" in reply["text"]:
                allowed = f"{self._limits['memory'] or math.inf:,}"
                reply["text"] = (
                    f"{self.name}: needs more memory than the {allowed} bytes it may take"
                )
            raise _ERRORS.get(reply["error"], errors.ModelFileError)(reply["text"])
        return reply, found


def serve(name: str) -> None:
    """Open and run a file for a parent process; it ends when the parent does.

    Args:
        name: of the class that opens it, `module:Class`.
    """
    requests, replies = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever libraries print is no reply
    module, _, cls = name.partition(":")
    opener: Callable[..., OpenedFile] = getattr(import_module(module), cls)
    while True:
        try:
            message, arrays = _receive(requests)
        except EOFError:
            return
        try:
            reply: dict[str, Any] = {}
            found: dict[str, NDArray[Any]] = {}
            if "path" in message:
                _limit(message["memory"])
                model = opener(message["path"], device=message["device"])
                reply = {"metadata": model.metadata.properties, "context": model.context_names}
                reply |= {"device": model.device, "note": model.note}
            elif message:
                found["x0"] = model.run(arrays.pop("x_t"), tuple(message["levels"]), arrays)
        except Exception as error:
            reply = {"error": type(error).__name__, "text": str(error)}
        _send(replies, reply, found)


def _limit(memory: int | None) -> None:
    """Let this process allocate so many bytes more."""
    if memory is not None:
        import resource

        status = Path("/proc/self/status").read_text(encoding="ascii")
        (held,) = (int(s.split()[1]) for s in status.splitlines() if s.startswith("VmData:"))
        resource.setrlimit(resource.RLIMIT_DATA, (held * 1024 + memory,) * 2)


def _end(child: "subprocess.Popen[bytes]") -> None:
    child.kill()
    child.communicate()


def _send(stream: IO[bytes], message: Mapping[str, Any], arrays: Arrays) -> None:
    buffer = io.BytesIO()
    named = {f"array {name}": array for name, array in arrays.items()}
    np.savez(buffer, message=np.array(json.dumps(message)), **named)  # type: ignore[arg-type]
    stream.write(buffer.tell().to_bytes(8))
    stream.write(buffer.getbuffer())
    stream.flush()


def _receive(stream: IO[bytes]) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Read what `_send` wrote.

    Raises:
        EOFError: there is nothing, or not all.
    """
    size = int.from_bytes(stream.read(8))
    content = stream.read(size)
    if not 0 < size == len(content):
        raise EOFError
    with np.load(io.BytesIO(content)) as found:
        arrays = {name.removeprefix("array "): found[name] for name in found.files}
    return json.loads(str(arrays.pop("message"))), arrays
