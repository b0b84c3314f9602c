"""Figures of merit."""

import json
from collections.abc import Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from own import Fade, own_images, own_process
from scipy.linalg import sqrtm
from torch import Tensor, nn

from colddiff_core import (
    NO_CONTEXT,
    ColdDiffError,
    ColdDiffusion,
    Context,
    ImageDataset,
    UsageError,
    build,
    evaluate,
    load_recipe,
    train,
)
from colddiff_core.evaluation.comparison import compare, rmse
from colddiff_core.evaluation.features import feature_network
from colddiff_core.evaluation.record import check_same_protocol, read_evaluation
from colddiff_core.evaluation.scores import Scores, frechet_distance
from colddiff_core.pictures.value_range import from_uint8, to_uint8
from colddiff_core.training.randomness import generator


def test_rmse_is_pooled_over_the_images_on_0_to_1() -> None:
    x0 = -torch.ones(2, 1, 2, 2)
    images = x0.clone()
    images[1] += 1  # one image is off by half the range, the other is right
    assert rmse(images, x0) == pytest.approx((0.25 / 2) ** 0.5)


def test_each_row_is_what_its_name_says(process: ColdDiffusion) -> None:
    x0 = torch.rand(5, 1, 8, 8) * 2 - 1
    found = compare(process, x0, torch.Generator().manual_seed(0), batch_size=2)
    x_t = process.degrade(x0)
    with torch.no_grad():
        direct = process.restorer(x_t, torch.full((5,), 4))
    expected = {"degraded": x_t, "direct": direct}
    for name in ("naive", "improved"):
        process.sampler = build("sampler", name)
        expected[name] = process.restore(x_t)
    assert list(found) == list(expected)
    for name, images in expected.items():
        torch.testing.assert_close(found[name], images)


class Bars(ImageDataset):
    """A few images of 1x16x16 pixels."""

    image_shape = (1, 16, 16)

    def __len__(self) -> int:
        return 7

    def images(self, indices: Sequence[int]) -> Tensor:
        draws = torch.Generator().manual_seed(3)
        everything = torch.randint(0, 256, (7, *self.image_shape), generator=draws)
        return everything[list(indices)].to(torch.uint8)


@pytest.fixture
def wide() -> ColdDiffusion:
    shape = (1, 16, 16)
    return ColdDiffusion(
        build("degradation", "gaussian-mask", num_steps=4, center="random"),
        build("restorer", "unet", image_shape=shape, channels=8, multipliers=(1,)),
        build("sampler", "improved"),
    ).eval()


def test_figures_are_those_of_independent_implementations(wide: ColdDiffusion) -> None:
    found = evaluate(wide, Bars(), split="test", batch_size=3)
    x0 = from_uint8(Bars().images(range(7)))
    context = wide.sample_context(x0, generator(0, "evaluate"))
    x_t = wide.degrade(x0, context=context)
    clean, degraded = (((tensor + 1) / 2)[:, 0].double().numpy() for tensor in (x0, x_t))
    error = ((clean - degraded) ** 2).mean((1, 2))
    expected = {
        "rmse": error.mean() ** 0.5,
        "psnr": (10 * np.log10(1 / error)).mean(),
        "ssim": np.mean([ssim(a, b) for a, b in zip(clean, degraded, strict=True)]),
    }
    assert found.rows["degraded"] == pytest.approx(expected, abs=1e-4)
    assert set(found.rows) == {"degraded", "direct", "naive", "improved"}


def ssim(a: np.ndarray, b: np.ndarray) -> float:
    """Wang et al. 2004, with whole gaussian windows, written down once more."""
    offset = np.arange(11) - 5
    taps = np.exp(-(offset**2) / (2 * 1.5**2))
    window = np.outer(taps, taps) / taps.sum() ** 2

    def local(image: np.ndarray) -> np.ndarray:
        return (np.lib.stride_tricks.sliding_window_view(image, (11, 11)) * window).sum((2, 3))

    mean_a, mean_b = local(a), local(b)
    var_a, var_b = local(a * a) - mean_a**2, local(b * b) - mean_b**2
    covariance = local(a * b) - mean_a * mean_b
    c1, c2 = 0.01**2, 0.03**2
    top = (2 * mean_a * mean_b + c1) * (2 * covariance + c2)
    return (top / ((mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2))).mean()


def test_figures_do_not_depend_on_the_batch_size_but_on_the_protocol(wide: ColdDiffusion) -> None:
    told: list[tuple[int, int]] = []
    one = evaluate(wide, Bars(), split="test", batch_size=3, on_batch=lambda *x: told.append(x))
    other = evaluate(wide, Bars(), split="test", batch_size=7)
    for name, row in one.rows.items():
        assert other.rows[name] == pytest.approx(row, rel=1e-4)
    assert told == [(3, 7), (6, 7), (7, 7)]
    assert one.protocol == other.protocol
    fewer = evaluate(wide, Bars(), split="test", count=5)
    assert fewer.protocol_hash != one.protocol_hash
    assert json.loads(json.dumps(one.protocol)) == one.protocol


def test_images_are_degraded_as_the_data_set_knows_they_were() -> None:
    class Cut(Bars):
        """Each image is masked around a corner of its own."""

        def context(self, indices: Sequence[int]) -> Context:
            return {"center": torch.tensor([[k, 15 - k] for k in indices])}

    shape = (1, 16, 16)
    process = ColdDiffusion(
        build("degradation", "gaussian-mask", num_steps=4, center="random"),
        build("restorer", "unet", image_shape=shape, channels=8, multipliers=(1,)),
        build("sampler", "improved"),
    ).eval()
    found = evaluate(process, Cut(), split="test", batch_size=3)
    x0 = from_uint8(Cut().images(range(7)))
    x_t = process.degrade(x0, context=Cut().context(range(7)))
    assert found.rows["degraded"]["rmse"] == pytest.approx(rmse(x_t, x0), rel=1e-5)
    both = compare(process, x0, generator(0, "x"), batch_size=3, known=Cut().context(range(7)))
    assert torch.equal(both["degraded"], x_t)


def test_small_images_have_no_ssim(process: ColdDiffusion) -> None:
    class Small(Bars):
        image_shape = (1, 8, 8)

    found = evaluate(process, Small(), split="test", timesteps=(2, 0))
    assert set(found.rows["naive"]) == {"rmse", "psnr"}
    assert found.rows["direct"] == found.rows["naive"]
    assert found.protocol["timesteps"] == [2, 0]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"count": 8}, "expected 1 to 7, got 8"),
        ({"count": 0}, "expected 1 to 7, got 0"),
        ({"batch_size": 0}, "batch_size: expected 1 or more, got 0"),
        ({"batch_size": -1}, "batch_size: expected 1 or more, got -1"),
        ({"timesteps": ()}, "timesteps: expected levels"),
        ({"timesteps": "20"}, "timesteps: expected integers"),
    ],
)
def test_mistakes(options: dict[str, Any], message: str, wide: ColdDiffusion) -> None:
    with pytest.raises(UsageError, match=message):
        evaluate(wide, Bars(), split="test", **options)


def test_images_of_another_shape_are_refused(process: ColdDiffusion) -> None:
    with pytest.raises(UsageError, match=r"\(1, 16, 16\), the model's \(1, 8, 8\)"):
        evaluate(process, Bars(), split="test")


def test_the_frechet_distance_is_that_of_the_formula() -> None:
    draws = torch.Generator().manual_seed(0)
    mixing = torch.randn(12, 12, generator=draws).double()
    some = torch.randn(70, 12, generator=draws).double() + 1_000  # far from 0: sums must not cancel
    others = torch.randn(50, 12, generator=draws).double() @ mixing + 1_001
    metric = frechet_distance(12)
    metric.update(some, real=True)
    for batch in torch.split(others, 20):
        metric.update(batch, real=False)
    a, b = (np.cov(features.T.numpy()) for features in (some, others))
    mean = (some.mean(0) - others.mean(0)).numpy()
    expected = mean @ mean + np.trace(a + b - 2 * sqrtm(a @ b).real)
    assert metric.compute().item() == pytest.approx(expected, rel=1e-7)


def test_frechet_distances_of_the_rows(wide: ColdDiffusion) -> None:
    network = feature_network("mnist-classifier")
    found = evaluate(wide, Bars(), split="test", batch_size=3, features=network)
    x0 = from_uint8(Bars().images(range(7)))
    x_t = wide.degrade(x0, context=wide.sample_context(x0, generator(0, "evaluate")))
    metric = frechet_distance(network.num_features)
    metric.update(network(to_uint8(x0)), real=True)
    metric.update(network(to_uint8(x_t)), real=False)
    assert found.rows["degraded"]["frechet"] == pytest.approx(metric.compute().item(), rel=1e-6)
    assert found.protocol["metrics"]["frechet"]["features"] == "mnist-classifier"
    assert found.protocol["metrics"]["frechet"]["sha256"] == network.sha256
    plain = evaluate(wide, Bars(), split="test")
    assert found.protocol_hash != plain.protocol_hash
    with pytest.raises(UsageError, match="needs 2 or more"):
        evaluate(wide, Bars(), split="test", count=1, features=network)


def test_an_evaluation_is_read_back_and_stands_only_beside_its_like(
    wide: ColdDiffusion, tmp_path: Path
) -> None:
    found = evaluate(wide, Bars(), split="test", count=3)
    path = tmp_path / "found.json"
    path.write_text(found.to_json())
    again = read_evaluation(path)
    assert again == found
    newer = {**again.protocol, "versions": {"torch": "99"}, "data": dict(again.protocol["data"])}
    newer["data"]["name"] = "elsewhere"
    check_same_protocol(found.protocol, newer, "found.json")
    assert replace(again, protocol=newer).protocol_hash == found.protocol_hash
    with pytest.raises(UsageError, match=r"found.json: .*; images is 3 there and 2 here$"):
        evaluate(wide, Bars(), count=2, beside={"found.json": again})


def test_the_protocol_tells_images_apart_not_their_names(wide: ColdDiffusion) -> None:
    class Others(Bars):
        def images(self, indices: Sequence[int]) -> Tensor:
            return 255 - super().images(indices)

    class Same(Bars):
        """Under another name."""

    mine, others, same = (
        evaluate(wide, dataset(), split="test").protocol for dataset in (Bars, Others, Same)
    )
    assert mine == same
    with pytest.raises(UsageError, match=r"data\.sha256 is"):
        check_same_protocol(mine, others, "x")


class Keeps(Fade):
    """The picture at every level."""

    def forward(self, x0: Tensor, t: Tensor, context: Context = NO_CONTEXT) -> Tensor:
        return x0


def test_an_identical_image_counts_as_100_db(wide: ColdDiffusion, tmp_path: Path) -> None:
    wide.degradation = Keeps()
    found = evaluate(wide, Bars(), batch_size=3)
    assert found.rows["degraded"]["psnr"] == 100
    scores = Scores((1, 16, 16), torch.device("cpu"))
    x0 = torch.zeros(2, 1, 16, 16)
    scores.update(x0 + torch.tensor([0.0, 0.2]).view(2, 1, 1, 1), x0)
    assert scores.compute()["psnr"] == pytest.approx((100 + 20) / 2)
    path = tmp_path / "found.json"
    path.write_text(found.to_json())
    assert read_evaluation(path) == found


class Bad(nn.Module):
    """Returns what a restorer must not."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.how = how

    def forward(self, x_t: Tensor, t: Tensor) -> Tensor:
        return x_t * float("nan") if self.how == "nan" else x_t.repeat(1, 3, 1, 1)


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("nan", "direct: expected finite images, got values nan to nan"),
        ("wide", r"restorer Bad: expected \(3, 1, 16, 16\), got \(3, 3, 16, 16\)"),
    ],
)
def test_what_is_no_image_is_no_figure(how: str, message: str, wide: ColdDiffusion) -> None:
    process = ColdDiffusion(wide.degradation, Bad(how), wide.sampler)
    process.image_shape = (1, 16, 16)
    with pytest.raises(ColdDiffError, match=message):
        evaluate(process, Bars(), batch_size=3)


def test_own_images_a_folder_and_the_model_s_own_data(tmp_path: Path) -> None:
    process = own_process()
    process.image_shape = (1, 12, 12)
    found = evaluate(process, (image for image in own_images()), count=5)
    assert not process.training
    assert found.protocol["images"] == 5
    x0 = torch.from_numpy(own_images(5)).float()
    assert found.rows["degraded"]["rmse"] == pytest.approx(rmse(process.degrade(x0), x0), rel=1e-5)
    assert found.components == ("colddiff:improved==" + version("colddiff"),)
    with pytest.raises(UsageError, match="none were given, and the model does not say what"):
        evaluate(process)
    more = ["data.image_size=8", "degradation.num_steps=3", "restorer.channels=8"]
    train(load_recipe("mnist-demo", [*more, "train={steps=1, sample_every=0}"]), tmp_path / "m")
    by_folder = evaluate(str(tmp_path / "m"), count=4, timesteps=(3, 0))
    data = build("dataset", "mnist-mini", split="test", image_size=8)
    process = ColdDiffusion.load(tmp_path / "m")
    assert by_folder == evaluate(process, data, count=4, timesteps=(3, 0))


def test_a_distance_of_few_images_warns(
    wide: ColdDiffusion, caplog: pytest.LogCaptureFixture
) -> None:
    evaluate(wide, Bars(), features=feature_network("mnist-classifier"))
    assert "a Fréchet distance of 7 images on 64 features says little" in caplog.text


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"schema_version": 1, "rows": {}}', "nul\0"])
def test_what_is_no_evaluation_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "found.json"
    path.write_text(text)
    with pytest.raises(UsageError, match=r"found.json: expected the JSON of an evaluation"):
        read_evaluation(path)
    with pytest.raises(UsageError, match="No such file"):
        read_evaluation(tmp_path / "missing.json")
