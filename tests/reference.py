"""Arrays recorded from the authors' code, and the same operators built here.

A few arrays lie in `tests/data/reference`, whose README says what they are; all of them in
`../shared/reference` beside the checkout, which not everybody has.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from colddiff_core import Degradation, build

ROOT = Path(__file__).resolve().parent.parent
BUNDLED = ROOT / "tests" / "data" / "reference"
SHARED = ROOT.parent / "shared"


@dataclass(frozen=True)
class Case:
    """What a recorded file was made with, in our words.

    Attributes:
        name: the degradation.
        params: its parameters.
        tolerance: largest absolute difference that rounding explains (the README of the arrays).
    """

    name: str
    params: Mapping[str, Any]
    tolerance: float = 5e-6


def _blur(tolerance: float = 1e-5, /, **params: Any) -> Case:
    return Case("gaussian-blur", params, tolerance)


def _mask(kernel_std: float, initial_mask: int, num_steps: int, **params: Any) -> Case:
    std = {"std": kernel_std * initial_mask, "std_step": kernel_std}
    return Case("gaussian-mask", {"num_steps": num_steps, **std, **params})


def _color_mask(kernel_std: float, initial_mask: int, num_steps: int, *, reverse: bool) -> Case:
    params = _mask(kernel_std, initial_mask, num_steps, reverse=reverse).params
    return Case("color-mask", params)


def _snow(level: int, num_steps: int = 200) -> Case:
    return Case("snow", {"level": level, "num_steps": num_steps})


def _noise(name: str) -> Case:
    return Case(name, {"num_steps": 200}, 5e-5)


_SPECIAL_6: dict[str, Any] = {
    "kernel_size": 11,
    "std": 0.35,
    "std_step": 0.01,
    "padding": "reflect",
}
_FACE_BLUR: dict[str, Any] = {"std": 1.0, "std_step": 0.01, "schedule": "exponential"}

DEGRADATIONS = {
    "animorph_cosine_cifar": _noise("animorph"),
    "blur_constant_mnist": _blur(num_steps=20, kernel_size=11, std=7.0),
    "blur_constantreflect_cifar": _blur(num_steps=20, kernel_size=7, std=1.0, padding="reflect"),
    "blur_exponential_cifar": _blur(
        num_steps=30, kernel_size=11, std=1.0, std_step=0.02, schedule="exponential"
    ),
    "blur_exponential_face128": _blur(5e-5, num_steps=300, kernel_size=27, **_FACE_BLUR),
    "blur_expreflect_face128": _blur(
        5e-5, num_steps=200, kernel_size=15, padding="reflect", **_FACE_BLUR
    ),
    "blur_incremental_cifar": _blur(num_steps=30, kernel_size=5, std=0.1, std_step=0.1),
    "blur_special6_cifar": _blur(num_steps=50, **_SPECIAL_6),
    "decolor_constant_cifar": Case("desaturate", {"num_steps": 20, "schedule": "geometric"}),
    "decolor_constant_total_cifar": Case(
        "desaturate", {"num_steps": 20, "schedule": "geometric", "final_gray": True}
    ),
    "decolor_linear_total_cifar": Case("desaturate", {"num_steps": 20, "final_gray": True}),
    "fadegen_normal_cifar": _color_mask(0.15, 11, 60, reverse=False),
    "fadegen_normal_face128": _color_mask(0.05, 1, 750, reverse=False),
    "fadegen_reverse_cifar": _color_mask(0.2, 1, 60, reverse=True),
    "fadegen_reverse_face128": _color_mask(0.05, 1, 750, reverse=True),
    "mask_constant_cifar": _mask(4.0, 1, 20, std_step=0.0),
    "mask_incremental_face128_im1": _mask(0.2, 1, 100),
    "mask_incremental_face128_im11": _mask(0.2, 11, 100),
    "mask_incremental_mnist": _mask(0.1, 1, 30),
    "mask_random_cifar": _mask(0.1, 11, 50, center="random"),
    "mask_random_cifar_im1": _mask(0.1, 1, 50, center="random"),
    "noise_cosine_cifar": _noise("gaussian-noise"),
    "snow_level1_cifar": _snow(1),
    "snow_level2_cifar": _snow(2),
    "snow_level2_single_cifar": _snow(2, num_steps=40),
    "snow_level3_cifar": _snow(3),
    "snow_level3_fixedseed_cifar": _snow(3),
    "snow_level4_cifar": _snow(4),
    "snow_level4_face128": _snow(4),
    "sr_factor2_cifar": Case("pixelate", {"num_steps": 3}),
    "sr_factor2_face128": Case("pixelate", {"num_steps": 6}),
    "sr_factor2_mnist": Case("pixelate", {"num_steps": 3}),
    "sr_incremental_area_factor_2_cifar": Case("pixelate", {"num_steps": 3, "filter": "area"}),
    "sr_incremental_bilinear_factor_2_cifar": Case(
        "pixelate", {"num_steps": 3, "filter": "bilinear"}
    ),
}
"""Operators, by recorded file."""

SAMPLERS = {
    "sampler_blur_constant_mnist": DEGRADATIONS["blur_constant_mnist"],
    "sampler_blur_exponential_discrete_cifar": _blur(
        **DEGRADATIONS["blur_exponential_cifar"].params, final_mean=True
    ),
    "sampler_blur_special6_cifar": DEGRADATIONS["blur_special6_cifar"],
    "sampler_decolor_linear_cifar": DEGRADATIONS["decolor_linear_total_cifar"],
    "sampler_fadegen_reverse_cifar": DEGRADATIONS["fadegen_reverse_cifar"],
    "sampler_mask_incremental_face128": DEGRADATIONS["mask_incremental_face128_im1"],
    "sampler_mask_random_cifar": DEGRADATIONS["mask_random_cifar"],
    "sampler_noise_cifar": DEGRADATIONS["noise_cosine_cifar"],
    "sampler_snow_level3_cifar": Case("snow", {"level": 3, "num_steps": 50, "brighten": False}),
    "sampler_sr_factor2_cifar": DEGRADATIONS["sr_factor2_cifar"],
    "sampler_sr_factor2_mnist": DEGRADATIONS["sr_factor2_mnist"],
}
"""Operators of the recorded trajectories; each is within 5e-5."""

LEFT_OUT = {
    "blur_extra_linear_accum_std_cifar": "kernel size grows with std; in no published script",
    "blur_extra_linear_dec_std_cifar": "kernel size grows with std; in no published script",
    "blur_individual_mnist": "one kernel of growing size instead of a composition",
    "sr_incremental_area_cifar": "shrinks by a pixel a step, not by half",
    "sr_incremental_area_with_blur_cifar": "shrinks by a pixel a step, and blurs",
    "sr_incremental_bicubic_with_blur_cifar": "shrinks by a pixel a step, and blurs",
    "sr_incremental_bilinear_cifar": "shrinks by a pixel a step, not by half",
    "imagenet_c": "the corruptions of ImageNet-C, which no built-in operator covers yet",
    "sr_incremental_bilinear_with_blur_cifar": "shrinks by a pixel a step, and blurs",
    "sr_incremental_cifar": "shrinks by a pixel a step, not by half",
}
"""Recorded variants that no built-in operator has, and why."""


def shared_folder() -> Path:
    """`../shared`; skips the test where there is none, all tests with one line of the report."""
    if not SHARED.is_dir():
        pytest.skip("needs ../shared, with recorded arrays and real images")
    return SHARED


def recorded(file: str) -> dict[str, Tensor]:
    """The arrays of a file; skips the test where it is not to be had."""
    path = BUNDLED / f"{file}.npz"
    if not path.is_file():
        path = shared_folder() / "reference" / path.name
    with np.load(path) as arrays:
        return {k: torch.from_numpy(arrays[k]) for k in arrays.files if k != "meta"}


def operator(case: Case, **params: Any) -> Degradation:
    """The degradation of a case."""
    return build("degradation", case.name, **{**case.params, **params})


def context_of(arrays: Mapping[str, Tensor], batch: int) -> dict[str, Tensor]:
    """What was random about a recording, in our form; see the contexts of the operators."""
    context = {}
    if "centre" in arrays:
        context["center"] = arrays["centre"]
    if "colour" in arrays:
        context["color"] = arrays["colour"][:, None, None].expand(batch, -1, -1, -1)
    if "z" in arrays:
        context["endpoint"] = arrays["z"]
    if "base" in arrays:
        context["layer"] = arrays["base"][:, None].expand(batch, -1, -1, -1)
        context["vertical"] = arrays["vertical"].bool().expand(batch)
    return context


class AnalyticRestorer(nn.Module):
    """R(x, t) = 0.9 x + 0.1 flip(x) + t/T (0.1 P - 0.05 mean(x)), in place of a network.

    P has structure in every frequency band, so that a sampler that is off by one level shows.
    """

    def __init__(self, image_shape: tuple[int, int, int], num_steps: int) -> None:
        super().__init__()
        _, height, width = image_shape
        c, i, j = torch.meshgrid(
            *(torch.arange(n, dtype=torch.float64) for n in image_shape), indexing="ij"
        )
        slow, fast = i / height + 2 * j / width, 7 * i / height - 3 * j / width
        pattern = (torch.cos(2 * torch.pi * slow + c) + torch.cos(2 * torch.pi * fast)) / 2
        self.register_buffer("pattern", pattern.float())
        self.pattern: Tensor
        self.num_steps = num_steps

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        severity = (t / self.num_steps)[:, None, None, None]
        mean = x.mean((1, 2, 3), keepdim=True)
        return 0.9 * x + 0.1 * x.flip(3) + severity * (0.1 * self.pattern - 0.05 * mean)
