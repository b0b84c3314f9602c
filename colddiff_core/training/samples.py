"""Sample grids: what the averaged network makes of the same held-out images as training goes on."""

from pathlib import Path

from colddiff_core.contracts.dataset import ImageDataset
from colddiff_core.pictures.batches import from_batch, tile
from colddiff_core.pictures.writing import write_image
from colddiff_core.process import ColdDiffusion
from colddiff_core.training.images import as_x0
from colddiff_core.training.randomness import generator

SAMPLES = "samples"
_COLUMNS = 8


def write_samples(process: ColdDiffusion, held_out: ImageDataset, path: Path, seed: int) -> None:
    """Write a picture of four rows: original, degraded, direct reconstruction, sampled.

    Args:
        process: in evaluation mode.
        held_out: its first images are shown.
        path: of a PNG file.
        seed: of what the degradation draws.

    Raises:
        UsageError: it cannot be written.
    """
    device = process.device
    shown = range(min(_COLUMNS, len(held_out)))
    x0 = as_x0(held_out.images(shown).to(device))
    context = process.sample_context(x0, generator(seed, "samples"), held_out.context(shown))
    x_t = process.degrade(x0, context=context)
    direct = next(process.steps(x_t, context=context)).x0_hat
    sampled = process.restore(x_t, context=context)
    rows = [from_batch(images.cpu().numpy()) for images in (x0, x_t, direct, sampled)]
    write_image(path, tile(rows))
