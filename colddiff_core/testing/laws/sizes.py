"""Laws about images of other sizes than those of training, and about tiles of large ones."""

import torch
from torch import Tensor

from colddiff_core.contracts.degradation import Context, Degradation
from colddiff_core.contracts.errors import ParameterError
from colddiff_core.testing.check import check, one_line
from colddiff_core.testing.inputs import distances, images, seeded
from colddiff_core.testing.laws.context import expect_the_spec
from colddiff_core.testing.scenes import first_scene, make
from colddiff_core.testing.subject import ImageShape, Subject
from colddiff_core.testing.verdict import CheckFailed, CheckSkipped

SHAPES: tuple[ImageShape, ...] = tuple(
    (channels, *size)
    for size in ((8, 8), (16, 9), (9, 13), (16, 24), (64, 72))
    for channels in (3, 1, 4)
)
"""Small and odd images, with the same side among different ones, grey and with alpha."""

NOTABLE = 0.1
"""What a pixel beyond the reach of D may change at most, for images in [-1, 1]."""

BEYOND = 16
"""How many pixels beyond what it claims its reach is looked for."""

UNSEEN = 1e-5
"""What a pixel beyond the reach of R may change at most: the rounding of fast convolutions."""


@check("degradation", seed=0)
def takes_any_size(subject: Subject) -> None:
    """One D degrades images of every size that its `check` accepts, one size after the other."""
    d: Degradation = subject.build()
    for shape in (*SHAPES, *reversed(SHAPES)):
        try:
            d.check(shape)
        except ParameterError:
            continue
        try:
            scene = first_scene(subject, 0, shape, d)
            found = scene.results()
        except Exception as error:
            raise CheckFailed(
                f"check accepts images of {shape}, and D fails on them: {one_line(error)}. What D "
                f"cannot take, check(image_shape) refuses with ParameterError; read sizes off x0"
            ) from error
        expect_the_spec(scene, scene.context, scene.x0)
        for what, expected in scene.by(subject.build(shape)).results().items():
            scene.expect_close(
                found[what],
                expected,
                f"{what} is another one after images of other sizes",
                "What depends on the size comes from self.table(make, *sizes, like=x0), and sizes "
                "are all that it depends on: height, width or channels.",
            )


@check("degradation", seed=0)
def locality_is_true(subject: Subject) -> None:
    """D of a tile that starts on the `grid` is that tile of D, but for a border of `reach`."""
    d: Degradation = make(subject)
    if d.locality is None:
        raise CheckSkipped("it has no locality: large images are not restored in tiles")
    reach, grid = d.locality.reach, d.locality.grid
    _, smallest, _ = subject.shapes[0]
    side = -(-max(2 * reach + 8, smallest) // grid) * grid
    far = -(-(reach + BEYOND) // grid) * grid
    # one tile just one step of the grid from the edge, one with much on all sides
    tiles = [slice(start, start + side) for start in (grid, far)]
    shape = (subject.shapes[0][0], *2 * (far + side + far,))
    draws = seeded(0)
    x0 = images(4, shape, draws)
    for k, tile in enumerate(tiles):  # what differs most from its surroundings shows most
        x0[k] = -1
        x0[k, :, tile, tile] = 1
    t = torch.full((len(x0),), d.num_steps)
    context = d.sample_context(x0, draws)
    whole = d(x0, t, context)
    inside = slice(reach, side - reach)
    for tile in tiles:
        found = d(x0[:, :, tile, tile], t, _crop(context, tile, x0))
        off = (found - whole[:, :, tile, tile])[:, :, inside, inside].abs().max()
        if not off <= NOTABLE:
            raise CheckFailed(
                f"locality is {d.locality}, and {side}x{side} pixels from ({tile.start}, "
                f"{tile.start}) of {shape} are degraded otherwise alone, by {float(off):.2g}, "
                f"{reach} pixels and more from the edge: reach or grid is too small; "
                f"locality is None where the place in the image matters"
            )


def _crop(context: Context, tile: slice, x0: Tensor) -> Context:
    """The context of a tile: what has the size of the image is cut as the image is."""
    return {
        name: value[..., tile, tile] if value.shape[-2:] == x0.shape[-2:] else value
        for name, value in context.items()
    }


@check("restorer", seed=0)
def size_multiple_is_true(subject: Subject) -> None:
    """R restores images whose sides are multiples of `size_multiple`, one size after the other."""
    net = make(subject, nudge=True)
    multiple = net.size_multiple
    if multiple is None:
        raise CheckSkipped("size_multiple is None: it is used with the size of training alone")
    if not isinstance(multiple, int) or multiple < 1:
        raise CheckFailed(f"size_multiple is {multiple!r}: expected a number of pixels, or None")
    channels, height, _ = net.image_shape
    small, large = (-(-n // multiple) * multiple for n in (8, height + 1))
    sizes = [(small, small), (small, large), (large, small), (small + multiple, small)]
    first: dict[tuple[int, int], Tensor] = {}
    for size in (*sizes, *sizes):
        x_t = images(2, (channels, *size), seeded(0))
        advice = "read sizes off x_t, or leave size_multiple at None"
        try:
            with torch.no_grad():
                found = net(x_t, torch.tensor([1, 2]))
        except Exception as error:
            raise CheckFailed(
                f"size_multiple is {multiple}, and R fails on images of {size}: "
                f"{one_line(error)}; {advice}"
            ) from error
        if found.shape != x_t.shape or not torch.equal(found, first.setdefault(size, found)):
            raise CheckFailed(
                f"size_multiple is {multiple}; of images of {tuple(x_t.shape)} R makes "
                f"{tuple(found.shape)}, or something else after images of other sizes; {advice}"
            )


@check("restorer", seed=0)
def reach_is_true(subject: Subject) -> None:
    """Pixels farther away than `reach` change nothing in R(x_t, t)."""
    net = make(subject, nudge=True)
    reach, multiple = net.reach, net.size_multiple
    if reach is None:
        raise CheckSkipped("reach is None: a pixel may depend on the whole image")
    channels, *size = net.image_shape
    sizes = [size, size]
    if multiple is not None:  # strips that are long enough, and as narrow as can be
        short, long = (-(-n // multiple) * multiple for n in (8, 2 * reach + BEYOND))
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
                        f"{off:.2g}, in images of {tuple(x_t.shape)}: give the sum over all "
                        f"layers of how far each looks, or None where it is the whole image"
                    )
