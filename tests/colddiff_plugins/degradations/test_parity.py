"""The operators against arrays recorded from the authors' code."""

from fractions import Fraction

import pytest
import torch
from reference import (
    BUNDLED,
    DEGRADATIONS,
    LEFT_OUT,
    SAMPLERS,
    context_of,
    operator,
    recorded,
    shared_folder,
)
from torch import Tensor

from colddiff_core import build
from colddiff_plugins.degradations.snow import zoom_in

STEP = 2 / 255


def of(*prefixes: str) -> list[str]:
    return [file for file in DEGRADATIONS if file.startswith(prefixes)]


def error(found: Tensor, expected: Tensor) -> float:
    assert found.shape == expected.shape
    return (found - expected).abs().max().item()


@pytest.mark.parametrize("file", [f for f in DEGRADATIONS if not f.startswith("snow")])
def test_every_recorded_level(file: str) -> None:
    case, arrays = DEGRADATIONS[file], recorded(file)
    x0 = arrays["x0"]
    d, context = operator(case), context_of(arrays, len(x0))
    for t, expected in zip(arrays["t"], arrays["xt"], strict=True):
        assert error(d(x0, t.expand(len(x0)), context), expected) <= case.tolerance, f"t = {t}"


@pytest.mark.parametrize(
    ("file", "brighten"),
    [(f, b) for f in of("snow") for b in (False, True) if not (b and "single" in f)],
)
def test_every_recorded_level_of_snow(file: str, brighten: bool) -> None:
    case, arrays = DEGRADATIONS[file], recorded(file)
    x0, base = arrays["x0"], arrays["base"][:, None]
    d = operator(case, brighten=brighten)
    expected = arrays["xt_nofix" if brighten else "xt_fix"]
    levels = arrays.get("t_nofix", arrays["t"]) if brighten else arrays["t"]
    # with a layer for each image, the authors draw the wind anew at each level
    vertical = arrays["vertical"].bool().expand(len(levels), len(x0))
    for t, wind, x_t in zip(levels, vertical, expected, strict=True):
        context = {"layer": base.expand(len(x0), -1, -1, -1), "vertical": wind}
        assert error(d(x0, t.expand(len(x0)), context), x_t) <= case.tolerance, f"t = {t}"


@pytest.mark.parametrize(
    "file",
    [
        "animorph_cosine_cifar",
        "blur_constant_mnist",
        "blur_constantreflect_cifar",
        "blur_incremental_cifar",
        "blur_special6_cifar",
        "noise_cosine_cifar",
    ],
)
def test_a_level_for_each_image(file: str) -> None:
    case, arrays = DEGRADATIONS[file], recorded(file)
    x0 = arrays["x0"]
    found = operator(case)(x0, arrays["t_mixed"], context_of(arrays, len(x0)))
    assert error(found, arrays["xt_mixed"]) <= case.tolerance


@pytest.mark.parametrize("file", ["blur_exponential_cifar", "blur_exponential_face128"])
def test_the_mean_at_the_last_level(file: str) -> None:
    case, arrays = DEGRADATIONS[file], recorded(file)
    x0 = arrays["x0"]
    d = operator(case, final_mean=True)
    last = torch.full((len(x0),), d.num_steps)
    assert error(d(x0, last), arrays["xT_discrete"]) <= case.tolerance
    for t, expected in zip(arrays["t"][:-1], arrays["xt"][:-1], strict=True):
        assert error(d(x0, t.expand(len(x0))), expected) <= case.tolerance, f"t = {t}"


@pytest.mark.parametrize(
    ("file", "params"),
    [
        ("blur_exponential_cifar", {"final_mean": True}),
        ("blur_exponential_face128", {"final_mean": True}),
        ("mask_incremental_face128_im1", {}),
    ],
)
def test_eight_bit_levels(file: str, params: dict[str, bool]) -> None:
    """Where D hardly changes x0, rounding may move a value over the edge of its step."""
    arrays = recorded(file)
    x0 = arrays["x0"]
    d = operator(DEGRADATIONS[file], **params)
    for t, expected in zip(arrays["t_quant"], arrays["xt_quant"], strict=True):
        x_t = d(x0, t.expand(len(x0)))
        off = (((255 * (x_t + 1) / 2).trunc() / 255 * 2 - 1 - expected).abs() / STEP).round()
        assert off.max() <= 1
        assert off.mean() <= 0.03


@pytest.mark.parametrize("file", of("mask"))
def test_masks(file: str) -> None:
    case, arrays = DEGRADATIONS[file], recorded(file)
    x0 = arrays["x0"]
    ones, context = torch.ones_like(x0), context_of(arrays, len(x0))
    d = operator(case)
    for t, mask in zip(arrays.get("t_mask", arrays["t"]), arrays["mask"], strict=True):
        found = d(ones, t.expand(len(x0)), context)
        assert error(found, mask.view(-1, 1, *mask.shape[-2:]).expand_as(x0)) <= case.tolerance


@pytest.mark.parametrize("file", [f for f in of("mask") if "random" not in f])
def test_masks_of_one_step(file: str) -> None:
    case, arrays = DEGRADATIONS[file], recorded(file)
    one = torch.ones_like(arrays["x0"][:1, :1])
    last = case.params["num_steps"] - 1
    for i, z in zip((0, last), arrays["z"], strict=True):
        std = case.params["std"] + i * case.params["std_step"]
        d = build("degradation", "gaussian-mask", num_steps=1, std=std)
        assert error(d(one, torch.tensor([1])), z[None, None]) <= case.tolerance


@pytest.mark.parametrize("file", of("fadegen"))
def test_masks_of_a_color(file: str) -> None:
    case, arrays = DEGRADATIONS[file], recorded(file)
    one = torch.ones_like(arrays["x0"][:1])
    d, context = operator(case), {"color": torch.zeros(1, 3, 1, 1)}
    for t, mask in zip(arrays["t_alpha"], arrays["alpha"], strict=True):
        assert error(d(one, t[None], context), mask.expand_as(one)) <= case.tolerance


@pytest.mark.parametrize("file", of("decolor"))
def test_weights_of_the_color(file: str) -> None:
    case, arrays = DEGRADATIONS[file], recorded(file)
    red = torch.tensor([1.0, 0, 0]).view(1, 3, 1, 1)
    t = torch.arange(1, case.params["num_steps"] + 1)
    response = operator(case)(red.expand(len(t), -1, -1, -1), t)
    assert error((response[:, 0] - response[:, 1]).flatten(), arrays["w"]) <= case.tolerance


@pytest.mark.parametrize("file", ["animorph_cosine_cifar", "noise_cosine_cifar"])
def test_cosine_schedule(file: str) -> None:
    case, arrays = DEGRADATIONS[file], recorded(file)
    t = torch.arange(1, case.params["num_steps"] + 1)
    one, zero = torch.ones(len(t), 1, 1, 1), torch.zeros(len(t), 1, 1, 1)
    d = operator(case)
    signal = d(one, t, {"endpoint": zero}).flatten()
    assert error(signal, arrays["sqrt_alphas_cumprod"]) <= case.tolerance
    assert error(signal**2, arrays["alphas_cumprod"]) <= case.tolerance
    mixed = d(zero, t, {"endpoint": one}).flatten()
    assert error(mixed, arrays["sqrt_one_minus_alphas_cumprod"]) <= case.tolerance


@pytest.mark.parametrize("file", of("snow"))
def test_zoom_of_the_snow(file: str) -> None:
    arrays = recorded(file)
    zoom = Fraction(3) if "level1" in file else Fraction(5, 2)
    layer = zoom_in(arrays["normal_raw_f64"][:, None], zoom)
    assert error(layer[:, 0].float(), arrays["base"]) <= 2e-7


def test_every_recording_is_covered_or_left_out_for_a_reason() -> None:
    found = sorted(file.stem for file in (shared_folder() / "reference").glob("*.npz"))
    assert found == sorted([*DEGRADATIONS, *SAMPLERS, *LEFT_OUT])


def test_bundled_recordings_are_the_shared_ones() -> None:
    recordings = shared_folder() / "reference"
    for file in BUNDLED.glob("*.npz"):
        assert file.read_bytes() == (recordings / file.name).read_bytes(), file.name
