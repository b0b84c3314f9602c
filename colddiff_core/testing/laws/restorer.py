"""Laws of restorers: networks that train, move, trace and export."""

from dataclasses import dataclass

import torch
from torch import Tensor

from colddiff_core.contracts.restorer import Restorer
from colddiff_core.testing import uses
from colddiff_core.testing.check import check
from colddiff_core.testing.inputs import distances, images, seeded
from colddiff_core.testing.moving import expect_no_stray_tensors, expect_to_run_elsewhere
from colddiff_core.testing.subject import ImageShape, Subject
from colddiff_core.testing.verdict import CheckFailed
from colddiff_core.testing.watch import Operations, drawn_from, global_seed

NEAR = 1e-3
"""Largest difference of results that should be equal but for rounding, in units of the largest."""

NUDGE = 0.02
"""Standard deviation of what is added to new weights, which are often zero."""


@dataclass(frozen=True)
class View:
    """A network in evaluation mode, with weights that let everything through, and its inputs.

    Attributes:
        net: R.
        x_t: (3, C, H, W).
        t: (3,) levels.
    """

    net: Restorer
    x_t: Tensor
    t: Tensor

    @classmethod
    def of(cls, subject: Subject, shape: ImageShape) -> "View":
        """Build a network and draw its inputs."""
        draws = seeded(0)
        net = _new(subject, shape, seed=0)
        with torch.no_grad():
            for parameter in net.parameters():
                parameter.add_(NUDGE * torch.randn(parameter.shape, generator=draws))
        return cls(net, images(3, shape, draws), torch.tensor([1, 7, 20]))

    @torch.no_grad()
    def __call__(self) -> Tensor:
        """R(x_t, t)."""
        return self.net(self.x_t, self.t)  # type: ignore[no-any-return]

    def __str__(self) -> str:
        return f"on 3 images of {tuple(self.x_t.shape[1:])} at levels {self.t.tolist()}"


@check
def finite_when_new(subject: Subject) -> None:
    """A new network gives finite images at every level, for flat images as well."""
    for shape in subject.shapes:
        net = _new(subject, shape, seed=0)
        flat = torch.tensor([-1.0, 0.0, 1.0])[:, None, None, None].expand(3, *shape)
        x_t = torch.cat([images(2, shape, seeded(0)), flat])
        for level in (1, 2, 20, 100):
            with torch.no_grad():
                x0_hat = net(x_t, torch.full((len(x_t),), level))
            if not x0_hat.isfinite().all():
                raise CheckFailed(f"R is not finite at level {level} on {shape}", seed=0)


@check
def result_like_the_input(subject: Subject) -> None:
    """x0_hat has the shape, the type and the device of x_t."""
    for shape in subject.shapes:
        view = View.of(subject, shape)
        x0_hat = view()
        if not isinstance(x0_hat, Tensor):
            raise CheckFailed(f"R(x_t, t) is a {type(x0_hat).__name__}, not a tensor")
        found, expected = ((tuple(x.shape), x.dtype, x.device) for x in (x0_hat, view.x_t))
        if found != expected:
            raise CheckFailed(
                f"R(x_t, t) is {found[1]} {found[0]} on {found[2]}, and x_t {expected[1]} "
                f"{expected[0]} on {expected[2]}",
                seed=0,
            )


@check
def keeps_its_input(subject: Subject) -> None:
    """Neither the images nor the levels are changed in place."""
    view = View.of(subject, subject.shapes[0])
    before = {"x_t": view.x_t.clone(), "t": view.t.clone()}
    versions = {"x_t": view.x_t._version, "t": view.t._version}
    view()
    for name, value in {"x_t": view.x_t, "t": view.t}.items():
        if value._version != versions[name] or not torch.equal(value, before[name]):
            raise CheckFailed(
                f"{name} is changed in place: the sampler needs it again; use x = x + 1 for "
                f"x += 1, and no activation with inplace=True on the input",
                seed=0,
            )


@check
def takes_any_memory_layout(subject: Subject) -> None:
    """R gives the same with channels last in memory, as training lays it out."""
    view = View.of(subject, subject.shapes[0])
    expected = view()
    net = view.net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    x_t = view.x_t.contiguous(memory_format=torch.channels_last)
    _expect_near(View(net, x_t, view.t)(), expected, f"in channels_last layout, {view}")


@check
def batch_independent(subject: Subject) -> None:
    """In evaluation mode an image is restored alone as it is in a batch."""
    for shape in subject.shapes:
        view = View.of(subject, shape)
        alone = [View(view.net, view.x_t[k : k + 1], view.t[k : k + 1])() for k in range(3)]
        _expect_near(
            view(),
            torch.cat(alone),
            f"when an image is alone, {view}: each has its own level t[k], and in evaluation mode "
            f"no statistics go over axis 0",
        )


@check
def deterministic_in_eval(subject: Subject) -> None:
    """In evaluation mode the same images and levels give the same, whatever was called before."""
    view = View.of(subject, subject.shapes[0])
    first = view()
    View(view.net, -view.x_t, view.t)()
    if not torch.equal(first, view()):
        raise CheckFailed("in evaluation mode R(x_t, t) changes from call to call", seed=0)


@check
def no_global_randomness(subject: Subject) -> None:
    """In evaluation mode nothing is drawn from the global generators."""
    view = View.of(subject, subject.shapes[0])
    with drawn_from() as drawn:
        view()
    if drawn:
        raise CheckFailed(
            f"in evaluation mode it draws from {drawn[0]}: dropout goes by self.training", seed=0
        )


@check
def no_float64_inside(subject: Subject) -> None:
    """From float32 images nothing wider than float32 is computed: accelerators are slow at it."""
    view = View.of(subject, subject.shapes[0])
    with Operations() as seen:
        view()
    if seen.wide is not None:
        raise CheckFailed(f"{seen.wide[0]} gives {seen.wide[1]} for float32 images", seed=0)


@check
def tables_are_buffers(subject: Subject) -> None:
    """Every tensor of R is a parameter or a buffer, so that R runs wherever it is moved."""
    view = View.of(subject, subject.shapes[0])
    expect_no_stray_tensors(view.net)
    with torch.no_grad():
        expect_to_run_elsewhere(view.net, view.x_t, view.t)


@check
def rebuilds_the_same(subject: Subject) -> None:
    """Parameters and state_dict are all that decides what a network does."""
    view = View.of(subject, subject.shapes[0])
    other = _new(subject, subject.shapes[0], seed=1)
    other.load_state_dict(view.net.state_dict())
    if not torch.equal(view(), View(other, view.x_t, view.t)()):
        raise CheckFailed(
            "another network with the same parameters and state_dict gives something else: what "
            "is drawn when it is built must be a parameter or a persistent buffer",
            seed=0,
        )


@check
def gradients_reach_every_parameter(subject: Subject) -> None:
    """Every weight that is to be learnt has a finite gradient that is not all zero."""
    view = View.of(subject, subject.shapes[0])
    view.net.train()
    (view.net(view.x_t, view.t) - view.x_t.roll(1, 0)).abs().mean().backward()
    for name, parameter in view.net.named_parameters():
        if not parameter.requires_grad:
            continue
        if parameter.grad is None or not parameter.grad.any():
            raise CheckFailed(
                f"no gradient reaches {name!r}: it takes no part in the result; use it, remove it "
                f"or set requires_grad_(False)",
                seed=0,
            )
        if not parameter.grad.isfinite().all():
            raise CheckFailed(f"the gradient of {name!r} is not finite", seed=0)


@check
def trains_ten_steps(subject: Subject) -> None:
    """Ten steps on a batch of blurred images lower the loss."""
    with global_seed(0):
        restorer: Restorer = subject.build()
    with uses.process(restorer=restorer) as process:
        uses.expect_to_learn(process)


@check
def restores_through_a_model_folder(subject: Subject) -> None:
    """A model that was saved and loaded restores the same, bit for bit."""
    with uses.process(restorer=View.of(subject, subject.shapes[0]).net) as process:
        uses.expect_the_same_from_a_folder(process, subject.folder)


@check
def traces_for_any_batch(subject: Subject) -> None:
    """`torch.export` traces R with a batch of any size, and the program agrees."""
    view = View.of(subject, subject.shapes[0])
    x_t = images(5, subject.shapes[0], seeded(1))
    t = torch.tensor([3, 1, 20, 5, 2])
    with torch.no_grad():
        found = uses.run_traced(view.net, (view.x_t, view.t), (x_t, t))
    _expect_near(found, View(view.net, x_t, t)(), "when it is traced with another batch")


@check
def exports_to_onnx(subject: Subject) -> None:
    """A process with it is exported to ONNX, and the file agrees with torch."""
    with uses.process(restorer=View.of(subject, subject.shapes[0]).net) as process:
        uses.expect_an_onnx_file(process, subject.folder)


def _new(subject: Subject, shape: ImageShape, seed: int) -> Restorer:
    with global_seed(seed):
        net: Restorer = subject.build(shape)
    return net.eval()


def _expect_near(found: Tensor, expected: Tensor, when: str) -> None:
    off = float(distances(found, expected).max()) if found.shape == expected.shape else torch.inf
    if not off <= NEAR:
        raise CheckFailed(f"R(x_t, t) is off by {off:.2g} {when}", seed=0)
