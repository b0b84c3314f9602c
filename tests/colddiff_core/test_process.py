"""The process: loop, callbacks, checks."""

from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor, nn

from colddiff_core import ColdDiffError, ColdDiffusion, Prior, Sampler, Step, UsageError, build
from colddiff_core.contracts.degradation import (
    NO_CONTEXT,
    Context,
    Degradation,
    ImageShape,
    TensorSpec,
)


class Fade(Degradation):
    """D(x, t, c) = x (1 - t/T) + c t/T with a random colour c."""

    def __init__(self) -> None:
        super().__init__(4)

    def context_spec(self, image_shape: ImageShape) -> dict[str, TensorSpec]:
        return {"colour": TensorSpec(torch.float32, (1, 1, 1))}

    def sample_context(self, x0: Tensor, generator: torch.Generator) -> Context:
        return {"colour": torch.rand(len(x0), 1, 1, 1, generator=generator)}

    def forward(self, x0: Tensor, t: Tensor, context: Context = NO_CONTEXT) -> Tensor:
        weight = (t / self.num_steps)[:, None, None, None]
        return x0 * (1 - weight) + context["colour"] * weight


class Half(nn.Module):
    """Remembers the levels it is called with."""

    def __init__(self) -> None:
        super().__init__()
        self.levels: list[list[int]] = []

    def forward(self, x_t: Tensor, t: Tensor) -> Tensor:
        assert t.dtype == torch.int64
        self.levels.append(t.tolist())
        return x_t / 2


def images(n: int = 2) -> Tensor:
    return torch.rand(n, 1, 8, 8, generator=torch.Generator().manual_seed(0)) * 2 - 1


def from_256(x: Tensor) -> Tensor:
    return ((x + 1) * 127).to(torch.uint8)


@pytest.mark.parametrize("size", [(8, 8), (7, 9), (1, 1), (33, 47), (2, 3)])
def test_images_of_any_size_are_padded_by_reflection(
    size: tuple[int, int], process: ColdDiffusion
) -> None:
    """The restorer sees multiples of its `size_multiple`; nothing of the padding comes out."""
    x = torch.rand(2, 1, *size, generator=torch.Generator().manual_seed(0)) * 2 - 1
    seen: list[Tensor] = []
    process.restorer.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    x_t = process.degrade(x, 2)
    restored = process.restore(x_t, (2, 0))
    assert restored.shape == x.shape
    multiple = process.restorer.size_multiple
    for padded in seen:
        assert padded.shape[2:] == tuple(-(-n // multiple) * multiple for n in size)
        assert torch.equal(padded[:, :, : size[0], : size[1]], x_t)


def test_the_restorer_is_called_with_the_level_of_its_input() -> None:
    restorer = Half()
    blur = build("degradation", "gaussian-blur", num_steps=4)
    ColdDiffusion(blur, restorer, build("sampler", "naive")).restore(images(), (4, 2, 1, 0))
    assert restorer.levels == [[4, 4], [2, 2], [1, 1]]


@pytest.mark.parametrize("sampler", ["naive", "improved"])
def test_restore_is_the_algorithm_as_written(sampler: str) -> None:
    fade, x_t = Fade(), images()
    context = fade.sample_context(x_t, torch.Generator().manual_seed(1))
    found = ColdDiffusion(fade, Half(), build("sampler", sampler)).restore(x_t, None, context)
    x = x_t
    for t in (4, 3, 2, 1):
        here, there = torch.tensor([t, t]), torch.tensor([t - 1, t - 1])
        x0_hat = x / 2
        if sampler == "naive":
            x = fade(x0_hat, there, context)
        else:
            x = x - fade(x0_hat, here, context) + fade(x0_hat, there, context)
    torch.testing.assert_close(found, x)


def test_one_step_is_the_direct_reconstruction(process: ColdDiffusion) -> None:
    x_t = process.degrade(images())
    with torch.no_grad():
        expected = process.restorer(x_t, torch.tensor([4, 4]))
    process.sampler = build("sampler", "naive")
    assert torch.equal(process.restore(x_t, (4, 0)), expected)


def test_trajectory_callback_and_result_tell_the_same_story(process: ColdDiffusion) -> None:
    x_t = process.degrade(images())
    seen: list[Step] = []
    x0 = process.restore(x_t, (4, 3, 0), on_step=seen.append)
    states = process.trajectory(x_t, (4, 3, 0))
    assert [(step.t, step.s) for step in seen] == [(4, 3), (3, 0)]
    assert torch.equal(states[0], x_t)
    assert torch.equal(states[1], seen[0].x_s)
    assert torch.equal(states[2], x0)
    assert not x0.requires_grad


def test_degrade_takes_one_level_for_all_or_one_each(process: ColdDiffusion) -> None:
    x0 = images()
    assert torch.equal(process.degrade(x0), process.degrade(x0, 4))
    mixed = process.degrade(x0, torch.tensor([0, 4]))
    assert torch.equal(mixed[0], x0[0])
    assert torch.equal(mixed, process.degrade(x0, torch.tensor([0, 4], dtype=torch.uint8)))
    assert process.degrade(x0[:0]).shape == process.restore(x0[:0]).shape == (0, 1, 8, 8)
    assert torch.equal(process.restore(x0, torch.arange(4, -1, -1)), process.restore(x0))
    torch.testing.assert_close(mixed[1], process.degrade(x0)[1])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda p: p.degrade(torch.zeros(2, 3, 8, 8)), r"the restorer takes 1 channels, got 3"),
        (lambda p: p.degrade(from_256(images())), r"of torch.uint8; use from_uint8"),
        (lambda p: p.restore(images().numpy()), r"expected a tensor.* a ndarray of float32"),
        (lambda p: p.degradation(from_256(images()), 3), r"got a Tensor of torch.uint8; use from"),
        (lambda p: p.degrade(images(), "3"), "one integer, or 2, one for each image; got '3'"),
        (lambda p: p.generate(0, p.degradation, generator=None), "1 image or more, got 0"),
        (lambda p: p.degrade(images().long()), r"in \[-1, 1\], got a Tensor of torch.int64"),
        (lambda p: p.restore(images().double()), r"computes in torch.float32, got torch.float64"),
        (lambda p: p.degrade(images(), 5), "expected levels 0 to 4"),
        (lambda p: p.degrade(images(), torch.tensor([1, 2, 3])), "one integer, or 2, one for each"),
        (lambda p: p.degrade(images(), torch.tensor([[1], [2]])), "one integer, or 2, one for"),
        (lambda p: p.degrade(images(), 2.5), "one integer, or 2, one for each image; got 2.5"),
        (lambda p: p.degrade(images(), context={"x": images()}), "the degradation has no 'x'"),
        (lambda p: p.restore(images(), (4, 1.5, 0)), "expected integers"),
        (
            lambda p: p.restore(images()[0]),
            r"expected \(batch, channels, height, width\), got \(1, 8, 8\)",
        ),
        (lambda p: p.restore(images(), (1, 4, 0)), "strictly decrease"),
    ],
)
def test_misuse_is_explained(call, message: str, process: ColdDiffusion) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(UsageError, match=message):
        call(process)


@pytest.mark.parametrize("kind", ["degradation", "restorer", "sampler", "prior"])
def test_names_and_classes_are_no_parts(kind: str) -> None:
    parts = {"degradation": Fade(), "restorer": Half(), "sampler": build("sampler", "naive")}
    for wrong, came in (("blend", "'blend'"), (Half, "the class Half")):
        with pytest.raises(UsageError, match=f"{kind}: expected an object .*, got {came}"):
            ColdDiffusion(**{**parts, kind: wrong})


def test_a_random_degradation_wants_its_context() -> None:
    fade = ColdDiffusion(Fade(), Half(), build("sampler", "improved"))
    with pytest.raises(UsageError, match="'colour' is missing"):
        fade.restore(images())
    with pytest.raises(UsageError, match=r"expected shape \(2, 1, 1, 1\), got \(3, 1, 1, 1\)"):
        fade.degrade(images(), context={"colour": torch.zeros(3, 1, 1, 1)})


def test_a_sampler_that_does_not_use_the_context_needs_none() -> None:
    class Forgetful(Sampler):
        uses_context: ClassVar[bool] = False

        def step(self, *inputs: Any) -> Tensor:
            _, x0_hat, *_, context = inputs
            assert not context  # even if it is given: what a file computes is the same
            return x0_hat

    class White(Prior):
        def sample(self, n: int, generator: torch.Generator) -> tuple[Tensor, Context]:
            return torch.ones(n, 1, 8, 8), NO_CONTEXT

    fade = ColdDiffusion(Fade(), Half(), Forgetful())
    context = fade.degradation.sample_context(images(), torch.Generator())
    assert not fade.context_names
    assert torch.equal(fade.restore(images(), (4, 0)), images() / 2)
    assert torch.equal(fade.restore(images(), (4, 0), context), images() / 2)
    drawn = fade.generate(3, White((1, 8, 8)), (4, 0), generator=torch.Generator())
    assert torch.equal(drawn, torch.full((3, 1, 8, 8), 0.5))
    with pytest.raises(UsageError, match="the degradation has no 'color'"):
        fade.restore(images(), (4, 0), {"color": images()})
    with pytest.raises(UsageError, match="'colour' is missing"):
        fade.degrade(images())


def test_what_is_known_of_the_context_is_not_drawn() -> None:
    class Black(Prior):
        gives: ClassVar[tuple[str, ...]] = ("colour",)

        def sample(self, n: int, generator: torch.Generator) -> tuple[Tensor, Context]:
            return torch.zeros(n, 1, 8, 8), {"colour": torch.zeros(n, 1, 1, 1)}

    known = {"colour": torch.full((2, 1, 1, 1), 0.5)}
    for prior in (None, Black((1, 8, 8))):
        fade = ColdDiffusion(Fade(), Half(), build("sampler", "naive"), prior)
        draws = torch.Generator().manual_seed(0)
        assert torch.equal(fade.sample_context(images(), draws, known)["colour"], known["colour"])
        assert not torch.equal(fade.sample_context(images(), draws)["colour"], known["colour"])
    with pytest.raises(UsageError, match=r"gives 'endpoint' .* and the degradation takes colour"):
        fade.sample_context(images(), draws, {**known, "endpoint": images()})


def test_parts_that_no_recipe_can_name_have_to_be_given(tmp_path: Path) -> None:
    process = ColdDiffusion(Fade(), Half(), build("sampler", "naive"))
    process.image_shape = (1, 8, 8)
    process.save(tmp_path / "m")
    with pytest.raises(UsageError, match=r"degradation: expected an object .* got the class Fade"):
        ColdDiffusion.load(tmp_path / "m", degradation=Fade)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=r"Half.*is no component of a plugin"):
        ColdDiffusion.load(tmp_path / "m", degradation=Fade())
    again = ColdDiffusion.load(tmp_path / "m", degradation=Fade(), restorer=Half())
    assert again.sampler.config is not None


def test_a_result_of_another_shape_is_named() -> None:
    class Wide(nn.Module):
        def forward(self, x_t: Tensor, t: Tensor) -> Tensor:
            return x_t.repeat(1, 3, 1, 1)

    process = ColdDiffusion(Fade(), Wide(), build("sampler", "naive"))
    with pytest.raises(ColdDiffError, match=r"Wide: expected \(1, 1, 8, 8\), got \(1, 3, 8, 8\)"):
        process.restore(torch.zeros(1, 1, 8, 8), context={"colour": torch.zeros(1, 1, 1, 1)})
