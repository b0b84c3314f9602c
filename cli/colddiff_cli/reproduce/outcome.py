"""What was found for a data set of a table."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from colddiff_core.pictures.batches import Pixels


@dataclass(frozen=True)
class Outcome:
    """Figures, and pictures.

    Attributes:
        facts: for `results.json`.
        pictures: rows of pictures by what they show.
    """

    facts: Mapping[str, Any]
    pictures: Mapping[str, Pixels]
