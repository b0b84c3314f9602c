"""A data set of the generation comparison: a hot and a cold model, each sampled in two ways."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from colddiff_cli.console import counting
from colddiff_cli.reproduce.outcome import Outcome
from colddiff_cli.reproduce.paper import GenerationSet
from colddiff_cli.reproduce.plan import Request, plan
from colddiff_cli.reproduce.trained import trained, training_facts
from colddiff_core import ColdDiffusion, ImageDataset, build, from_batch, load_recipe
from colddiff_core.evaluation.features import FeatureNetwork
from colddiff_core.evaluation.generation import Generated, evaluate_generated, generation_protocol
from colddiff_core.pictures.batches import tile

WAYS: Mapping[str, tuple[str, str]] = {
    "fixed_noise": ("hot", "improved"),
    "estimated_noise": ("hot", "ddim"),
    "perfect_symmetry": ("cold", "improved"),
    "broken_symmetry": ("cold", "improved"),
}
"""The rows of the comparison: which model, and the sampler."""


def generation(
    entry: GenerationSet, request: Request, folder: Path, *, features: FeatureNetwork
) -> Outcome:
    """Do the work for a data set.

    Args:
        entry: of the paper's comparison.
        request: what was asked for.
        folder: the models grow in its subfolders `hot/model` and `cold/model`.
        features: what Fréchet distances are taken on.

    Raises:
        UsageError: something does not fit.
        Interrupted: by a signal while training.
    """
    names = {"hot": entry.hot, "cold": entry.cold}
    recipes = {
        kind: load_recipe(name).model_dump(mode="json", exclude_none=True)
        for kind, name in names.items()
    }
    plans = {
        kind: plan(
            name,
            request,
            folder / kind,
            passes_per_image=2 * recipes[kind]["degradation"]["num_steps"],  # two ways to sample
            share=1 / len(names),
        )
        for kind, name in names.items()
    }
    models = {
        kind: trained(made.recipe, folder / kind / "model", request.device).eval()
        for kind, made in plans.items()
    }
    dataset = plans["hot"].dataset("train")
    count = min(plans["hot"].count(dataset), plans["cold"].images)
    found = {
        way: _sampled(_way(models[kind], way, sampler), dataset, features, count, request.seed, way)
        for way, (kind, sampler) in WAYS.items()
    }
    zoom = max(1, 64 // dataset.image_shape[-1])
    facts: dict[str, Any] = {
        "evaluation": {
            "rows": {way: {"frechet": result.frechet} for way, result in found.items()},
            "protocol": generation_protocol(dataset, features, count, request.seed),
        },
        "published": {way: entry.published.get(way, {}) for way in WAYS},
        "published_recipe": recipes,
        "settings": request.names(),
        "training": {
            kind: training_facts(process, folder / kind / "model")
            for kind, process in models.items()
        },
    }
    pictures = {
        way: tile([from_batch(result.images.numpy())], zoom=zoom) for way, result in found.items()
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
    with counting(f"generating, {way.replace('_', ' ')}") as show:
        return evaluate_generated(process, dataset, features, count=count, seed=seed, on_batch=show)


def _way(process: ColdDiffusion, way: str, sampler: str) -> ColdDiffusion:
    """The same network with another sampler or another start."""
    prior = process.prior
    if way == "perfect_symmetry" and prior is not None and prior.config is not None:
        params = {**prior.config.params, "noise_std": 0.0}
        flat = build("prior", prior.config.name, image_shape=prior.image_shape, **params)
        flat.load_state_dict(prior.state_dict())
        prior = flat.to(process.device)
    return ColdDiffusion(process.degradation, process.restorer, build("sampler", sampler), prior)
