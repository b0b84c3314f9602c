"""The paper's tables: which recipe makes a row, and what was reported; see `paper.toml`."""

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Literal

from pydantic import BaseModel, ConfigDict

from colddiff_core.contracts.errors import UsageError

Figures = Mapping[str, float]
"""Reported figures by name: fid, ssim, rmse."""

_FIXED = ConfigDict(extra="forbid", frozen=True)


class RestorationSet(BaseModel):
    """A data set of tables 1 to 3.

    Attributes:
        title: its name in the paper.
        recipe: what the authors did.
        degraded: what was reported, as for the other rows of `evaluation.comparison.ROWS`.
    """

    model_config = _FIXED

    kind: Literal["restoration"] = "restoration"
    title: str
    recipe: str
    degraded: dict[str, float] = {}
    direct: dict[str, float] = {}
    naive: dict[str, float] = {}
    improved: dict[str, float] = {}

    def published(self, row: str) -> Figures:
        """The figures of a row."""
        figures: Figures = getattr(self, row)
        return figures


class GenerationSet(BaseModel):
    """A data set of the comparison of hot and cold generation.

    Attributes:
        title: its name in the paper.
        hot: recipe of the model that generates from noise.
        cold: recipe of the model that generates by deblurring.
        fixed_noise: reported for Algorithm 2 on the hot model.
        estimated_noise: reported for DDIM on the hot model.
        perfect_symmetry: reported for the cold model from flat colours.
        broken_symmetry: reported for the cold model from flat colours with a little noise.
    """

    model_config = _FIXED

    kind: Literal["generation"] = "generation"
    title: str
    hot: str
    cold: str
    fixed_noise: dict[str, float] = {}
    estimated_noise: dict[str, float] = {}
    perfect_symmetry: dict[str, float] = {}
    broken_symmetry: dict[str, float] = {}

    def published(self, row: str) -> Figures:
        """The figures of a row."""
        figures: Figures = getattr(self, row)
        return figures


class PaperTable(BaseModel):
    """A table.

    Attributes:
        title: what it is about.
        source: where its figures are.
        sets: by the names that `--dataset` takes.
    """

    model_config = _FIXED

    title: str
    source: str
    sets: dict[str, RestorationSet | GenerationSet]


@cache
def tables() -> Mapping[str, PaperTable]:
    """All tables by name."""
    text = files("colddiff_cli.reproduce").joinpath("paper.toml").read_text("utf-8")
    return {name: PaperTable.model_validate(table) for name, table in tomllib.loads(text).items()}


def table(name: str) -> PaperTable:
    """A table by its name.

    Raises:
        UsageError: there is none of that name.
    """
    if name not in tables():
        raise UsageError(f"TABLE: expected {', '.join(tables())}; got {name!r}")
    return tables()[name]
