"""Laws of priors: what they draw, from what, and that models keep what they learnt."""

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from colddiff_core.contracts.degradation import Context, Degradation
from colddiff_core.contracts.errors import ParameterError
from colddiff_core.contracts.prior import Prior
from colddiff_core.process import ColdDiffusion
from colddiff_core.registry.components import registry
from colddiff_core.testing import uses
from colddiff_core.testing.check import check
from colddiff_core.testing.inputs import images, seeded
from colddiff_core.testing.subject import Subject
from colddiff_core.testing.verdict import CheckFailed, CheckSkipped
from colddiff_core.testing.watch import drawn_from, global_seed

EACH = (
    "Draw one after the other, all that one needs before the next: "
    "torch.stack([torch.rand(shape, generator=generator) for _ in range(n)])."
)


@check
def draws_images(subject: Subject) -> None:
    """`sample(n)` gives n finite float32 images of the shape it was built for."""
    prior = _fitted(subject)
    for n in (1, 3):
        x_t, _ = prior.sample(n, seeded(0))
        expected = (n, *prior.image_shape)
        if tuple(x_t.shape) != expected or x_t.dtype != torch.float32:
            raise CheckFailed(
                f"sample({n}) gives {x_t.dtype} {tuple(x_t.shape)}, not torch.float32 {expected}",
                seed=0,
            )
        if not x_t.isfinite().all():
            raise CheckFailed(f"sample({n}) gives values that are not finite", seed=0)


@check
def gives_what_it_says(subject: Subject) -> None:
    """The context holds the tensors named in `gives`, batch first."""
    prior = _fitted(subject)
    for n in (1, 3):
        _, context = prior.sample(n, seeded(0))
        if set(context) != set(prior.gives):
            raise CheckFailed(
                f"the context holds {sorted(context)}, and `gives` names {sorted(prior.gives)}: "
                f"training draws from the prior what `gives` names",
                seed=0,
            )
        for name, value in context.items():
            if not value.ndim or len(value) != n:
                raise CheckFailed(
                    f"context[{name!r}] of {n} images has shape {tuple(value.shape)}: the batch "
                    f"axis comes first",
                    seed=0,
                )


@check
def from_the_generator(subject: Subject) -> None:
    """A seed gives the same wherever the batch is split: one image after the other."""
    prior = _fitted(subject)
    whole = _tensors(prior.sample(5, seeded(0)))
    again = _tensors(prior.sample(5, seeded(0)))
    draws = seeded(0)
    parts = [_tensors(prior.sample(n, draws)) for n in (2, 1, 2)]
    for name, value in whole.items():
        if not torch.equal(value, again[name]):
            raise CheckFailed(
                f"{name} differs for equal seeds: take every random number from the generator",
                seed=0,
            )
        if not torch.equal(value, torch.cat([part[name] for part in parts])):
            raise CheckFailed(
                f"{name} of 5 images is another one when they are drawn in batches of 2, 1 and 2. "
                f"{EACH}",
                seed=0,
            )
    if torch.equal(whole["x_T"], prior.sample(5, seeded(1))[0]):
        raise CheckFailed("every seed gives the same images: draw from the generator", seed=1)


@check
def no_global_randomness(subject: Subject) -> None:
    """Nothing is drawn from the global generators of torch, NumPy or Python."""
    prior = _fitted(subject)
    with drawn_from() as drawn:
        prior.sample(3, seeded(0))
    if drawn:
        raise CheckFailed(f"sample draws from {drawn[0]}: use the generator it is given", seed=0)


@check
def fits_the_same(subject: Subject) -> None:
    """Fitted to the same images under another global seed, it draws the same."""
    results = []
    for seed in (1, 2):
        with global_seed(seed):
            results.append(_fitted(subject).sample(3, seeded(0))[0])
    if not torch.equal(*results):
        raise CheckFailed(
            "built and fitted again under another global seed, it draws something else: start the "
            "fit from the images, or from a generator with a fixed seed",
            seed=0,
        )


@check
def generates(subject: Subject) -> None:
    """A process generates finite images from it, with a degradation that its context serves."""
    prior = _fitted(subject)
    with uses.process(degradation=_served(prior), prior=prior) as process:
        generated = process.generate(2, timesteps=_ends(process), generator=seeded(0))
        if not generated.isfinite().all():
            raise CheckFailed("what is generated from it is not finite", seed=0)


@check
def generates_through_a_model_folder(subject: Subject) -> None:
    """A model that was saved and loaded generates the same: what was learnt is in buffers."""
    prior = _fitted(subject)
    with uses.process(degradation=_served(prior), prior=prior) as process:
        loaded = uses.saved_and_loaded(process, subject.folder)
        expected, found = (
            model.generate(3, timesteps=_ends(process), generator=seeded(0))
            for model in (process, loaded)
        )
    if not torch.equal(expected, found):
        raise CheckFailed(
            "after it was saved and loaded, a model generates something else: keep what `fit` "
            "learns in buffers, self.register_buffer(name, tensor)",
            seed=0,
        )


def _fitted(subject: Subject) -> Prior:
    """Built and fitted to two dozen images."""
    prior: Prior = subject.build()
    draws = seeded(1)
    prior.fit(images(8, prior.image_shape, draws) for _ in range(3))
    return prior.eval()


def _tensors(drawn: tuple[Tensor, Context]) -> dict[str, Tensor]:
    x_t, context = drawn
    return {"x_T": x_t, **{f"context[{name!r}]": value for name, value in context.items()}}


def _served(prior: Prior) -> Degradation:
    """A degradation that needs no context but what the prior gives, all of it if possible.

    Raises:
        CheckSkipped: there is none.
    """
    found = [d for d in _all_degradations(prior) if set(d.context_names) <= set(prior.gives)]
    if not found:
        raise CheckSkipped("no installed degradation can do with the context that it gives")
    d = max(found, key=lambda d: (len(d.context_names), -d.num_steps))
    _, context = prior.sample(2, seeded(0))
    for name, spec in d.context_spec(prior.image_shape).items():
        if (context[name].dtype, tuple(context[name].shape[1:])) != (spec.dtype, spec.shape):
            raise CheckFailed(
                f"context[{name!r}] is {context[name].dtype} {tuple(context[name].shape)} for 2 "
                f"images, and {type(d).__name__} takes {spec.dtype} {spec.shape} for each",
                seed=0,
            )
    return d


def _all_degradations(prior: Prior) -> Iterator[Degradation]:
    for item in registry().components("degradation"):
        try:
            d: Degradation = item.build()
            d.check(prior.image_shape)
            yield d
        except ParameterError:  # not for such images, or it needs to be told more
            continue


def _ends(process: ColdDiffusion) -> tuple[int, ...]:
    """T, somewhere in the middle, 0."""
    T = process.num_steps  # noqa: N806 - the paper's symbol
    return (T, math.ceil(T / 2), 0) if T > 1 else (T, 0)
