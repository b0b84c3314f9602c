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
| `colddiff.components` | JSON, ["dist:component==version", …] |

The reading half imports no torch and no onnx.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from colddiff_core.errors import ModelFileError

if TYPE_CHECKING:
    import onnx

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
    """

    image_shape: tuple[int, int, int]
    timesteps: tuple[int, ...]
    recipe_table: Mapping[str, Any]

    @property
    def recipe(self) -> "Recipe":
        """The recipe, validated.

        Raises:
            RecipeError: it does not fit this version's schema.
        """
        from colddiff_core.recipe import Recipe

        return Recipe.from_table(self.recipe_table, where="recipe in the file")


def describe(model: "onnx.ModelProto", process: "ColdDiffusion") -> None:
    """Write the metadata of `process` into `model`."""
    from onnx.helper import set_model_props

    from colddiff_core import timesteps
    from colddiff_core.model_folder import component_configs, resolved_recipe

    recipe = resolved_recipe(process)
    configs = component_configs(process).values()
    set_model_props(
        model,
        {
            "colddiff.format": FORMAT,
            "colddiff.graph": "sampler",
            "colddiff.version": version("colddiff"),
            "colddiff.image_shape": json.dumps(process.degradation.image_shape),
            "colddiff.value_range": json.dumps([-1, 1]),
            "colddiff.timesteps": json.dumps(timesteps.full(process.num_steps)),
            "colddiff.recipe": recipe.model_dump_json(exclude_none=True),
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
    except (KeyError, ValueError, TypeError, RecursionError) as error:
        raise ModelFileError(f"{path}: its colddiff metadata is damaged: {error}") from error
    return Metadata((channels, height, width), timesteps, recipe)
