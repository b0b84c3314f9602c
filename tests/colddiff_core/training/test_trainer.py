"""Training: what it leaves, and that it is a function of the recipe."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from colddiff_core import ColdDiffusion, Context, ImageDataset, build, train
from colddiff_core.contracts.errors import ColdDiffError, RecipeError, UsageError
from colddiff_core.contracts.recipe import Recipe, TrainTable
from colddiff_core.contracts.steps import TrainingStep
from colddiff_core.models.facts import load_model_recipe
from colddiff_core.models.recipe import load_recipe
from colddiff_core.pictures.reading import read_image
from colddiff_core.training.ema import Ema
from colddiff_core.training.engine import learning_rate, reconstruction_loss
from colddiff_core.training.minibatch import Feed, Minibatch
from colddiff_core.training.randomness import batch_indices, generator

TINY = [
    "data.image_size=8",
    "degradation.num_steps=3",
    "restorer.channels=8",
    "restorer.multipliers=[1, 2]",
    "train.steps=6",
    "train.batch_size=4",
    "train.log_every=4",
    "train.sample_every=3",
]


def tiny(*more: str) -> Recipe:
    return load_recipe("mnist-demo", [*TINY, *more])


def test_the_folder_becomes_a_model_folder_with_its_history(tmp_path: Path) -> None:
    seen: list[TrainingStep] = []
    process = train(tiny(), tmp_path / "run", on_log=seen.append)
    names = {path.relative_to(tmp_path / "run").as_posix() for path in tmp_path.rglob("*.*")}
    assert {name for name in names if not name.startswith("tensorboard/")} == {
        "recipe.toml",
        "model.safetensors",
        "provenance.json",
        "metrics.jsonl",
        "samples/0000003.png",
        "samples/0000006.png",
        "checkpoints/0000006.safetensors",
        "checkpoints/0000006.sha256",
    }
    lines = [json.loads(x) for x in (tmp_path / "run/metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [step.step for step in seen] == [3, 4, 6]
    assert lines[-1]["images_seen"] == 24
    assert read_image(tmp_path / "run/samples/0000006.png").shape == (4 * 10 - 2, 8 * 10 - 2, 1)
    assert process.recipe is not None
    assert process.recipe.train == load_model_recipe(tmp_path / "run").train
    facts = json.loads((tmp_path / "run/provenance.json").read_text())
    assert facts["data"].startswith("colddiff:mnist-mini==")
    assert facts["training"]["images_seen"] == 24
    x_t = process.degrade(torch.rand(1, 1, 8, 8))
    restored = ColdDiffusion.load(tmp_path / "run").restore(x_t)
    torch.testing.assert_close(restored, process.restore(x_t))


def test_the_same_recipe_gives_the_same_weights_whatever_torch_drew_before(tmp_path: Path) -> None:
    torch.manual_seed(1)
    train(tiny("train.sample_every=0"), tmp_path / "a")
    torch.manual_seed(2)
    train(tiny("train.sample_every=1"), tmp_path / "b")
    train(tiny("train.seed=5"), tmp_path / "c")
    a, b, c = (load_file(tmp_path / name / "model.safetensors") for name in "abc")
    assert all(torch.equal(a[name], b[name]) for name in a)
    assert not all(torch.equal(a[name], c[name]) for name in a)


def test_training_learns(tmp_path: Path) -> None:
    seen: list[TrainingStep] = []
    recipe = tiny("train.steps=60", "train.batch_size=32", "train.log_every=10", "train.lr=5e-3")
    train(recipe, tmp_path / "run", on_log=seen.append)
    assert seen[-1].loss < 0.6 * seen[0].loss


def test_a_loss_that_is_not_finite_ends_the_run_without_a_model(tmp_path: Path) -> None:
    with pytest.raises(ColdDiffError, match=r"the loss is .* at step .*lower learning rate"):
        train(tiny("train.lr=1e30", "train.warmup_steps=0"), tmp_path / "run")
    assert not (tmp_path / "run/recipe.toml").exists()
    assert not (tmp_path / "run/model.safetensors").exists()


def test_a_model_is_not_trained_over_but_the_rest_of_a_failed_run_is(tmp_path: Path) -> None:
    (tmp_path / "metrics.jsonl").touch()
    train(tiny(), tmp_path)
    with pytest.raises(UsageError, match="already holds a model"):
        train(tiny(), tmp_path)


def test_a_folder_that_cannot_be_made_is_a_usage_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for folder in (tmp_path / "file", tmp_path / "file/x"):
        with pytest.raises(UsageError, match="cannot be made a folder"):
            train(tiny(), folder)


def test_a_recipe_that_does_not_fit_its_data_leaves_no_folder(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="divisible by 2, got 9x9"):
        train(tiny("data.image_size=9"), tmp_path / "run")
    with pytest.raises(RecipeError, match=r"image_shape: the recipe says \(1, 4, 4\)"):
        train(tiny("image_shape=[1, 4, 4]"), tmp_path / "run")
    with pytest.raises(RecipeError, match=r"no \[data\] table"):
        train(tiny().model_copy(update={"data": None}), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_the_loss_is_the_mean_absolute_error_at_each_image_s_level() -> None:
    pixelate = build("degradation", "pixelate", num_steps=3)
    batch = Minibatch(
        torch.randint(256, (4, 1, 8, 8), dtype=torch.uint8), torch.tensor([1, 3, 2, 1]), {}
    )
    x0 = batch.images / 127.5 - 1
    found = reconstruction_loss(pixelate, lambda x_t, t: x_t * t[:, None, None, None], batch)
    scale = batch.t[:, None, None, None]
    torch.testing.assert_close(found, (scale * pixelate(x0, batch.t) - x0).abs().mean())


def test_quantized_inputs_are_those_of_a_picture_file() -> None:
    blur = build("degradation", "gaussian-blur", num_steps=3)
    inputs: list[torch.Tensor] = []

    def spy(x_t: torch.Tensor, _: torch.Tensor) -> torch.Tensor:
        inputs.append((x_t + 1) * 127.5)
        return x_t

    images = torch.randint(256, (4, 1, 8, 8), dtype=torch.uint8)
    for quantize in (True, False):
        reconstruction_loss(
            blur, spy, Minibatch(images, torch.full((4,), 3), {}), quantize=quantize
        )
    torch.testing.assert_close(inputs[0], inputs[1].round(), atol=1e-4, rtol=0)
    assert (inputs[1] - inputs[1].round()).abs().max() > 0.1


def test_what_is_drawn_for_an_image_depends_on_its_place_alone() -> None:
    """Neither on the parts that a batch is computed in nor on who computes them."""
    mask = build("degradation", "gaussian-mask", num_steps=9, center="random")
    process = ColdDiffusion(mask, torch.nn.Identity(), build("sampler", "naive"))
    feed = Feed(build("dataset", "mnist-mini", split="train", image_size=8), process, 7, seed=0)
    (whole,) = feed.minibatches(3, range(7), 1)
    assert whole.t.min() >= 1
    assert whole.t.max() <= 9
    assert len(whole.context["center"].unique(dim=0)) > 1
    for places in ([range(7)], [range(3), range(3, 7)]):
        parts = [part for share in places for part in feed.minibatches(3, share, 2)]
        assert len(parts) == 2 * len(places)
        for name in ("images", "t"):
            joined = torch.cat([getattr(part, name) for part in parts])
            assert torch.equal(joined, getattr(whole, name))
        centers = torch.cat([part.context["center"] for part in parts])
        assert torch.equal(centers, whole.context["center"])
    (other,) = feed.minibatches(4, range(7), 1)
    assert not torch.equal(other.images, whole.images)
    assert not torch.equal(other.context["center"], whole.context["center"])


def test_what_the_data_set_knows_of_an_image_goes_with_it() -> None:
    class Labelled(ImageDataset):
        """Flat images, each with a centre of its own tone."""

        image_shape = (1, 8, 8)

        def __len__(self) -> int:
            return 8

        def images(self, indices: Sequence[int]) -> Tensor:
            tones = torch.tensor(list(indices), dtype=torch.uint8)
            return tones[:, None, None, None].repeat(1, *self.image_shape)

        def context(self, indices: Sequence[int]) -> Context:
            return {"center": torch.tensor([[k, k] for k in indices])}

    sampler = build("sampler", "naive")
    mask = build("degradation", "gaussian-mask", num_steps=9, center="random")
    feed = Feed(Labelled(), ColdDiffusion(mask, torch.nn.Identity(), sampler), 7, seed=0)
    for part in feed.minibatches(1, range(7), 2):
        assert torch.equal(part.context["center"][:, 0], part.images[:, 0, 0, 0].long())
    blur = build("degradation", "gaussian-blur", num_steps=3)
    feed = Feed(Labelled(), ColdDiffusion(blur, torch.nn.Identity(), sampler), 7, seed=0)
    with pytest.raises(UsageError, match=r"'center' with each image.* takes no context"):
        next(feed.minibatches(1, range(7), 1))


def test_parts_of_a_batch_add_up_to_the_batch(tmp_path: Path) -> None:
    runs = {}
    for parts in (1, 3):  # 4 images in parts of 1, 1 and 2
        seen: list[TrainingStep] = []
        train(tiny(f"train.accumulate={parts}"), tmp_path / str(parts), on_log=seen.append)
        weights = load_file(tmp_path / str(parts) / "model.safetensors")
        runs[parts] = ([line.loss for line in seen], weights)
    assert runs[3][0] == pytest.approx(runs[1][0], abs=1e-6)
    for name, tensor in runs[1][1].items():
        torch.testing.assert_close(runs[3][1][name], tensor, atol=1e-4, rtol=0)
    with pytest.raises(RecipeError, match="batch_size: expected 5 or more"):
        train(tiny("train.accumulate=5"), tmp_path / "x")


def test_clipping_changes_a_run_only_where_the_gradient_is_larger(tmp_path: Path) -> None:
    weights = {}
    for norm in (0.0, 1e6, 1e-3):
        train(tiny(f"train.clip_norm={norm}"), tmp_path / str(norm))
        weights[norm] = load_file(tmp_path / str(norm) / "model.safetensors")
    name = "restorer.stem.weight"
    assert torch.equal(weights[0.0][name], weights[1e6][name])
    assert not torch.equal(weights[0.0][name], weights[1e-3][name])


def test_lower_precision_is_close_and_keeps_weights_in_full(tmp_path: Path) -> None:
    losses = {}
    for precision in ("fp32", "bf16", "fp16"):
        seen: list[TrainingStep] = []
        recipe = tiny(f"train.precision='{precision}'")
        process = train(recipe, tmp_path / precision, on_log=seen.append)
        assert {weight.dtype for weight in process.parameters()} == {torch.float32}
        losses[precision] = [line.loss for line in seen]
    assert losses["bf16"] == pytest.approx(losses["fp32"], rel=0.05)
    assert losses["bf16"] != losses["fp32"] != losses["fp16"]
    assert losses["fp16"] == pytest.approx(losses["fp32"], rel=0.05)


def test_the_learning_rate_warms_up_and_falls() -> None:
    settings = TrainTable(steps=100, lr=1.0, warmup_steps=10)
    rates = [learning_rate(step, settings) for step in range(1, 101)]
    assert rates[4] == 0.5
    assert max(rates) == rates[9] == 1.0
    assert rates[9:] == sorted(rates[9:], reverse=True)
    assert rates[-1] == pytest.approx(0)
    constant = settings.model_copy(update={"lr_schedule": "constant"})
    assert learning_rate(100, constant) == 1.0


def test_batches_go_through_all_images_before_any_comes_again() -> None:
    drawn = [batch_indices(step, 10, 4, seed=0) for step in range(1, 6)]
    assert all(len(batch) == 4 for batch in drawn)
    flat = [index for batch in drawn for index in batch]
    assert sorted(flat[:10]) == sorted(flat[10:]) == list(range(10))
    assert flat[:10] != flat[10:]
    assert batch_indices(3, 10, 4, seed=0) == drawn[2]
    assert drawn != [batch_indices(step, 10, 4, seed=1) for step in range(1, 6)]
    assert len(batch_indices(1, 3, 7, seed=0)) == 7


def test_every_purpose_and_step_has_draws_of_its_own() -> None:
    def draw(*keys: str | int) -> int:
        return int(torch.randint(2**60, (), generator=generator(0, *keys)))

    keys = [("draw", 1), ("draw", 2), ("samples", 1), ("samples",)]
    assert len({draw(*key) for key in keys}) == len(keys)
    assert draw("draw", 1) == draw("draw", 1)


def test_running_statistics_are_averaged_with_the_weights() -> None:
    norm = torch.nn.BatchNorm2d(1)
    ema = Ema(norm, 0.9)
    mean = 0.0
    for n in range(20):
        norm(torch.full((2, 1, 2, 2), float(n)))
        ema.update(norm)
        mean += (1 - min(0.9, (1 + n) / (10 + n))) * (norm.running_mean.item() - mean)
    assert ema.network.get_buffer("running_mean").item() == pytest.approx(mean, rel=1e-5)
    assert abs(mean - norm.running_mean.item()) > 0.1
    assert ema.network.get_buffer("num_batches_tracked").item() == 20


def test_the_average_follows_quickly_at_first() -> None:
    layer = torch.nn.Linear(1, 1, bias=False)
    ema = Ema(layer, 0.9)
    average = start = layer.weight.item()
    torch.nn.init.constant_(layer.weight, 2.0)
    for n in range(200):
        ema.update(layer)
        average += (1 - min(0.9, (1 + n) / (10 + n))) * (2.0 - average)
    weight = ema.network.get_parameter("weight")
    assert weight.item() == pytest.approx(average, abs=1e-5)
    assert abs(weight.item() - 2.0) < 1e-5 < abs(start - 2.0)
    assert not weight.requires_grad
