"""Laws of what draws: the context of a degradation, the starting points of a prior."""

import torch

from colddiff_core.testing.inputs import seeded
from colddiff_core.testing.scenes import Scene, on_scenes


@on_scenes("degradation", "prior")
def from_the_generator(scene: Scene) -> None:
    """A seed gives the same wherever a batch is split: image by image, from `generator`."""
    whole, again = (scene.draw(scene.x0, seeded(7)) for _ in range(2))
    parts = {}
    for size in (1, 2):
        draws = seeded(7)
        parts[size] = [scene.draw(some, draws) for some in torch.split(scene.x0, size)]
    for name, value in whole.items():
        if not torch.equal(again[name], value):
            scene.fail(
                f"{name} differs for equal seeds",
                "Take every random number from the generator given.",
            )
        for size, drawn in parts.items():
            if not torch.equal(torch.cat([part[name] for part in drawn]), value):
                scene.fail(
                    f"{name} is another one when images are drawn in batches of {size}",
                    "Draw image by image, all that an image needs before the next: "
                    "torch.stack([torch.rand(shape, generator=generator) for _ in x0]).",
                )
    if scene.subject.kind == "prior" and torch.equal(
        whole["x_T"], scene.draw(scene.x0, seeded(8))["x_T"]
    ):
        scene.fail("every seed gives the same images", "Draw from the generator.")
