"""A data set of the generation comparison: a hot and a cold model, each sampled in two ways."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from colddiff_cli.console import progress
from colddiff_cli.reproduce.model import trained, training_facts
from colddiff_cli.reproduce.paper import GenerationSet
from colddiff_cli.reproduce.plan import Request, plan
from colddiff_cli.reproduce.restoration import Outcome
from colddiff_core.dataset import ImageDataset
from colddiff_core.errors import UsageError
from colddiff_core.evaluation.features import FeatureNetwork
from colddiff_core.evaluation.generation import Generated, evaluate_generated, generation_protocol
from colddiff_core.images import Pixels, from_batch, tile
from colddiff_core.process import ColdDiffusion
from colddiff_core.recipe import build_table, load_recipe
from colddiff_core.registry import build

WAYS: Mapping[str, tuple[str, str]] = {
    "fixed_noise": ("hot", "improved"),
    "estimated_noise": ("hot", "ddim"),
    "perfect_symmetry": ("cold", "improved"),
    "broken_symmetry": ("cold", "improved"),
}
"""The rows of the comparison: which model, and the sampler."""

_SHARE = 0.5  # of the budget, for each of the two models


def generation(
    entry: GenerationSet,
    request: Request,
    folder: Path,
    *,
    features: FeatureNetwork | None,
    seed: int,
) -> Outcome:
    """Do the work for a data set.

    Args:
        entry: of the paper's comparison.
        request: what was asked for.
        folder: the models grow in its subfolders `hot/model` and `cold/model`.
        features: what Fréchet distances are taken on.
        seed: of what the priors draw.

    Raises:
        UsageError: something does not fit, or there are no features.
        Interrupted: by a signal while training.
    """
    if features is None:
        raise UsageError("--features: name what the Fréchet distances are to be taken on")
    rows: dict[str, dict[str, float]] = {}
    pictures: dict[str, Pixels] = {}
    protocols, training, recipes = {}, {}, {}
    for temperature in ("hot", "cold"):
        name = getattr(entry, temperature)
        place = folder / temperature
        recipes[temperature] = load_recipe(name).model_dump(mode="json", exclude_none=True)
        steps = recipes[temperature]["degradation"]["num_steps"]
        passes = 2 * steps  # there are two ways of sampling
        made = plan(name, request, place, passes_per_image=passes, share=_SHARE)
        process = trained(made.recipe, place / "model", request.device).eval()
        table = made.recipe.data
        assert table is not None  # noqa: S101 - the plan has put it there
        dataset: ImageDataset = build_table("dataset", table, split="train")
        count = min(made.images, len(dataset))
        protocols[temperature] = generation_protocol(dataset, features, count, seed)
        training[temperature] = training_facts(process, place / "model")
        for way, (of, sampler) in WAYS.items():
            if of == temperature:
                found = _sampled(_way(process, way, sampler), dataset, features, count, seed, way)
                rows[way] = {"frechet": found.frechet}
                pictures[way] = tile(
                    [from_batch(found.images.numpy())], zoom=max(1, 64 // found.images.shape[-1])
                )
    facts: dict[str, Any] = {
        "evaluation": {"rows": rows, "protocol": protocols},
        "published": {way: entry.published(way) for way in WAYS},
        "published_recipe": recipes,
        "training": training,
    }
    return Outcome(facts, pictures)


def _sampled(
    process: ColdDiffusion,
    dataset: ImageDataset,
    features: FeatureNetwork,
    count: int,
    seed: int,
    way: str,
) -> Generated:
    with progress() as display:
        task = display.add_task(f"generating, {way.replace('_', ' ')}", total=count, note="")
        show: Callable[[int, int], None] = lambda done, total: display.update(  # noqa: E731
            task, completed=done, total=total
        )
        return evaluate_generated(process, dataset, features, count=count, seed=seed, on_batch=show)


def _way(process: ColdDiffusion, way: str, sampler: str) -> ColdDiffusion:
    """The same network with another sampler or another start."""
    prior = process.prior
    if way == "perfect_symmetry" and prior is not None and prior.config is not None:
        params = {**prior.config.params, "noise_std": 0.0}
        flat = build("prior", prior.config.name, image_shape=prior.image_shape, **params)
        flat.load_state_dict(prior.state_dict())
        prior = flat.to(next(process.parameters()).device)
    return ColdDiffusion(process.degradation, process.restorer, build("sampler", sampler), prior)
