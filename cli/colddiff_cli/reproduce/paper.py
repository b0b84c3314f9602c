"""The paper's tables: which recipe makes a row, and what was reported; see `paper.toml`."""

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Literal

from pydantic import BaseModel, ConfigDict

from colddiff_core.contracts.errors import UsageError

_FIXED = ConfigDict(extra="forbid", frozen=True)


class RestorationSet(BaseModel):
    """A data set of tables 1 to 3.

    Attributes:
        title: its name in the paper.
        recipe: what the authors did.
        published: the figures that were reported (fid, ssim, rmse), for rows of
            `evaluation.comparison.ROWS`.
    """

    model_config = _FIXED

    kind: Literal["restoration"] = "restoration"
    title: str
    recipe: str
    published: dict[str, dict[str, float]] = {}


class GenerationSet(BaseModel):
    """A data set of the comparison of hot and cold generation.

    Attributes:
        title: its name in the paper.
        hot: recipe of the model that generates from noise.
        cold: recipe of the model that generates by deblurring.
        published: the figures that were reported (fid), for rows of `generation.WAYS`.
    """

    model_config = _FIXED

    kind: Literal["generation"] = "generation"
    title: str
    hot: str
    cold: str
    published: dict[str, dict[str, float]] = {}


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
