"""Laws of restorers alone: new networks, what is learnt of them, images of other sizes."""

import torch
from torch import Tensor

from colddiff_core.testing.check import check, one_line
from colddiff_core.testing.scenes import distances, first_scene, images, make, seeded
from colddiff_core.testing.subject import Subject
from colddiff_core.testing.verdict import CheckFailed, CheckSkipped

UNSEEN = 1e-5
"""What a pixel beyond the reach of R may change at most: the rounding of fast convolutions."""


@check("restorer", seed=0)
def finite_when_new(subject: Subject) -> None:
    """A new network gives finite images at every level, for flat images as well."""
    for shape in subject.shapes:
        flat = torch.tensor([-1.0, 0.0, 1.0])[:, None, None, None].expand(3, *shape)
        x_t = torch.cat([images(2, shape, seeded(0)), flat])
        t = torch.tensor([1, 2, 20, 100]).repeat_interleave(len(x_t))
        with torch.no_grad():
            x0_hat = make(subject, shape)(x_t.repeat(4, 1, 1, 1), t)
        for level in t[~x0_hat.isfinite().flatten(1).all(1)].tolist():
            raise CheckFailed(f"R is not finite at level {level} on {shape}")


@check("restorer", seed=0)
def gradients_reach_every_parameter(subject: Subject) -> None:
    """Every weight that is to be learnt has a finite gradient that is not all zero.

    What takes no part in the result is removed, or set requires_grad_(False).
    """
    scene = first_scene(subject)
    net = scene.part.train()
    (net(scene.x0, scene.t) - scene.x0.roll(1, 0)).abs().mean().backward()
    for name, parameter in net.named_parameters():
        if not parameter.requires_grad:
            continue
        if parameter.grad is None or not parameter.grad.any():
            raise CheckFailed(f"no gradient reaches {name!r}")
        if not parameter.grad.isfinite().all():
            raise CheckFailed(f"the gradient of {name!r} is not finite")


@check("restorer", seed=0)
def size_multiple_is_true(subject: Subject) -> None:
    """R restores images whose sides are multiples of `size_multiple`, one size after the other.

    Read sizes off x_t, or leave size_multiple at None: it is used with the size of training alone.
    """
    net = make(subject, nudge=True)
    multiple = net.size_multiple
    if multiple is None:
        raise CheckSkipped("size_multiple is None: only the size of training will do")
    if not isinstance(multiple, int) or multiple < 1:
        raise CheckFailed(f"size_multiple is {multiple!r}: expected a number of pixels, or None")
    channels, height, _ = net.image_shape
    small, large = (-(-n // multiple) * multiple for n in (8, height + 1))
    sizes = [(small, small), (small, large), (large, small), (small + multiple, small)]
    first: dict[tuple[int, int], Tensor] = {}
    for size in (*sizes, *sizes):
        x_t = images(2, (channels, *size), seeded(0))
        try:
            with torch.no_grad():
                found = net(x_t, torch.tensor([1, 2]))
        except Exception as error:
            raise CheckFailed(
                f"size_multiple is {multiple}, and R fails on images of {size}: {one_line(error)}"
            ) from error
        if found.shape != x_t.shape or not torch.equal(found, first.setdefault(size, found)):
            raise CheckFailed(
                f"size_multiple is {multiple}; of images of {tuple(x_t.shape)} R makes "
                f"{tuple(found.shape)}, or something else after images of other sizes"
            )


@check("restorer", seed=0)
def reach_is_true(subject: Subject) -> None:
    """Pixels farther away than `reach` change nothing in R(x_t, t).

    Give the sum over all layers of how far each looks, or None where it is the whole image.
    """
    net = make(subject, nudge=True)
    reach, multiple = net.reach, net.size_multiple
    if reach is None:
        raise CheckSkipped("reach is None: a pixel may depend on the whole image")
    channels, *size = net.image_shape
    sizes = [size, size]
    if multiple is not None:  # strips that are long enough, and as narrow as can be
        short, long = (-(-n // multiple) * multiple for n in (8, 2 * reach + 16))
        sizes = [[long, short], [short, long]]
    for axis, (height, width) in enumerate(sizes):
        x_t, other = images(4, (channels, height, width), seeded(0)).chunk(2)
        place = torch.arange(width) if axis else torch.arange(height)[:, None]
        for middle in (place.numel() // 2, place.numel() // 2 + 1):
            for change, far in (
                (place >= middle, place < middle - reach),
                (place < middle, place >= middle + reach),
            ):
                with torch.no_grad():
                    found, expected = (
                        net(x, torch.tensor([1, 2])) * far
                        for x in (torch.where(change, other, x_t), x_t)
                    )
                off = float(distances(found, expected).max())
                if not off <= UNSEEN:
                    raise CheckFailed(
                        f"reach is {reach}, and what lies farther away changes R(x_t, t) by "
                        f"{off:.2g}, in images of {tuple(x_t.shape)}"
                    )
