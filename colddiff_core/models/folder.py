"""Model folders: `recipe.toml` (resolved), `model.safetensors` (weights), `provenance.json`.

Nothing in a model folder is executed: the recipe names installed components, the weights are
plain tensors, and both are checked before they are used.
"""

import json
import subprocess
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor

from colddiff_core.contracts.component import ComponentConfig
from colddiff_core.contracts.degradation import Degradation
from colddiff_core.contracts.errors import ModelFolderError
from colddiff_core.contracts.process import Process
from colddiff_core.contracts.recipe import ComponentTable, Recipe
from colddiff_core.disk import read_bounded, write_atomically
from colddiff_core.models.facts import PROVENANCE, RECIPE, WEIGHTS
from colddiff_core.models.recipe import UNREGISTERED

_HALF = (torch.float16, torch.bfloat16)
_MAX_HEADER = 100_000_000  # bytes, what safetensors itself accepts


def save_model(
    process: Process, folder: Path | str, *, provenance: Mapping[str, Any] | None = None
) -> Path:
    """Write a model folder; see `ColdDiffusion.save`.

    Args:
        process: what to save.
        folder: made if it does not exist.
        provenance: what else to record.

    Raises:
        UsageError: it cannot be written.
    """
    folder = Path(folder)
    resolved = resolved_recipe(process)
    weights = {
        name: tensor.detach().cpu().contiguous() for name, tensor in _learnt(process).items()
    }
    facts = {
        "schema_version": 1,
        "colddiff": version("colddiff"),
        "torch": torch.__version__,
        "git_commit": git_commit(),
        "components": components(process),
        **(provenance or {}),
    }
    if (folder / RECIPE).exists():
        (folder / RECIPE).unlink()  # an old recipe must not meet new weights
    write_atomically(folder / WEIGHTS, save_tensors(weights))
    write_atomically(folder / PROVENANCE, json.dumps(facts, indent=2) + "\n")
    write_atomically(folder / RECIPE, resolved.to_toml())  # last: it makes the folder a model
    return folder


def load_weights(process: Process, folder: Path) -> None:
    """Read what a process has learnt from its model folder.

    Args:
        process: built from the folder's recipe; its weights are replaced.
        folder: the model folder.

    Raises:
        ModelFolderError: the weights are missing, damaged or of another recipe.
    """
    path, expected = folder / WEIGHTS, _learnt(process)
    limit = _MAX_HEADER + sum(tensor.nbytes for tensor in expected.values())
    try:
        weights = load_tensors(read_bounded(path, limit))
    except OSError as error:
        raise ModelFolderError(f"{path}: {error.strerror}") from error
    except (SafetensorError, ValueError) as error:
        raise ModelFolderError(f"{path}: damaged: {error}") from error
    _check_state(expected, weights, path)
    process.load_state_dict(weights, strict=False)  # tables of D are computed, not stored


def resolved_recipe(process: Process) -> Recipe:
    """The recipe that builds `process` again, every parameter written out.

    A part that `build` did not make stands in it as `unregistered:package.Class`, and has to be
    given to `ColdDiffusion.load`.
    """
    configs = component_configs(process)
    recipe = process.recipe
    return Recipe(
        summary=recipe.summary if recipe else "",
        source=recipe.source if recipe else "",
        image_shape=process.image_shape,
        data=recipe.data if recipe else None,
        train=recipe.train if recipe else None,
        **{kind: ComponentTable.of(config) for kind, config in configs.items()},
    )


def component_configs(process: Process) -> dict[str, ComponentConfig]:
    """How each part of `process` was built, by kind; of one's own class only what it is called."""
    parts = {
        "degradation": process.degradation,
        "restorer": process.restorer,
        "sampler": process.sampler,
        **({} if process.prior is None else {"prior": process.prior}),
    }
    return {kind: getattr(part, "config", None) or _own(kind, part) for kind, part in parts.items()}


def components(process: Process) -> list[str]:
    """The components of `process` with their versions, as `provenance.json` records them."""
    configs = component_configs(process).values()
    return [config.provenance for config in configs if config.distribution]


def _own(kind: str, part: object) -> ComponentConfig:
    params = {"num_steps": part.num_steps} if isinstance(part, Degradation) else {}
    cls = type(part)
    return ComponentConfig(kind, f"{UNREGISTERED}{cls.__module__}.{cls.__qualname__}", params)


def git_commit() -> str | None:
    """The commit of the checkout that this code runs from, with `-dirty` if it was changed.

    None for an installed wheel.
    """
    root = Path(__file__).resolve().parents[2]
    if not (root / ".git").exists():
        return None
    try:
        answer = subprocess.run(  # noqa: S603
            ["git", "-C", str(root), "describe", "--always", "--abbrev=40", "--dirty"],  # noqa: S607
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout.strip()


def _learnt(process: Process) -> dict[str, Tensor]:
    """What training decides: the restorer's weights and what the prior has fitted."""
    state: dict[str, Tensor] = process.state_dict()
    return {
        name: tensor
        for name, tensor in state.items()
        if name.split(".")[0] in ("restorer", "prior")
    }


def _check_state(expected: Mapping[str, Tensor], found: Mapping[str, Tensor], path: Path) -> None:
    wrong = sorted(expected.keys() ^ found.keys()) or sorted(
        name
        for name, like in expected.items()
        if found[name].shape != like.shape
        or found[name].dtype not in (like.dtype, *(_HALF if like.dtype == torch.float32 else ()))
    )
    if wrong:
        raise ModelFolderError(
            f"{path}: does not hold the weights of this recipe: "
            f"{len(wrong)} tensors are missing, unknown or of another shape or type, "
            f"e.g. {wrong[0]!r}"
        )
    damaged = [name for name, tensor in found.items() if not tensor.isfinite().all()]
    if damaged:
        raise ModelFolderError(f"{path}: {damaged[0]!r} has values that are not finite")
