"""What a look at an installation finds; `colddiff doctor` prints it. Imports nothing."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Finding:
    """One fact about the installation.

    Attributes:
        topic: what was looked at, e.g. `"ONNX Runtime"`.
        status: `ok`, `note` for what is missing without harm, or `problem`.
        text: what was found.
        mend: what to do about it.
    """

    topic: str
    status: Literal["ok", "note", "problem"]
    text: str
    mend: str = ""
