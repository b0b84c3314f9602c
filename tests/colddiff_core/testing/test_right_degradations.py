"""Right operators, written as others might write them: none is refused."""

import math
from typing import Any, Literal

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from colddiff_core import Context, Degradation, ParameterError, TensorSpec
from colddiff_core.contracts.degradation import NO_CONTEXT, ImageShape
from colddiff_core.contracts.locality import Locality
from colddiff_core.testing import check_component


def column(values: Tensor) -> Tensor:
    return values[:, None, None, None]


class Shrink(Degradation):
    """Brightness towards black, without a table.

    Args:
        num_steps: T.
    """

    def __init__(self, *, num_steps: int = 1) -> None:
        super().__init__(num_steps)

    def forward(self, x0: Tensor, t: Tensor, context: Context = NO_CONTEXT) -> Tensor:
        kept = column(1 - t / self.num_steps)
        return ((x0 + 1) * kept - 1).to(x0.dtype).where(column(t) > 0, x0)


class Vignette(Degradation):
    """Darker corners, by a mask that is a function of the pixel.

    Args:
        num_steps: T.
        power: how sharply they fall off.
    """

    def __init__(self, *, num_steps: int = 12, power: float = 2.0) -> None:
        super().__init__(num_steps)
        self.register_buffer("power", torch.tensor(power))  # persistent, for no reason

    def falloff(self, height: int, width: int) -> list[Tensor]:
        rows, columns = (torch.linspace(-1, 1, n) for n in (height, width))
        return [(rows[:, None] ** 2 + columns**2).sqrt() / math.sqrt(2)]

    def forward(self, x0: Tensor, t: Tensor, context: Context = NO_CONTEXT) -> Tensor:
        (radius,) = self.table(self.falloff, *x0.shape[2:], like=x0)
        amount = column(t / self.num_steps) * radius**self.power
        return (x0 - amount * (x0 + 1)).to(x0.dtype)


class BoxBlur(Degradation):
    """Depthwise convolutions with boxes that grow, mixed in by the level.

    Args:
        num_steps: T.
    """

    def __init__(self, *, num_steps: int = 5) -> None:
        super().__init__(num_steps)
        self.register_buffer("box", torch.full((1, 1, 5, 5), 1 / 25))

    @property
    def locality(self) -> Locality:
        return Locality(2)

    def forward(self, x0: Tensor, t: Tensor, context: Context = NO_CONTEXT) -> Tensor:
        x = x0.to(torch.promote_types(x0.dtype, torch.float32))
        padded = F.pad(x, (2, 2, 2, 2), mode="reflect")
        box = self.box.to(x.dtype).repeat(x.shape[1], 1, 1, 1)
        blurred = F.conv2d(padded, box, groups=x.shape[1])
        return torch.lerp(x, blurred, column(t / self.num_steps).to(x.dtype)).to(x0.dtype)


class Posts(Degradation):
    """Stripes that an index table switches off one after the other.

    Args:
        num_steps: T.
        along: the axis that they run along.
    """

    def __init__(
        self,
        *,
        num_steps: int = 8,
        along: Literal["rows", "columns"] = "columns",
    ) -> None:
        super().__init__(num_steps)
        self.along = along

    def forward(self, x0: Tensor, t: Tensor, context: Context = NO_CONTEXT) -> Tensor:
        size = x0.shape[3 if self.along == "columns" else 2]
        first = torch.arange(size, device=x0.device) % self.num_steps
        if self.along == "rows":
            first = first[:, None]
        return torch.where(column(t) > first, torch.zeros_like(x0), x0)


class Shuffle(Degradation):
    """Channels wander into the mean of the others.

    Args:
    """

    def __init__(self) -> None:
        super().__init__(3)

    def check(self, image_shape: ImageShape) -> None:
        if image_shape[0] < 3:
            raise ParameterError(f"image_shape: expected 3 channels or more, got {image_shape[0]}")

    def forward(self, x0: Tensor, t: Tensor, context: Context = NO_CONTEXT) -> Tensor:
        w = column(t.to(x0.dtype) / self.num_steps)
        return x0 * (1 - w) + torch.cat([x0[:, -1:], x0[:, :-1]], 1) * w


class Downscale(Degradation):
    """Down and up again by interpolation, the more so the higher the level.

    Args:
        num_steps: T.
    """

    def __init__(self, *, num_steps: int = 4) -> None:
        super().__init__(num_steps)

    def check(self, image_shape: ImageShape) -> None:
        if min(image_shape[1:]) < 64 or image_shape[1] % 8 or image_shape[2] % 8:
            raise ParameterError("image_shape: expected sides of 64 pixels or more, multiples of 8")

    @property
    def locality(self) -> Locality:
        return Locality(8, grid=8)

    def forward(self, x0: Tensor, t: Tensor, context: Context = NO_CONTEXT) -> Tensor:
        small = F.avg_pool2d(x0.float(), 8)
        coarse = F.interpolate(small, x0.shape[2:], mode="nearest")
        mixed = x0 + column(t / self.num_steps) * (coarse - x0)
        return torch.where(column(t) == 0, x0, mixed.to(x0.dtype))


class Gamma(Degradation):
    """Darker midtones: a power of the brightness, clamped to be one.

    Args:
        num_steps: T.
        gamma: the power at T.
    """

    def __init__(self, *, num_steps: int = 10, gamma: float = 3) -> None:
        super().__init__(num_steps)
        self.gamma = gamma

    def forward(self, x0: Tensor, t: Tensor, context: Context = NO_CONTEXT) -> Tensor:
        power = column(1 + (self.gamma - 1) * t / self.num_steps)
        u = ((x0.float() + 1) / 2).clamp(1e-4, 1.0)
        return torch.where(column(t) == 0, x0, (u**power * 2 - 1).to(x0.dtype))


class Solarize(Degradation):
    """Inverts what is brighter than a threshold that falls: discontinuous in the image.

    Args:
        num_steps: T.
    """

    def __init__(self, *, num_steps: int = 6) -> None:
        super().__init__(num_steps)
        threshold = torch.linspace(1, -0.2, num_steps + 1)
        threshold[0] = math.inf
        self.register_buffer("threshold", threshold, persistent=False)

    def forward(self, x0: Tensor, t: Tensor, context: Context = NO_CONTEXT) -> Tensor:
        return torch.where(x0 > column(self.threshold[t]), -x0, x0)


class Scratches(Degradation):
    """Where the image is scratched is drawn for the batch at once, one uniform number an image.

    Args:
        num_steps: T.
    """

    def __init__(self, *, num_steps: int = 7) -> None:
        super().__init__(num_steps)

    def context_spec(self, image_shape: ImageShape) -> dict[str, TensorSpec]:
        return {"start": TensorSpec(torch.int64, ())}

    def sample_context(self, x0: Tensor, generator: torch.Generator) -> Context:
        start = torch.rand(len(x0), generator=generator) * (x0.shape[3] - self.num_steps)
        return {"start": start.long().clamp(min=0).to(x0.device)}

    def forward(self, x0: Tensor, t: Tensor, context: Context = NO_CONTEXT) -> Tensor:
        at = torch.arange(x0.shape[-1], device=x0.device) - context["start"][:, None]
        scratched = ((at >= 0) & (at < t[:, None]))[:, None, None, :]
        return x0.masked_fill(scratched, -1)


class Dust(Degradation):
    """A dict of tables in a ModuleDict, float16 noise as context, its own difference.

    Args:
        num_steps: T.
        weights: of the grains.
    """

    def __init__(
        self,
        *,
        num_steps: int = 9,
        weights: tuple[float, ...] = (0.5, 0.25),
    ) -> None:
        super().__init__(num_steps)
        self.names = tuple(f"grain{k}" for k in range(len(weights)))
        for name, weight in zip(self.names, weights, strict=True):
            table = weight * torch.arange(num_steps + 1) / num_steps
            self.register_buffer(name, table, persistent=False)

    def context_spec(self, image_shape: ImageShape) -> dict[str, TensorSpec]:
        return {name: TensorSpec(torch.float32, image_shape) for name in self.names}

    def sample_context(self, x0: Tensor, generator: torch.Generator) -> Context:
        drawn = [
            torch.stack([torch.randn(x0.shape[1:], generator=generator) for _ in self.names])
            for _ in x0
        ]
        every = torch.stack(drawn).to(x0.device)
        return {name: every[:, k] for k, name in enumerate(self.names)}

    def forward(self, x0: Tensor, t: Tensor, context: Context = NO_CONTEXT) -> Tensor:
        return x0 + self.difference(x0, torch.zeros_like(t), t, context)

    def difference(self, x0: Tensor, t: Tensor, s: Tensor, context: Context = NO_CONTEXT) -> Tensor:
        change = torch.zeros_like(x0, dtype=torch.promote_types(x0.dtype, torch.float32))
        for name in self.names:
            table = getattr(self, name)
            change = change + column(table[s] - table[t]) * context[name]
        return change.to(x0.dtype)


RIGHT: list[tuple[type[Degradation], dict[str, Any]]] = [
    (Shrink, {}),
    (Shrink, {"num_steps": 1000}),
    (Vignette, {}),
    (BoxBlur, {}),
    (Posts, {"along": "rows"}),
    (Shuffle, {}),
    (Downscale, {}),
    (Gamma, {}),
    (Solarize, {}),
    (Scratches, {}),
    (Dust, {"weights": [1.0, 0.1, 0.1]}),
]


@pytest.mark.parametrize(
    ("right", "params"), RIGHT, ids=[f"{cls.__name__}-{params}" for cls, params in RIGHT]
)
def test_what_is_right_is_not_refused(right: type[Degradation], params: dict[str, Any]) -> None:
    results = check_component(right, params=params)
    assert [(r.check, r.detail) for r in results if r.outcome == "failed"] == []
    skipped = {result.check for result in results if result.outcome == "skipped"}
    assert skipped - {"locality_is_true"} == {"imports_lightly"}
