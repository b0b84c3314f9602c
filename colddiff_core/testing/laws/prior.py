"""Laws of priors alone: what they draw, and that a process generates from it."""

from colddiff_core.testing import uses
from colddiff_core.testing.check import check
from colddiff_core.testing.inputs import seeded
from colddiff_core.testing.scenes import make
from colddiff_core.testing.subject import Subject
from colddiff_core.testing.verdict import CheckFailed


@check("prior", seed=0)
def draws_finite_images(subject: Subject) -> None:
    """`sample(n)` gives n images of finite numbers."""
    prior = make(subject)
    for n in (1, 3):
        x_t, _ = prior.sample(n, seeded(0))
        if len(x_t) != n or not x_t.isfinite().all():
            raise CheckFailed(f"sample({n}) gives {len(x_t)} images, not all numbers finite")


@check("prior", seed=0)
def gives_what_it_says(subject: Subject) -> None:
    """The context holds the tensors named in `gives`, batch first."""
    prior = make(subject)
    for n in (1, 3):
        _, context = prior.sample(n, seeded(0))
        if set(context) != set(prior.gives):
            raise CheckFailed(
                f"the context holds {sorted(context)}, and `gives` names {sorted(prior.gives)}: "
                f"training draws from the prior what `gives` names"
            )
        for name, value in context.items():
            if not value.ndim or len(value) != n:
                raise CheckFailed(
                    f"context[{name!r}] of {n} images has shape {tuple(value.shape)}: the batch "
                    f"axis comes first"
                )


@check("prior", essential=True, seed=0)
def generates(subject: Subject) -> None:
    """A process generates finite images from it, with a degradation that its context serves."""
    with uses.process_of(subject) as process:
        generated = process.generate(2, timesteps=uses.short(process), generator=seeded(0))
        if not generated.isfinite().all():
            raise CheckFailed("what is generated from it is not finite")
