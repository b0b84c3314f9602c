"""What the network learns from at a step: images, and what is drawn at random for each."""

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from colddiff_core.contracts.dataset import ImageDataset
from colddiff_core.contracts.degradation import NO_CONTEXT, Context
from colddiff_core.process import ColdDiffusion
from colddiff_core.training.images import as_x0
from colddiff_core.training.randomness import batch_indices, generator


@dataclass(frozen=True)
class Minibatch:
    """Images that go through the network together.

    Attributes:
        images: (B, C, H, W), uint8 or float32 in [-1, 1].
        t: (B,) int64, one level per image, 1 to T.
        context: of the degradation.
    """

    images: Tensor
    t: Tensor
    context: Context

    def to(self, device: torch.device) -> "Minibatch":
        """Move it; the copy to a GPU goes on beside whatever the GPU computes."""
        return Minibatch(
            _moved(self.images, device),
            _moved(self.t, device),
            {name: _moved(tensor, device) for name, tensor in self.context.items()},
        )


class Feed:
    """Makes minibatches, each a pure function of (seed, step, places in the batch).

    Args:
        dataset: gives the images, and what is known of their degradation.
        process: gives T and draws the rest of the context.
        batch_size: images of a step in all processes together.
        seed: of the order and of every draw.
    """

    def __init__(
        self, dataset: ImageDataset, process: ColdDiffusion, batch_size: int, seed: int
    ) -> None:
        self.dataset = dataset
        self.batch_size = batch_size
        self.seed = seed
        self._process = _on_cpu(process)

    def minibatches(self, step: int, places: range, parts: int) -> Iterator[Minibatch]:
        """The images at `places` in the batch of a step, in so many parts.

        Args:
            step: from 1.
            places: positions in the batch, in order.
            parts: at most `len(places)`; they differ by one image at most.

        Yields:
            Minibatches on the CPU.
        """
        indices = batch_indices(step, len(self.dataset), self.batch_size, self.seed)
        draws = generator(self.seed, "level", step)
        levels = torch.randint(1, self._process.num_steps + 1, (self.batch_size,), generator=draws)
        for k in range(parts):
            part = places[k * len(places) // parts : (k + 1) * len(places) // parts]
            chosen = [indices[place] for place in part]
            images, known = self.dataset.images(chosen), self.dataset.context(chosen)
            yield Minibatch(
                images, levels[part.start : part.stop], self._context(images, known, step, part)
            )

    def _context(self, images: Tensor, known: Context, step: int, places: range) -> Context:
        if not (known or self._process.degradation.context_names):
            return NO_CONTEXT
        contexts = [
            self._process.sample_context(
                as_x0(images[k : k + 1]),
                generator(self.seed, "context", step, place),
                {name: value[k : k + 1] for name, value in known.items()},
            )
            for k, place in enumerate(places)
        ]
        return joined(contexts)


def joined(contexts: list[Context]) -> Mapping[str, Tensor]:
    """One context for several batches of images."""
    return {name: torch.cat([context[name] for context in contexts]) for name in contexts[0]}


def _on_cpu(process: ColdDiffusion) -> ColdDiffusion:
    """What draws contexts, where random draws are made; the network stays where it is."""
    if all(buffer.device.type == "cpu" for buffer in process.buffers()):
        return process
    degradation, prior = copy.deepcopy((process.degradation, process.prior))
    return ColdDiffusion(degradation, nn.Identity(), process.sampler, prior).cpu()


def _moved(tensor: Tensor, device: torch.device) -> Tensor:
    if device.type != "cuda":
        return tensor.to(device)
    return tensor.pin_memory().to(device, non_blocking=True)
