"""A file that does what its images ask it to do; in a module of its own, for another process."""

import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from colddiff_exporters.opened import OpenedFile
from colddiff_exporters.runtime import OnnxSampler


class Hostile(OpenedFile):
    """The first number of the images is what it does."""

    def __init__(self, path: Path | str, *, device: str = "auto") -> None:
        file = OnnxSampler(path, device=device)
        super().__init__(path, file.metadata, ())
        self.device = file.device

    def run(self, x_t: np.ndarray, *_: Any) -> np.ndarray:
        """Crash, hang, take memory, print, or give too little."""
        wish = x_t.flat[0]
        if wish == 1:
            os.kill(os.getpid(), 8)
        if wish == 2:
            time.sleep(100)
        if wish == 3:
            return np.ones(2**28, np.float32)
        if wish == 4:
            sys.stdout.write("this is no reply\n")
            os.write(1, b"nor is this")
        return x_t[:1] if wish == 5 else x_t
