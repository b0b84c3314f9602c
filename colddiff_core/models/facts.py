"""What a model folder says about itself; imports no torch."""

import json
from pathlib import Path
from typing import Any

from colddiff_core.contracts.errors import ModelFolderError, RecipeError
from colddiff_core.contracts.recipe import Recipe
from colddiff_core.disk import MAX_TOML, read_bounded, read_toml
from colddiff_core.models.recipe import parse_recipe

RECIPE, WEIGHTS, PROVENANCE = "recipe.toml", "model.safetensors", "provenance.json"


def describe_folder(folder: Path) -> dict[str, Any]:
    """Recipe, shape, schedule, versions and training figures, in values that JSON can hold.

    Raises:
        ModelFolderError: it is not a model folder, or is damaged.
    """
    recipe, origin = load_model_recipe(folder), load_provenance(folder)
    weights = folder / WEIGHTS
    return {
        "format": "model folder",
        "version": origin.get("colddiff", ""),
        "image_shape": None if recipe.image_shape is None else list(recipe.image_shape),
        "num_steps": recipe.degradation.params.get("num_steps"),
        "recipe": recipe.model_dump(mode="json", exclude_none=True),
        "components": origin.get("components", []),
        "training": origin.get("training", {}),
        "seed": origin.get("seed"),
        "torch": origin.get("torch", ""),
        "git_commit": origin.get("git_commit"),
        "weights_bytes": weights.stat().st_size if weights.is_file() else None,
    }


def load_model_recipe(folder: Path) -> Recipe:
    """Read the recipe of a model folder.

    Raises:
        ModelFolderError: it is not a model folder, or its recipe is damaged.
    """
    if not folder.is_dir():
        what = "is a file, expected a model folder" if folder.exists() else "no such folder"
        raise ModelFolderError(f"{folder}: {what}")
    path = folder / RECIPE
    if not path.is_file():
        raise ModelFolderError(f"{folder}: not a model folder, it has no {RECIPE}")
    try:
        return parse_recipe(read_toml(path), where=str(path))
    except RecipeError as error:
        raise ModelFolderError(str(error)) from error


def load_provenance(folder: Path) -> dict[str, Any]:
    """Read where a model comes from; empty where the folder does not say.

    Raises:
        ModelFolderError: `provenance.json` is damaged.
    """
    path = folder / PROVENANCE
    if not path.is_file():
        return {}
    try:
        return dict(json.loads(read_bounded(path, MAX_TOML)))
    except OSError as error:
        raise ModelFolderError(f"{path}: {error.strerror}") from error
    except (ValueError, TypeError, RecursionError) as error:
        raise ModelFolderError(f"{path}: damaged: {error}") from error
