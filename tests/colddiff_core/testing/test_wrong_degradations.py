"""Wrong operators, each caught by the check whose name says what is wrong."""

import re
from collections.abc import Callable
from typing import Annotated, Any

import numpy as np
import pytest
import torch
from pydantic import PlainSerializer
from torch import Tensor, nn

from colddiff_core import Context, Degradation, ParameterError, TensorSpec
from colddiff_core.contracts.degradation import NO_CONTEXT, Hints, ImageShape
from colddiff_core.contracts.errors import UsageError
from colddiff_core.contracts.locality import Locality
from colddiff_core.testing import check_component

CASES: list[Any] = []


def caught_by(check: str, message: str) -> Callable[[type], type]:
    """Say which check refuses a class, and in which words."""

    def note(cls: type) -> type:
        CASES.append(pytest.param(cls, check, message, id=f"{cls.__name__}-{check}"))
        return cls

    return note


class Fade(Degradation):
    """A right one: x + w_t (c - x).

    Args:
        num_steps: T.
    """

    def __init__(self, *, num_steps: int = 8) -> None:
        super().__init__(num_steps)
        self.register_buffer("w", torch.linspace(0, 1, num_steps + 1), persistent=False)

    def weight(self, t: Tensor) -> Tensor:
        return self.w[t][:, None, None, None]

    def forward(self, x0: Tensor, t: Tensor, context: Context = NO_CONTEXT) -> Tensor:
        return (x0 + self.weight(t) * (self.tone(x0, context) - x0)).to(x0.dtype)

    def tone(self, x0: Tensor, context: Context) -> Tensor:
        return torch.full_like(x0, 0.5)


class Tinted(Fade):
    """A right one whose tone is drawn.

    Args:
        num_steps: T.
    """

    def context_spec(self, image_shape: ImageShape) -> dict[str, TensorSpec]:
        return {"tone": TensorSpec(torch.float32, (1, 1, 1))}

    def draw(self, x0: Tensor, generator: torch.Generator) -> Tensor:
        return torch.stack([torch.rand(1, 1, 1, generator=generator) for _ in x0])

    def sample_context(self, x0: Tensor, generator: torch.Generator) -> Context:
        return {"tone": self.draw(x0, generator)}

    def tone(self, x0: Tensor, context: Context) -> Tensor:
        return context["tone"]


@caught_by("level_0_is_the_image", r"D\(x0, 0\) is not x0 in torch.float32: it is off by 0\.")
class StartsAtLevel1(Fade):
    def weight(self, t: Tensor) -> Tensor:
        return ((t + 1) / (self.num_steps + 1))[:, None, None, None]


@caught_by("level_0_is_the_image", r"Level 0 is the clean image, exactly: return torch\.where")
class RoundsAtLevel0(Fade):
    def forward(self, x0: Tensor, t: Tensor, context: Context = NO_CONTEXT) -> Tensor:
        return super().forward((x0 + 1) / 2, t, context) * 2 - 1


@caught_by(
    "result_like_the_input",
    r"\(3, 3, 24, 16\) on cpu for images that are .* \(3, 3, 16, 24\)",
)
class SwapsHeightAndWidth(Fade):
    def forward(self, x0: Tensor, t: Tensor, context: Context = NO_CONTEXT) -> Tensor:
        return super().forward(x0, t, context).mT


@caught_by("result_like_the_input", r"is torch\.float32 .* images that are torch\.float64")
class AlwaysFloat32(Fade):
    def forward(self, x0: Tensor, t: Tensor, context: Context = NO_CONTEXT) -> Tensor:
        return super().forward(x0.float(), t, context)


@caught_by("keeps_its_input", "x0 is changed in place")
class DegradesInPlace(Fade):
    def forward(self, x0: Tensor, t: Tensor, context: Context = NO_CONTEXT) -> Tensor:
        return x0.mul_(1 - self.weight(t).to(x0.dtype))


@caught_by("keeps_its_input", "x0 is changed in place")
class ClampsInPlace(Fade):
    """Which changes no value of an image that is in range."""

    def forward(self, x0: Tensor, t: Tensor, context: Context = NO_CONTEXT) -> Tensor:
        return super().forward(x0.clamp_(-1, 1), t, context)


@caught_by("keeps_its_input", "t is changed in place")
class CountsLevelsFromZero(Fade):
    def forward(self, x0: Tensor, t: Tensor, context: Context = NO_CONTEXT) -> Tensor:
        t -= 1
        return super().forward(x0, t + 1, context)


@caught_by("takes_any_memory_layout", "view size is not compatible")
class Views(Fade):
    def forward(self, x0: Tensor, t: Tensor, context: Context = NO_CONTEXT) -> Tensor:
        return super().forward(x0.view(len(x0), -1).view(x0.shape), t, context)


@caught_by("batch_independent", r"image \d \(level \d\) is off by .*over the axes \(1, 2, 3\)")
class FadesToTheMeanOfTheBatch(Fade):
    def tone(self, x0: Tensor, context: Context) -> Tensor:
        return x0.mean()


@caught_by("batch_independent", r"difference\(x0, t, s\) of an image depends on the others")
class AveragesDifferences(Fade):
    def difference(self, x0: Tensor, t: Tensor, s: Tensor, context: Context = NO_CONTEXT) -> Tensor:
        change = super().difference(x0, t, s, context)
        return change + change.mean(0, keepdim=True) - change.mean(0, keepdim=True).flip(3)


@caught_by("levels_independent", r"int\(t\) and t\[0\] take one for all")
class LevelAsPythonInt(Fade):
    def weight(self, t: Tensor) -> Tensor:
        return self.w[int(t[0])]


@caught_by("finite", "not finite at level 8 of 8")
class DividesByZeroAtT(Fade):
    def forward(self, x0: Tensor, t: Tensor, context: Context = NO_CONTEXT) -> Tensor:
        left = 1 - self.weight(t)
        return (x0 * left / left).to(x0.dtype)


@caught_by("finite", "noise from -2 to 2, as an estimate of a restorer may be")
class RootOfNegativeNumbers(Fade):
    def forward(self, x0: Tensor, t: Tensor, context: Context = NO_CONTEXT) -> Tensor:
        x_t = ((x0 + 1) / 2).pow(1 + self.weight(t).to(x0.dtype)) * 2 - 1
        return torch.where(t[:, None, None, None] == 0, x0, x_t)


@caught_by("finite", "not finite at level 1 of 1 for black")
class DividesByTLessOne(Fade):
    def weight(self, t: Tensor) -> Tensor:
        return ((t - 1) / (self.num_steps - 1)).clamp(min=0)[:, None, None, None]


@caught_by("severity_grows", "falls from .* A higher level is a stronger degradation")
class Clears(Fade):
    def weight(self, t: Tensor) -> Tensor:
        return torch.where(t > 0, 1.1 - self.w[t], 0)[:, None, None, None]


@caught_by("severity_grows", r"D\(x, T\) is the image itself")
class DoesNothing(Fade):
    def weight(self, t: Tensor) -> Tensor:
        return 0 * super().weight(t)


@caught_by("difference_is_the_difference", "Mind the sign")
class DifferenceTheOtherWayRound(Fade):
    def difference(self, x0: Tensor, t: Tensor, s: Tensor, context: Context = NO_CONTEXT) -> Tensor:
        return super().difference(x0, s, t, context)


@caught_by("deterministic", r"D\(x0, t\) gives something else later")
class LooksAtWhatWasDrawnLast(Tinted):
    def sample_context(self, x0: Tensor, generator: torch.Generator) -> Context:
        self.last = self.draw(x0, generator)
        return {"tone": self.last}

    def tone(self, x0: Tensor, context: Context) -> Tensor:
        return self.last[: len(x0)]


@caught_by("deterministic", r"D\(x0, t\) gives something else later")
class CountsItsCalls(Fade):
    calls = 0

    def tone(self, x0: Tensor, context: Context) -> Tensor:
        self.calls += 1
        return super().tone(x0, context) / self.calls


@caught_by("no_global_randomness", r"D\(x0, t\) draws from torch's global generator")
class NoisyEachTime(Fade):
    def tone(self, x0: Tensor, context: Context) -> Tensor:
        return torch.randn_like(x0)


@caught_by("no_global_randomness", "sample_context draws from NumPy's global generator")
class DrawsFromNumpy(Tinted):
    def draw(self, x0: Tensor, generator: torch.Generator) -> Tensor:
        return torch.from_numpy(np.random.rand(len(x0), 1, 1, 1)).float()  # noqa: NPY002


@caught_by("rebuilds_the_same", "A model folder stores the parameters alone")
class RandomTable(Fade):
    def __init__(self, *, num_steps: int = 8) -> None:
        super().__init__(num_steps=num_steps)
        self.register_buffer("pattern", torch.rand(num_steps), persistent=False)

    def tone(self, x0: Tensor, context: Context) -> Tensor:
        return torch.zeros_like(x0) + self.pattern.mean()


@caught_by("context_matches_its_spec", r"shape without the batch axis")
class SpecWithTheBatch(Tinted):
    def context_spec(self, image_shape: ImageShape) -> dict[str, TensorSpec]:
        return {"tone": TensorSpec(torch.float32, (1, 1, 1, 1))}


@caught_by("context_matches_its_spec", r"holds \['tone'\], the spec \[\]")
class NoSpec(Tinted):
    def context_spec(self, image_shape: ImageShape) -> dict[str, TensorSpec]:
        return {}


@caught_by("context_matches_its_spec", "the type does not depend on that of the images")
class ContextOfTheTypeOfTheImages(Tinted):
    def draw(self, x0: Tensor, generator: torch.Generator) -> Tensor:
        return super().draw(x0, generator).to(x0.dtype)


@caught_by("estimated_context_matches_its_spec", r"float32 \(1, 1, 1, 1\) on cpu for 5 images")
class EstimatesOneToneForAll(Tinted):
    def estimate_context(self, x_t: Tensor, t: Tensor, hints: Hints = NO_CONTEXT) -> Context:
        known = hints.get("tone")
        return {"tone": x_t.mean((0, 1, 2, 3), keepdim=True) if known is None else known}


@caught_by("estimated_context_matches_its_spec", "is given 'tone' and returns another")
class KnowsBetterThanTheUser(Tinted):
    def estimate_context(self, x_t: Tensor, t: Tensor, hints: Hints = NO_CONTEXT) -> Context:
        return {"tone": x_t.mean((1, 2, 3), keepdim=True).float()}


@caught_by("estimated_context_matches_its_spec", "tone: has no use for it")
class TakesNoHints(Tinted):
    def estimate_context(self, x_t: Tensor, t: Tensor, hints: Hints = NO_CONTEXT) -> Context:
        if hints:
            raise UsageError("tone: has no use for it")
        return {"tone": x_t.mean((1, 2, 3), keepdim=True).float()}


@caught_by("from_the_generator", "Draw image by image")
class DrawsTheWholeBatch(Tinted):
    def draw(self, x0: Tensor, generator: torch.Generator) -> Tensor:
        tones, signs = (torch.rand(len(x0), 1, 1, 1, generator=generator) for _ in range(2))
        return tones * signs


@caught_by("from_the_generator", "differs for equal seeds")
class GeneratorOfItsOwn(Tinted):
    def draw(self, x0: Tensor, generator: torch.Generator) -> Tensor:
        generator = torch.Generator()
        generator.seed()
        return super().draw(x0, generator)


@caught_by("from_the_generator", "another one when images are drawn in batches of 1")
class SameGeneratorEveryTime(Tinted):
    def draw(self, x0: Tensor, generator: torch.Generator) -> Tensor:
        return super().draw(x0, torch.Generator().manual_seed(0))


@caught_by("from_the_generator", "another one when images are drawn in batches of 1")
class DrawsLargeBatchesAtOnce(Tinted):
    def draw(self, x0: Tensor, generator: torch.Generator) -> Tensor:
        drawn = super().draw(x0, generator)
        return drawn.flip(0) if len(x0) > 8 else drawn


@caught_by("keeps_its_input", "x0 is changed in place")
class EstimatesInPlace(Fade):
    def estimate_context(self, x_t: Tensor, t: Tensor, hints: Hints = NO_CONTEXT) -> Context:
        return super().estimate_context(x_t.clamp_(-1, 1), t, hints)


@caught_by("takes_any_size", r"check accepts images of \(3, 16, 9\), and D fails on them")
class EvenSidesOnly(Fade):
    def tone(self, x0: Tensor, context: Context) -> Tensor:
        return nn.functional.avg_pool2d(x0, 2).repeat(1, 1, 2, 2)


@caught_by("takes_any_size", r"check accepts images of \(4, 8, 8\), and D fails on them")
class ThreeChannelsAtMost(Fade):
    def tone(self, x0: Tensor, context: Context) -> Tensor:
        return torch.ones(1, 3, 1, 1, device=x0.device)[:, : x0.shape[1]]


@caught_by("takes_any_size", r"D\(x0, t\) differs after images of other sizes")
class TableOfTheFirstSize(Fade):
    first = 0

    def tone(self, x0: Tensor, context: Context) -> Tensor:
        self.first = self.first or x0.shape[3]
        return super().tone(x0, context) / self.first


@caught_by("takes_any_size", "D fails on them")
class MixesUpItsTables(Fade):
    def rows(self, height: int, width: int) -> tuple[Tensor]:
        return (torch.linspace(0, 1, height)[:, None].expand(height, width),)

    def tone(self, x0: Tensor, context: Context) -> Tensor:
        def make(height: int) -> tuple[Tensor]:
            return self.rows(height, x0.shape[3])

        return self.table(make, x0.shape[2], like=x0)[0]


@caught_by(
    "takes_any_size", r"\(5, 1, 1, 1\) on cpu for 5 images .* not torch.float32 \(5, 1, 1, 2\)"
)
class SpecOfOneSize(Tinted):
    def context_spec(self, image_shape: ImageShape) -> dict[str, TensorSpec]:
        return {"tone": TensorSpec(torch.float32, (1, 1, 1 + image_shape[1] % 2))}


class Smooth(Fade):
    """A right one: towards the mean of 5x5 pixels.

    Args:
        num_steps: T.
    """

    def tone(self, x0: Tensor, context: Context) -> Tensor:
        x = x0.to(torch.promote_types(x0.dtype, torch.float32))
        return nn.functional.avg_pool2d(nn.functional.pad(x, (2, 2, 2, 2), "reflect"), 5, 1)

    @property
    def locality(self) -> Locality:
        return Locality(2)


@caught_by("locality_is_true", r"reach=1.*Reach or grid is too small")
class ClaimsToReachLess(Smooth):
    @property
    def locality(self) -> Locality:
        return Locality(1)


@caught_by("locality_is_true", r"reach=4, grid=1.*Reach or grid is too small")
class ClaimsNoGrid(Fade):
    def tone(self, x0: Tensor, context: Context) -> Tensor:
        return nn.functional.interpolate(nn.functional.avg_pool2d(x0.float(), 4), scale_factor=4)

    def check(self, image_shape: ImageShape) -> None:
        if image_shape[1] % 4 or image_shape[2] % 4:
            raise ParameterError("image_shape: expected sides that are multiples of 4")

    @property
    def locality(self) -> Locality:
        return Locality(4)


@caught_by("locality_is_true", "None where the place in the image matters")
class Vignette(Fade):
    def tone(self, x0: Tensor, context: Context) -> Tensor:
        return torch.linspace(-1, 1, x0.shape[3], device=x0.device).expand_as(x0)

    @property
    def locality(self) -> Locality:
        return Locality(4)


@caught_by("no_float64_inside", r"gives torch\.float64 where all that it is given is float32")
class TableInFloat64(Fade):
    def __init__(self, *, num_steps: int = 8) -> None:
        super().__init__(num_steps=num_steps)
        self.w = self.w.double()


@caught_by("tables_are_buffers", r"self\.w is a tensor, but no buffer")
class TableOnTheCpuOnly(Fade):
    def __init__(self, *, num_steps: int = 8) -> None:
        super().__init__(num_steps=num_steps)
        table = self.w
        del self.w
        self.w = table


@caught_by("tables_are_buffers", r"self\.tables\['w'\]\[1\] is a tensor, but no buffer")
class TableInADict(Fade):
    def __init__(self, *, num_steps: int = 8) -> None:
        super().__init__(num_steps=num_steps)
        self.tables = {"w": (1, self.w.clone())}


@caught_by("tables_are_buffers", "moved to another device together with its inputs, it fails")
class NewTensorsOnTheCpu(Fade):
    def tone(self, x0: Tensor, context: Context) -> Tensor:
        return torch.linspace(0, 1, x0.shape[3])


@caught_by("survives_half_and_back", r"after \.half\(\)\.float\(\) it degrades otherwise")
class RoundsItsTables(Fade):
    def __init__(self, *, num_steps: int = 9) -> None:
        super().__init__(num_steps=num_steps)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Any:
        return nn.Module._apply(self, fn, recurse)


@caught_by("nothing_to_learn", r"'mix\.weight' is a parameter to be learnt")
class LearntTone(Fade):
    def __init__(self, *, num_steps: int = 8) -> None:
        super().__init__(num_steps=num_steps)
        self.mix = nn.Conv2d(1, 1, 1)


@caught_by("gradients_flow", r"D\(x0, t\) carries no gradient to x0")
class Detaches(Fade):
    def forward(self, x0: Tensor, t: Tensor, context: Context = NO_CONTEXT) -> Tensor:
        return super().forward(x0.detach(), t, context)


@caught_by("gradients_flow", r"gradient of D\(x0, 1\) is zero everywhere")
class Posterizes(Fade):
    def forward(self, x0: Tensor, t: Tensor, context: Context = NO_CONTEXT) -> Tensor:
        steps = 2 ** (self.num_steps - t)[:, None, None, None]
        return torch.where(t[:, None, None, None] == 0, x0, ((x0 * steps).round() / steps))


@caught_by("gradients_flow", r"the gradient of D\(x0, t\) is not finite")
class RootAtZero(Fade):
    def tone(self, x0: Tensor, context: Context) -> Tensor:
        return (x0 - x0).abs().sqrt()


@caught_by("other_precisions_agree", r"in torch\.float16 it is off from float32 by 0\.01")
class CancelsInLowPrecision(Fade):
    def forward(self, x0: Tensor, t: Tensor, context: Context = NO_CONTEXT) -> Tensor:
        return super().forward((x0 + 100) - 100, t, context)


@caught_by("cost_does_not_grow", "Do not loop over levels")
class LoopsToItsLevel(Fade):
    def forward(self, x0: Tensor, t: Tensor, context: Context = NO_CONTEXT) -> Tensor:
        x = x0
        for k in range(int(t.max())):
            x = torch.where(k < t[:, None, None, None], 0.8 * x, x)
        return x


@caught_by(
    "cost_does_not_grow", "with twice the levels.* nor degrade to every level and choose one"
)
class DegradesToEveryLevel(Fade):
    def forward(self, x0: Tensor, t: Tensor, context: Context = NO_CONTEXT) -> Tensor:
        every = torch.stack([x0 * 0.8**k for k in range(self.num_steps + 1)])
        return every[t, torch.arange(len(t), device=t.device)]


@caught_by("trains_ten_steps", "the loss of a training of 10 steps is not finite")
class InfiniteAboveZero(Fade):
    def forward(self, x0: Tensor, t: Tensor, context: Context = NO_CONTEXT) -> Tensor:
        return super().forward(x0, t, context) / (t == 0)[:, None, None, None]


@caught_by("works_through_a_model_folder", "a model degrades otherwise")
class RandomScale(Fade):
    def __init__(self, *, num_steps: int = 8) -> None:
        super().__init__(num_steps=num_steps)
        self.scale = float(torch.rand(()))

    def tone(self, x0: Tensor, context: Context) -> Tensor:
        return super().tone(x0, context) * self.scale


@caught_by("traces_for_any_batch", r"No Python branch, int\(\) or \.item\(\) looks at the values")
class Branches(Fade):
    def forward(self, x0: Tensor, t: Tensor, context: Context = NO_CONTEXT) -> Tensor:
        return super().forward(x0, t, context) if (t > 0).any() else x0


@caught_by("traces_for_any_batch", "cannot trace ImageByImage for any batch")
class ImageByImage(Fade):
    def tone(self, x0: Tensor, context: Context) -> Tensor:
        return torch.stack([x.mean().expand(1, 1, 1) for x in x0])


@caught_by("exports_to_onnx", "cannot be exported to ONNX")
class NoOperatorInOnnx(Fade):
    def tone(self, x0: Tensor, context: Context) -> Tensor:
        return torch.special.bessel_j0(x0.float())


@caught_by("parameters_documented", "'speed' is not explained in the docstring of Unexplained")
class Unexplained(Fade):
    def __init__(self, *, speed: float = 1.0) -> None:
        super().__init__()


@caught_by("parameters_documented", r"a recipe cannot set 'num_steps', because it is positional")
class Positional(Fade):
    """Fade.

    Args:
        num_steps: T.
    """

    def __init__(self, num_steps: int = 8) -> None:
        super().__init__(num_steps=num_steps)


@caught_by("parameters_documented", "a recipe cannot set an argument 'name'")
class NamedLikeAComponent(Fade):
    """Fade.

    Args:
        name: of the fade.
    """

    def __init__(self, *, name: str = "black") -> None:
        super().__init__()


@caught_by("parameters_documented", "argument num_steps has no type")
class Untyped(Fade):
    def __init__(self, *, num_steps=8) -> None:  # type: ignore[no-untyped-def]
        super().__init__(num_steps=num_steps)


@caught_by("parameters_round_trip", "strength: changed on the way through a recipe")
class Forgetful(Fade):
    def __init__(
        self,
        *,
        strength: Annotated[float, PlainSerializer(lambda value: value / 2)] = 0.6,
    ) -> None:
        super().__init__()
        self.strength = strength


@caught_by("builds", r"image_shape=\(1, 16, 16\): it raised ValueError: colours only.*ParameterErr")
class RefusesByValueError(Fade):
    def check(self, image_shape: ImageShape) -> None:
        if image_shape[0] == 1:
            raise ValueError("colours only")


@caught_by("builds", r"refused for every image shape.* num_steps: expected 1 to .*, got 0")
class CannotBeBuilt(Fade):
    def __init__(self, *, num_steps: int = 0) -> None:
        super().__init__(num_steps=num_steps)


@caught_by("loads", "does not implement forward")
class Abstract(Degradation):
    """Abstract.

    Args:
    """

    def __init__(self) -> None:
        super().__init__(1)


@pytest.mark.parametrize("right", [Fade, Tinted, Smooth])
def test_what_the_wrong_ones_are_made_of_is_right(right: type) -> None:
    results = check_component(right)
    assert not [result for result in results if result.outcome == "failed"]
    skipped = {result.check for result in results if result.outcome == "skipped"}
    assert skipped - {"locality_is_true"} == {"imports_lightly"}


@pytest.mark.parametrize(("wrong", "check", "message"), CASES)
def test_what_is_wrong_is_caught_by_name(wrong: type, check: str, message: str) -> None:
    (result,) = check_component(wrong, only=[check])
    assert result.outcome == "failed"
    assert re.search(message, result.detail), result.detail
    assert result.detail[-1:] != "\n"
    (again,) = check_component(wrong, only=[check])
    assert again.seed == result.seed
