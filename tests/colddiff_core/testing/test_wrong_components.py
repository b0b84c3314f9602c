"""Wrong samplers, restorers, priors, data sets and exporters, each caught by name."""

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor, nn
from wrong_exporters import WRONG, Pickles

from colddiff_core import Context, Degradation, ImageDataset, Prior, Restorer, Sampler, UsageError
from colddiff_core.contracts.degradation import NO_CONTEXT, ImageShape
from colddiff_core.testing import check_component

CASES: list[Any] = [pytest.param(*case, id=f"{case[0].__name__}-{case[1]}") for case in WRONG]


def caught_by(check: str, message: str) -> Callable[[type], type]:
    """Say which check refuses a class, and in which words."""

    def note(cls: type) -> type:
        CASES.append(pytest.param(cls, check, message, id=f"{cls.__name__}-{check}"))
        return cls

    return note


class Improved(Sampler):
    """A right one."""

    def step(
        self,
        x_t: Tensor,
        x0_hat: Tensor,
        t: Tensor,
        s: Tensor,
        degradation: Degradation,
        context: Context,
    ) -> Tensor:
        return x_t + degradation.difference(x0_hat, t, s, context)


@caught_by("perfect_restorer_returns_the_image", "The step to level 0 returns x0_hat")
class Damps(Improved):
    def step(self, x_t: Tensor, *rest: Any) -> Tensor:
        return 0.9 * super().step(x_t, *rest)


@caught_by("perfect_restorer_keeps_to_the_path", r"does not end in D\(x0, \d+\)")
class GoesToZeroAtOnce(Improved):
    def step(self, x_t: Tensor, x0_hat: Tensor, t: Tensor, s: Tensor, *rest: Any) -> Tensor:
        return super().step(x_t, x0_hat, t, torch.zeros_like(s), *rest)


@caught_by("perfect_restorer_keeps_to_the_path", "Use t and s as they are given, any s < t")
class TakesOneLevel(Improved):
    def step(self, x_t: Tensor, x0_hat: Tensor, t: Tensor, s: Tensor, *rest: Any) -> Tensor:
        s = torch.where(s > 0, t - 1, s)
        return super().step(x_t, x0_hat, t, s, *rest)


@caught_by("result_like_the_input", r"step\(.*\) is torch\.float64")
class Widens(Improved):
    def step(self, x_t: Tensor, *rest: Any) -> Tensor:
        return super().step(x_t, *rest).double()


@caught_by("keeps_its_input", "x_t is changed in place")
class AddsInPlace(Improved):
    def step(self, x_t: Tensor, x0_hat: Tensor, *rest: Any) -> Tensor:
        return x_t.add_(super().step(torch.zeros_like(x_t), x0_hat, *rest))


@caught_by("deterministic", "keep nothing in self between calls")
class HasMomentum(Improved):
    last = 0.0

    def step(self, x_t: Tensor, *rest: Any) -> Tensor:
        x_s = super().step(x_t, *rest)
        self.last, x_s = x_s - x_t, x_s + 0.1 * self.last
        return x_s


@caught_by("no_global_randomness", r"step\(.*\) draws from torch's global generator")
class AddsNoise(Improved):
    def step(self, x_t: Tensor, *rest: Any) -> Tensor:
        return super().step(x_t, *rest) + 0.01 * torch.randn_like(x_t)


@caught_by("same_without_a_context_it_does_not_use", "False, and the step looks for 'endpoint'")
class DeniesThatItLooks(Improved):
    uses_context: ClassVar[bool] = False


@caught_by("same_without_a_context_it_does_not_use", "without a context the step is another")
class LooksIfItCan(Improved):
    uses_context: ClassVar[bool] = False

    def step(self, x_t: Tensor, x0_hat: Tensor, t: Tensor, s: Tensor, *rest: Any) -> Tensor:
        degradation, context = rest
        if degradation.context_names and not context:
            return x0_hat
        return super().step(x_t, x0_hat, t, s, degradation, context)


@caught_by("batch_independent", r"depends on the others in the batch: image \d .* is off by")
class OneLevelForAll(Improved):
    def step(self, x_t: Tensor, x0_hat: Tensor, t: Tensor, s: Tensor, *rest: Any) -> Tensor:
        return super().step(x_t, x0_hat, t, s[:1].expand(len(s)), *rest)


@caught_by("exports_to_onnx", "cannot be exported to ONNX")
class BranchesOnTheLevel(Improved):
    def step(self, x_t: Tensor, x0_hat: Tensor, t: Tensor, s: Tensor, *rest: Any) -> Tensor:
        return x0_hat if not s.any() else super().step(x_t, x0_hat, t, s, *rest)


@caught_by("perfect_restorer_returns_the_image", "refuses every degradation")
class RefusesAll(Improved):
    def step(self, *_: Any) -> Tensor:
        raise UsageError("not with this one")


class Net(Restorer):
    """A right one.

    Args:
        image_shape: (C, H, W) of the images.
    """

    size_multiple: int | None = 1
    reach: int | None = 1

    def __init__(self, image_shape: ImageShape) -> None:
        super().__init__(image_shape)
        self.conv = nn.Conv2d(image_shape[0], image_shape[0], 3, padding=1)

    def forward(self, x_t: Tensor, t: Tensor) -> Tensor:
        return x_t + self.conv(x_t) * (1 + t.float() / 100)[:, None, None, None]


@caught_by("size_multiple_is_true", r"size_multiple is 4, and R fails on images of \(8, 8\)")
class FlattensOneSize(Net):
    size_multiple = 4

    def forward(self, x_t: Tensor, t: Tensor) -> Tensor:
        return super().forward(x_t.reshape(-1, *self.image_shape), t)


@caught_by("size_multiple_is_true", "something else after images of other sizes")
class RemembersTheFirstSize(Net):
    size_multiple = 1
    size = 0

    def forward(self, x_t: Tensor, t: Tensor) -> Tensor:
        places, self.size = x_t.shape[3] - self.size, x_t.shape[3]
        return super().forward(x_t, t) + 0.01 * places


@caught_by("size_multiple_is_true", r"\(2, 3, 8, 17\) R makes \(2, 3, 8, 16\)")
class HalvesOddSizes(Net):
    size_multiple = 1

    def forward(self, x_t: Tensor, t: Tensor) -> Tensor:
        small = nn.functional.avg_pool2d(super().forward(x_t, t), 2)
        return nn.functional.interpolate(small, scale_factor=2.0)


@caught_by("size_multiple_is_true", "expected a number of pixels, or None")
class NoMultiple(Net):
    size_multiple = 0


@caught_by("reach_is_true", "reach is 0, and what lies farther away changes")
class LooksAtItsNeighbours(Net):
    size_multiple = 1
    reach = 0


@caught_by("reach_is_true", "or None where it is the whole image")
class HasStatistics(Net):
    size_multiple = 1
    reach = 1

    def forward(self, x_t: Tensor, t: Tensor) -> Tensor:
        return super().forward(nn.functional.instance_norm(x_t), t)


@caught_by("builds", r"built for images of \(3, 16, 24\), its image_shape is \(3, 24, 16\)")
class MistakesItsShape(Net):
    def __init__(self, image_shape: ImageShape) -> None:
        channels, height, width = image_shape
        super().__init__((channels, width, height))


@caught_by("finite_when_new", "R is not finite at level 1 ")
class DividesByItsLevelLessOne(Net):
    def forward(self, x_t: Tensor, t: Tensor) -> Tensor:
        return super().forward(x_t, t) / (t - 1)[:, None, None, None]


@caught_by("result_like_the_input", r"R\(x_t, t\) is torch\.float32 \(5, 3, 14, 14\)")
class LosesABorder(Net):
    def forward(self, x_t: Tensor, t: Tensor) -> Tensor:
        return super().forward(x_t, t)[:, :, 1:-1, 1:-1]


@caught_by("keeps_its_input", "x_t is changed in place")
class ActivatesInPlace(Net):
    def forward(self, x_t: Tensor, t: Tensor) -> Tensor:
        return super().forward(nn.functional.relu(x_t, inplace=True), t)


@caught_by("takes_any_memory_layout", "view size is not compatible")
class NetThatViews(Net):
    def forward(self, x_t: Tensor, t: Tensor) -> Tensor:
        return super().forward(x_t.view(len(x_t), -1).view(x_t.shape), t)


@caught_by("batch_independent", "never over axis 0")
class NormalizesTheBatch(Net):
    def forward(self, x_t: Tensor, t: Tensor) -> Tensor:
        return super().forward(x_t - x_t.mean(), t)


@caught_by("deterministic", "gives something else later")
@caught_by("no_global_randomness", "Dropout goes by self.training")
class AlwaysDropsOut(Net):
    def forward(self, x_t: Tensor, t: Tensor) -> Tensor:
        return super().forward(nn.functional.dropout(x_t), t)


@caught_by("no_float64_inside", r"gives torch\.float64 where all that it is given is float32")
class EmbedsInFloat64(Net):
    def forward(self, x_t: Tensor, t: Tensor) -> Tensor:
        return super().forward(x_t, t) + torch.sin(t.double()).float()[:, None, None, None]


@caught_by("tables_are_buffers", r"self\.features is a tensor, but no buffer")
@caught_by("rebuilds_the_same", "a network's weight or persistent buffer")
class RandomFeatures(Net):
    def __init__(self, image_shape: ImageShape) -> None:
        super().__init__(image_shape)
        self.features = torch.randn(image_shape)

    def forward(self, x_t: Tensor, t: Tensor) -> Tensor:
        return super().forward(x_t + self.features, t)


@caught_by("works_through_a_model_folder", "a model restores otherwise")
class RandomWithoutTrace(Net):
    def __init__(self, image_shape: ImageShape) -> None:
        super().__init__(image_shape)
        self.register_buffer("features", torch.randn(image_shape), persistent=False)

    def forward(self, x_t: Tensor, t: Tensor) -> Tensor:
        return super().forward(x_t + self.features, t)


@caught_by("gradients_reach_every_parameter", r"no gradient reaches 'spare\.weight'")
class HasSpareParts(Net):
    def __init__(self, image_shape: ImageShape) -> None:
        super().__init__(image_shape)
        self.spare = nn.Linear(2, 2)


@caught_by("trains_ten_steps", "do not lower the loss")
class DetachesItsWork(Net):
    def forward(self, x_t: Tensor, t: Tensor) -> Tensor:
        return x_t + 0 * super().forward(x_t, t)


@caught_by("traces_for_any_batch", "cannot trace BranchesOnTheImages for any batch")
@caught_by("exports_to_onnx", "cannot be exported to ONNX")
class BranchesOnTheImages(Net):
    def forward(self, x_t: Tensor, t: Tensor) -> Tensor:
        return super().forward(x_t, t) if x_t.mean() > -2 else x_t


class Flat(Prior):
    """A right one: a flat tone around what was learnt.

    Args:
        image_shape: (C, H, W) of the images.
    """

    def __init__(self, image_shape: ImageShape) -> None:
        super().__init__(image_shape)
        self.register_buffer("mean", torch.zeros(()))

    def fit(self, images: Iterable[Tensor]) -> None:
        self.mean.copy_(torch.cat(list(images)).mean())

    def sample(self, n: int, generator: torch.Generator) -> tuple[Tensor, Context]:
        tones = self.draw(n, generator) + self.mean
        return tones.expand(n, *self.image_shape), NO_CONTEXT

    def draw(self, n: int, generator: torch.Generator) -> Tensor:
        return torch.stack([torch.rand(1, 1, 1, generator=generator) for _ in range(n)])


@caught_by("result_like_the_input", r"torch\.float64 \(5, 3, 16, 16\).* that are torch\.float32")
class WideImages(Flat):
    def sample(self, n: int, generator: torch.Generator) -> tuple[Tensor, Context]:
        return super().sample(n, generator)[0].double(), NO_CONTEXT


@caught_by("gives_what_it_says", "x_T of 1 images .* or is not finite")
class Infinite(Flat):
    def draw(self, n: int, generator: torch.Generator) -> Tensor:
        return super().draw(n, generator) / 0


@caught_by("gives_what_it_says", r"the context holds \['tone'\], and `gives` names \[\]")
class GivesMore(Flat):
    def sample(self, n: int, generator: torch.Generator) -> tuple[Tensor, Context]:
        x, _ = super().sample(n, generator)
        return x, {"tone": x[:, :, :1, :1]}


@caught_by("from_the_generator", "drawn in batches of 1")
class BatchAtOnce(Flat):
    def draw(self, n: int, generator: torch.Generator) -> Tensor:
        return torch.rand(2, n, 1, 1, 1, generator=generator).sum(0)


@caught_by("from_the_generator", "every seed gives the same images")
class AlwaysTheSame(Flat):
    def draw(self, n: int, generator: torch.Generator) -> Tensor:
        return torch.zeros(n, 1, 1, 1)


@caught_by("no_global_randomness", r"sample\(n\) draws from torch's global generator")
@caught_by("from_the_generator", "differs for equal seeds")
class IgnoresTheGenerator(Flat):
    def draw(self, n: int, generator: torch.Generator) -> Tensor:
        return torch.rand(n, 1, 1, 1)


@caught_by("rebuilds_the_same", "under another global seed")
class FitsAtRandom(Flat):
    def fit(self, images: Iterable[Tensor]) -> None:
        super().fit(images)
        self.mean.add_(torch.rand(()))


@caught_by("works_through_a_model_folder", "generates otherwise.* keep what `fit` learns in those")
class Forgets(Flat):
    center = torch.zeros(())

    def fit(self, images: Iterable[Tensor]) -> None:
        self.center = torch.cat(list(images)).mean()

    def draw(self, n: int, generator: torch.Generator) -> Tensor:
        return super().draw(n, generator) + self.center


@caught_by("generates", r"context\['color'\] is torch\.float64")
class GivesAnotherType(Flat):
    gives: ClassVar[tuple[str, ...]] = ("color",)

    def sample(self, n: int, generator: torch.Generator) -> tuple[Tensor, Context]:
        x, _ = super().sample(n, generator)
        return x, {"color": x[:, :, :1, :1].double()}


class Stripes(ImageDataset):
    """A right one: images that are told apart by their tones.

    Args:
        split: the dark ones, or the bright ones.
    """

    image_shape = (1, 4, 4)

    def __init__(self, split: str) -> None:
        first, last = (0, 9) if split == "train" else (9, 13)
        tones = torch.arange(first, last, dtype=torch.uint8)[:, None, None, None]
        self.pixels = tones * 10 + torch.arange(4, dtype=torch.uint8).expand(1, 4, 4)

    def __len__(self) -> int:
        return len(self.pixels)

    def images(self, indices: Sequence[int]) -> Tensor:
        return self.pixels[list(indices)]


@caught_by("both_splits_have_images", "split='test' is empty")
class NothingHeldOut(Stripes):
    def __init__(self, split: str) -> None:
        super().__init__(split)
        self.pixels = self.pixels if split == "train" else self.pixels[:0]


@caught_by("images_are_uint8", r"9 images are torch\.float32 \(9, 1, 4, 4\)")
class FloatImages(Stripes):
    def images(self, indices: Sequence[int]) -> Tensor:
        return super().images(indices) / 127.5 - 1


@caught_by("images_are_uint8", "Channels come before height and width")
class ChannelsLast(Stripes):
    def images(self, indices: Sequence[int]) -> Tensor:
        return super().images(indices).permute(0, 2, 3, 1)


@caught_by("order_of_the_indices", "does not give image .* where it was asked for")
class Sorts(Stripes):
    def images(self, indices: Sequence[int]) -> Tensor:
        return super().images(sorted(indices))


@caught_by("order_of_the_indices", "argument 2 is shorter")
class NoImageTwice(Stripes):
    def images(self, indices: Sequence[int]) -> Tensor:
        return super().images(list(dict.fromkeys(indices)))


@caught_by("takes_a_range_and_no_index", "it raised")
class ListsOnly(Stripes):
    def images(self, indices: Sequence[int]) -> Tensor:
        return torch.stack([self.pixels[k] for k in indices])


@caught_by("index_out_of_range_is_an_error", r"images\(\[9\]\) of 9 images raises no IndexError")
class Wraps(Stripes):
    def images(self, indices: Sequence[int]) -> Tensor:
        return super().images([k % len(self) for k in indices])


@caught_by("results_are_copies", "returns a view")
class Slices(Stripes):
    def images(self, indices: Sequence[int]) -> Tensor:
        if isinstance(indices, range):
            return self.pixels[indices.start : indices.stop]
        return super().images(indices)


@caught_by("context_goes_with_the_images", "One row for each index")
class OneContextForAll(Stripes):
    def context(self, indices: Sequence[int]) -> Context:
        return {"tone": torch.zeros(1)}


@caught_by("context_goes_with_the_images", "is not what each index gives")
class SortsItsContext(Stripes):
    def context(self, indices: Sequence[int]) -> Context:
        return {"tone": self.pixels[sorted(indices), 0, 0, 0].float()}


@caught_by("context_goes_with_the_images", "is not finite")
class DividesByZero(Stripes):
    def context(self, indices: Sequence[int]) -> Context:
        return {"tone": 1 / (self.pixels[list(indices), 0, 0, 0] - self.pixels[0, 0, 0, 0])}


@caught_by("opens_the_same", "Training does the shuffling")
class Shuffles(Stripes):
    def __init__(self, split: str) -> None:
        super().__init__(split)
        self.pixels = self.pixels[torch.randperm(len(self.pixels))]


@caught_by("opens_the_same", "another order, each time")
class ShufflesInSecret(Stripes):
    def __init__(self, split: str) -> None:
        super().__init__(split)
        draws = torch.Generator()
        draws.seed()
        self.pixels = self.pixels[torch.randperm(len(self.pixels), generator=draws)]


@caught_by("splits_do_not_share", "`split` says which part is meant")
class OnePart(Stripes):
    def __init__(self, split: str) -> None:
        super().__init__("train")


@pytest.mark.parametrize("right", [Improved, Net, Flat, Stripes, Pickles])
def test_what_the_wrong_ones_are_made_of_is_right(right: type) -> None:
    results = check_component(right)
    assert [(r.check, r.detail) for r in results if r.outcome == "failed"] == []


@pytest.mark.parametrize(("wrong", "check", "message"), CASES)
def test_what_is_wrong_is_caught_by_name(wrong: type, check: str, message: str) -> None:
    (result,) = check_component(wrong, only=[check])
    assert result.outcome == "failed"
    assert re.search(message, result.detail), result.detail
