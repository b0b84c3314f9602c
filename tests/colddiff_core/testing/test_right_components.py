"""Right samplers, restorers, priors and data sets, written as others might write them."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from colddiff_core import Context, Degradation, ImageDataset, ParameterError, Prior, Restorer
from colddiff_core.contracts.degradation import NO_CONTEXT, ImageShape
from colddiff_core.contracts.errors import UsageError
from colddiff_core.contracts.sampler import Sampler
from colddiff_core.testing import check_component


class Blend(Sampler):
    """Half Algorithm 1, half Algorithm 2, for operators without a context.

    Args:
        share: of Algorithm 1.
    """

    def __init__(self, *, share: float = 0.5) -> None:
        self.share = share

    def step(
        self,
        x_t: Tensor,
        x0_hat: Tensor,
        t: Tensor,
        s: Tensor,
        degradation: Degradation,
        context: Context,
    ) -> Tensor:
        if degradation.context_names:
            raise UsageError("blend: needs a degradation without a context")
        naive = degradation(x0_hat, s, context)
        return torch.lerp(naive, x_t + naive - degradation(x0_hat, t, context), 1 - self.share)


class Everything(Restorer):
    """Batch norm, dropout, an embedding of levels, ReLU in place, and a frozen layer.

    Args:
        image_shape: (C, H, W) of the images, H and W at least 16.
        width: channels.
    """

    def __init__(self, image_shape: ImageShape, *, width: int = 8) -> None:
        super().__init__(image_shape)
        if min(image_shape[1:]) < 16:
            raise ParameterError("image_shape: expected 16 pixels or more a side")
        self.level = nn.Embedding(1000, width)
        self.first = nn.Conv2d(image_shape[0], width, 3, padding=1)
        self.body = nn.Sequential(
            nn.BatchNorm2d(width),
            nn.ReLU(inplace=True),
            nn.Dropout(0.1),
            nn.Conv2d(width, width, 1),
        )
        self.last = nn.Conv2d(width, image_shape[0], 3, padding=1, bias=False)
        self.frozen = nn.Conv2d(width, width, 1).requires_grad_(False)

    def forward(self, x_t: Tensor, t: Tensor) -> Tensor:
        h = self.first(x_t) + self.level(t)[:, :, None, None]
        return self.last(self.frozen(self.body(h)))


class Memory(Prior):
    """Means of the training images, as many as it is told to keep; not fitted, it is white.

    Args:
        image_shape: (C, H, W) of the images.
        keep: how many.
    """

    gives: ClassVar[tuple[str, ...]] = ("color",)

    def __init__(self, image_shape: ImageShape, *, keep: int = 4) -> None:
        super().__init__(image_shape)
        self.register_buffer("means", torch.ones(keep, image_shape[0]))

    def fit(self, images: Iterable[Tensor]) -> None:
        found = torch.cat([batch.mean((2, 3)) for batch in images])
        self.means.copy_(found[: len(self.means)])

    def sample(self, n: int, generator: torch.Generator) -> tuple[Tensor, Context]:
        chosen = torch.randint(len(self.means), (n,), generator=generator)
        color = self.means[chosen][:, :, None, None]
        return color.expand(n, *self.image_shape), {"color": color}


class Still(Prior):
    """Nothing but noise, made with numpy from a seed that the generator draws.

    Args:
        image_shape: (C, H, W) of the images.
    """

    def sample(self, n: int, generator: torch.Generator) -> tuple[Tensor, Context]:
        seeds = [int(torch.randint(2**31, (), generator=generator)) for _ in range(n)]
        drawn = [np.random.default_rng(seed).standard_normal(self.image_shape) for seed in seeds]
        return torch.from_numpy(np.stack(drawn)).float(), NO_CONTEXT


class Files(ImageDataset):
    """One image a file, opened when it is asked for; a large set would not fit in memory.

    Args:
        split: which part.
        folder: where the files are.
    """

    def __init__(self, split: str, *, folder: Path) -> None:
        self.files = sorted(folder.glob(f"{split}-*.npy"))

    @classmethod
    def example_params(cls, folder: Path) -> dict[str, Any]:
        for k in range(8):
            image = np.full((3, 6, 5), 20 * k, np.uint8)
            np.save(folder / f"{'test' if k % 4 == 3 else 'train'}-{k}.npy", image)
        return {"folder": folder}

    @property
    def image_shape(self) -> ImageShape:
        return (3, 6, 5)

    def __len__(self) -> int:
        return len(self.files)

    def images(self, indices: Sequence[int]) -> Tensor:
        batch = torch.empty(len(indices), 3, 6, 5, dtype=torch.uint8)
        for image, k in zip(batch, indices, strict=True):
            image.copy_(torch.from_numpy(np.load(self.files[k])))
        return batch


@pytest.mark.parametrize("right", [Blend, Everything, Memory, Still, Files])
def test_what_is_right_is_not_refused(right: type) -> None:
    results = check_component(right)
    assert [(r.check, r.detail) for r in results if r.outcome == "failed"] == []
    skipped = {result.check for result in results if result.outcome == "skipped"}
    assert skipped - {"size_multiple_is_true", "reach_is_true"} == {"imports_lightly"}
