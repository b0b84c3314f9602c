"""Laws of degradations: images of any size, and tiles of large ones."""

import torch
from torch import Tensor

from colddiff_core.contracts.degradation import Context, Degradation
from colddiff_core.contracts.errors import ParameterError
from colddiff_core.testing.check import check, one_line
from colddiff_core.testing.scenes import expect_the_spec, first_scene, images, make, seeded
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


@check("degradation", seed=0)
def takes_any_size(subject: Subject) -> None:
    """One D degrades images of every size that its `check` accepts, one size after the other.

    What D cannot take, check(image_shape) refuses with ParameterError; read sizes off x0. Tables
    come from self.table(make, *sizes, like=x0), of all the sizes that they depend on.
    """
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
                f"check accepts images of {shape}, and D fails on them: {one_line(error)}"
            ) from error
        expect_the_spec(scene, scene.context, scene.x0)
        for what, expected in scene.by(subject.build(shape)).results().items():
            scene.expect_close(found[what], expected, f"{what} differs after images of other sizes")


@check("degradation", seed=0)
def locality_is_true(subject: Subject) -> None:
    """D of a tile that starts on the `grid` is that tile of D, but for a border of `reach`.

    Reach or grid is too small; `locality` is None where the place in the image matters.
    """
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
                f"{tile.start}) of {shape} are degraded otherwise alone, by {float(off):.2g} "
                f"{reach} pixels and more from the edge"
            )


def _crop(context: Context, tile: slice, x0: Tensor) -> Context:
    """The context of a tile: what has the size of the image is cut as the image is."""
    return {
        name: value[..., tile, tile] if value.shape[-2:] == x0.shape[-2:] else value
        for name, value in context.items()
    }
