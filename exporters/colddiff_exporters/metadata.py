"""What an exported file says about itself, in the model's `metadata_props`.

| key | value |
|---|---|
| `colddiff.format` | version of this table, "1" |
| `colddiff.graph` | "sampler" |
| `colddiff.version` | the release that wrote the file |
| `colddiff.image_shape` | JSON, [C, H, W] |
| `colddiff.value_range` | JSON, [-1, 1] |
| `colddiff.timesteps` | JSON, the full schedule [T, …, 0] |
| `colddiff.recipe` | JSON, the resolved recipe without [data], whose paths are private |
| `colddiff.prior` | JSON, what the prior has learnt, by name; {} without a prior |
| `colddiff.components` | JSON, ["dist:component==version", …] |

The reading half imports no torch and no onnx.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from colddiff_core import timesteps as schedules
from colddiff_core.errors import ModelFileError, UsageError

if TYPE_CHECKING:
    import onnx

    from colddiff_core.prior import Prior
    from colddiff_core.process import ColdDiffusion
    from colddiff_core.recipe import Recipe

FORMAT = "1"


@dataclass(frozen=True)
class Metadata:
    """The metadata of a file, checked.

    Attributes:
        image_shape: (C, H, W).
        timesteps: the full schedule.
        recipe_table: the recipe as a plain table.
        prior_state: what the prior has learnt, as nested lists.
    """

    image_shape: tuple[int, int, int]
    timesteps: tuple[int, ...]
    recipe_table: Mapping[str, Any]
    prior_state: Mapping[str, Any]

    @property
    def recipe(self) -> "Recipe":
        """The recipe, validated.

        Raises:
            RecipeError: it does not fit this version's schema.
        """
        from colddiff_core.recipe import Recipe

        return Recipe.from_table(self.recipe_table, where="recipe in the file")

    @property
    def prior(self) -> "Prior":
        """The prior, ready to draw; this is where torch comes in.

        Raises:
            UsageError: the model has none, or what the file says of it does not fit.
        """
        import torch

        from colddiff_core.recipe import build_table

        table = self.recipe.prior
        if table is None:
            raise UsageError("generate: the model has no prior to start from")
        prior: Prior = build_table("prior", table, image_shape=self.image_shape)
        try:
            state = {name: torch.tensor(values) for name, values in self.prior_state.items()}
            prior.load_state_dict(state)
        except (RuntimeError, TypeError, ValueError) as error:
            raise UsageError(f"prior {table.name!r}: its state is damaged: {error}") from error
        return prior.eval()


def describe(model: "onnx.ModelProto", process: "ColdDiffusion") -> None:
    """Write the metadata of `process` into `model`."""
    from onnx.helper import set_model_props

    from colddiff_core.model_folder import component_configs, resolved_recipe

    recipe = resolved_recipe(process).model_copy(update={"data": None})
    configs = component_configs(process).values()
    learnt = process.prior.state_dict() if process.prior is not None else {}
    set_model_props(
        model,
        {
            "colddiff.format": FORMAT,
            "colddiff.graph": "sampler",
            "colddiff.version": version("colddiff"),
            "colddiff.image_shape": json.dumps(process.degradation.image_shape),
            "colddiff.value_range": json.dumps([-1, 1]),
            "colddiff.timesteps": json.dumps(schedules.full(process.num_steps)),
            "colddiff.recipe": recipe.model_dump_json(exclude_none=True),
            "colddiff.prior": json.dumps({name: value.tolist() for name, value in learnt.items()}),
            "colddiff.components": json.dumps([config.provenance for config in configs]),
        },
    )


def parse(properties: Mapping[str, str], path: Path) -> Metadata:
    """Check and read the metadata of a file.

    Raises:
        ModelFileError: the file was not written by this project, or by a newer release.
    """
    form = properties.get("colddiff.format")
    if form is None:
        raise ModelFileError(f"{path}: was not exported by colddiff, it has no colddiff metadata")
    if form != FORMAT:
        raise ModelFileError(f"{path}: has format {form}, this release reads {FORMAT}; upgrade")
    try:
        channels, height, width = map(int, json.loads(properties["colddiff.image_shape"]))
        timesteps = tuple(map(int, json.loads(properties["colddiff.timesteps"])))
        recipe = dict(json.loads(properties["colddiff.recipe"]))
        prior = dict(json.loads(properties["colddiff.prior"]))
    except (KeyError, ValueError, TypeError, OverflowError, RecursionError) as error:
        raise ModelFileError(f"{path}: its colddiff metadata is damaged: {error!r}") from error
    num_steps = len(timesteps) - 1
    if not 1 <= num_steps <= schedules.MAX_NUM_STEPS or timesteps != schedules.full(num_steps):
        raise ModelFileError(f"{path}: its colddiff metadata is damaged: not a full schedule")
    return Metadata((channels, height, width), timesteps, recipe, prior)
