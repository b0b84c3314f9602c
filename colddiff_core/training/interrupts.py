"""Ctrl-C, SIGTERM and SIGHUP as a request to stop where stopping loses nothing."""

import signal
import sys
import threading
import time
from types import FrameType, TracebackType
from typing import Any, Self

_SIGNALS = [signal.SIGINT, signal.SIGTERM]
if sys.platform != "win32":
    _SIGNALS.append(signal.SIGHUP)  # the terminal was closed, or the connection to it
_PATIENCE = 2.0  # seconds; torchrun passes the Ctrl-C on that its workers have had already


class Interrupts:
    """Remembers the first signal instead of dying of it; a context manager.

    A second Ctrl-C, not at once, is a KeyboardInterrupt as ever. Outside the main thread, where
    Python lets nobody handle signals, it does nothing. A signal that is ignored, as `nohup` ignores
    SIGHUP, stays ignored.
    """

    def __init__(self) -> None:
        self.caught: signal.Signals | None = None
        self._since = 0.0
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._before = {
                number: signal.signal(number, self._catch)
                for number in _SIGNALS
                if signal.getsignal(number) is not signal.SIG_IGN
            }
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _catch(self, number: int, _: FrameType | None) -> None:
        now = time.monotonic()
        if self.caught is None:
            self.caught, self._since = signal.Signals(number), now
        elif number == signal.SIGINT and now - self._since > _PATIENCE:
            raise KeyboardInterrupt
