"""A data set of tables 1 to 3: train, evaluate, and follow both algorithms down."""

from pathlib import Path

import torch

from colddiff_cli.console import counting, err
from colddiff_cli.reproduce.outcome import Outcome
from colddiff_cli.reproduce.paper import RestorationSet
from colddiff_cli.reproduce.plan import Plan, Request, plan, reuse
from colddiff_cli.reproduce.trained import existing, trained, training_facts
from colddiff_core import ColdDiffusion, ImageDataset, evaluate, from_batch, from_uint8, load_recipe
from colddiff_core.contracts import timesteps as schedules
from colddiff_core.evaluation.comparison import ROWS, compare
from colddiff_core.evaluation.drift import drift
from colddiff_core.evaluation.features import FeatureNetwork
from colddiff_core.pictures.batches import Pixels, tile
from colddiff_core.training.randomness import generator

_SHOWN = 10  # pictures
_FOLLOWED = 50  # images behind the curves of error over t


def restoration(
    entry: RestorationSet,
    request: Request,
    folder: Path,
    *,
    model: Path | None,
    features: FeatureNetwork | None,
) -> Outcome:
    """Do the work for a data set.

    Args:
        entry: of the paper's table.
        request: what was asked for.
        folder: the model grows in its subfolder `model`.
        model: another model folder, which is evaluated instead.
        features: what Fréchet distances are taken on.

    Raises:
        UsageError: something does not fit.
        Interrupted: by a signal while training.
    """
    made, process, place = _model(entry.recipe, request, folder, model)
    process.eval()
    dataset = made.dataset("test")
    with counting("evaluating") as on_batch:
        found = evaluate(
            process,
            dataset,
            split="test",
            count=made.count(dataset),
            seed=request.seed,
            features=features,
            on_batch=on_batch,
        )
    followed = range(min(_FOLLOWED, len(dataset)))
    levels = schedules.full(process.num_steps)
    with err.status("following both algorithms"):
        errors = drift(
            process,
            from_uint8(dataset.images(followed).to(process.device)),
            generator(request.seed, "evaluate"),
            levels,
            dataset.context(followed),
        )
    facts = {
        "evaluation": {
            "rows": found.rows,
            "protocol": found.protocol,
            "protocol_hash": found.protocol_hash,
        },
        "published": {row: entry.published.get(row, {}) for row in ROWS},
        "published_recipe": load_recipe(entry.recipe).model_dump(mode="json", exclude_none=True),
        "curves": {"images": len(followed), "timesteps": list(levels), **errors},
        "settings": request.names(),
        "training": training_facts(process, place),
        "components": list(found.components),
    }
    return Outcome(facts, _pictures(process, dataset, request.seed))


def _model(
    recipe: str, request: Request, folder: Path, model: Path | None
) -> tuple[Plan, ColdDiffusion, Path]:
    if model is not None:
        made = reuse(recipe, request)
        return made, existing(model, made.recipe, request.device), model
    steps = load_recipe(recipe).degradation.params["num_steps"]
    made = plan(recipe, request, folder, passes_per_image=2 * steps + 1)
    place = folder / "model"
    return made, trained(made.recipe, place, request.device), place


def _pictures(process: ColdDiffusion, dataset: ImageDataset, seed: int) -> dict[str, Pixels]:
    shown = range(min(_SHOWN, len(dataset)))
    x0 = from_uint8(dataset.images(shown).to(process.device))
    draws = generator(seed, "evaluate")
    found = compare(process, x0, draws, known=dataset.context(shown))
    zoom = max(1, 64 // x0.shape[-1])
    rows: dict[str, torch.Tensor] = {"original": x0, **found}
    return {
        name: tile([from_batch(images.cpu().numpy())], zoom=zoom) for name, images in rows.items()
    }
