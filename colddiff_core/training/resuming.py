"""Whether a checkpoint belongs to the run that is to go on."""

import logging
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from colddiff_core.contracts.dataset import ImageDataset
from colddiff_core.contracts.errors import CheckpointError
from colddiff_core.contracts.recipe import ComponentTable
from colddiff_core.models.folder import component_configs, resolved_recipe
from colddiff_core.models.nested import flat
from colddiff_core.process import ColdDiffusion
from colddiff_core.training.checkpoint import Checkpoint

_FREE = {
    "summary",
    "source",
    *(f"train.{name}" for name in ("log_every", "sample_every")),
    *(f"train.{name}" for name in ("checkpoint_every", "keep_checkpoints")),
    *(f"train.{name}" for name in ("accumulate", "compile")),
}
"""What a run may change on its way: what it shows and keeps, and how a step is computed."""

_log = logging.getLogger(__name__)


def facts_of(process: ColdDiffusion, dataset: ImageDataset) -> dict[str, Any]:
    """What a checkpoint says about where it comes from: the whole recipe, data and versions."""
    recipe = resolved_recipe(process)
    parts = component_configs(process)
    if dataset.config is not None:
        recipe = recipe.model_copy(update={"data": ComponentTable.of(dataset.config)})
        parts["dataset"] = dataset.config
    few = range(min(16, len(dataset)))
    same = torch.equal(dataset.images(few), dataset.images(few))  # not cropped at random, say
    known = [config.distribution for config in parts.values() if config.distribution]
    versions = dict(distribution.partition("==")[::2] for distribution in known)
    return {
        "schema_version": 1,
        "recipe": recipe.model_dump(mode="json", exclude_none=True),
        "images": len(dataset),
        "data_digest": dataset.digest() if same else "another at each reading",
        "versions": {"colddiff": version("colddiff"), "torch": torch.__version__, **versions},
    }


def check_same_run(checkpoint: Checkpoint, facts: Mapping[str, Any], folder: Path) -> None:
    """Refuse to go on with another recipe or other data, and warn of other versions.

    Args:
        checkpoint: of the run in `folder`.
        facts: see `facts_of`, of the run that is asked for.
        folder: to name in the error.

    Raises:
        CheckpointError: names each value that differs, as it was and as it is.
    """
    before, now = (
        {
            **dict(flat(f["recipe"])),
            "number of training images": f["images"],
            "SHA-256 of the training images": f["data_digest"],
        }
        for f in (checkpoint.facts, facts)
    )
    changed = [
        f"{key} was {before.get(key, 'not set')!r} and is {now.get(key, 'not set')!r}"
        for key in sorted((before.keys() | now.keys()) - _FREE)
        if before.get(key) != now.get(key)
    ]
    if changed:
        raise CheckpointError(
            f"{folder}: holds a run of another recipe or other data, {checkpoint.step} steps long: "
            f"{'; '.join(changed)}. Go on with the recipe as it was, or name another folder"
        )
    was, current = checkpoint.facts["versions"], facts["versions"]
    for name in was.keys() & current.keys():
        if was[name] != current[name]:
            _log.warning(
                "%s: began with %s %s, goes on with %s; the weights may come out differently",
                *(folder, name, was[name], current[name]),
            )
