"""Training what nothing has registered, and what is refused before work begins."""

import logging
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from own import SETTINGS, Fade, Net, own_images, own_process
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.utils.data import IterableDataset

from colddiff_core import ColdDiffError, ColdDiffusion, Degradation, UsageError, build, train
from colddiff_core.contracts.errors import CheckpointError, Interrupted, RecipeError
from colddiff_core.contracts.recipe import TrainTable
from colddiff_core.training import setup
from colddiff_core.training.ema import Ema
from colddiff_core.training.images import OwnImages


def stop_at_2(line: Any) -> None:
    if line.step == 2:
        signal.raise_signal(signal.SIGHUP)


def test_a_process_of_one_s_own_is_trained_saved_and_opened_again(tmp_path: Path) -> None:
    process = own_process()
    images = [(image, 7) for image in own_images()]  # with labels, as torch's own data sets
    trained = train(process, images, {**SETTINGS, "sample_every": 4}, str(tmp_path / "m"))
    assert (tmp_path / "m/samples/0000004.png").is_file()
    assert trained.image_shape == process.image_shape == (1, 12, 12)
    again = ColdDiffusion.load(tmp_path / "m", degradation=Fade(), restorer=Net())
    x_t = process.degrade(torch.rand(2, 1, 12, 12))
    torch.testing.assert_close(again.restore(x_t), trained.restore(x_t))
    assert again.recipe is not None
    assert again.recipe.restorer.name == "unregistered:own.Net"
    assert again.recipe.train == TrainTable(**{**SETTINGS, "sample_every": 4, "warmup_steps": 0})
    with pytest.raises(RecipeError, match=r"'own.Fade': .* ColdDiffusion.load\(folder, degradat"):
        ColdDiffusion.load(tmp_path / "m", restorer=Net())
    with pytest.raises(ColdDiffError, match="is of 3 levels, the degradation given has 4"):
        ColdDiffusion.load(tmp_path / "m", restorer=Net(), degradation=Fade(4))
    with pytest.raises(ColdDiffError, match="does not hold the weights"):
        ColdDiffusion.load(tmp_path / "m", restorer=Net(3), degradation=Fade())


def test_it_resumes_to_the_bit_statistics_and_counters_included(tmp_path: Path) -> None:
    for folder in ("whole", "pieces"):
        if folder == "pieces":
            with pytest.raises(Interrupted, match="stopped after step 2 of 4"):
                train(own_process(), own_images(), SETTINGS, tmp_path / folder, on_log=stop_at_2)
        train(own_process(), own_images(), SETTINGS, tmp_path / folder)
    whole, pieces = (
        load_file(tmp_path / name / "model.safetensors") for name in ("whole", "pieces")
    )
    assert all(torch.equal(whole[name], pieces[name]) for name in whole)
    assert whole["restorer.norm.num_batches_tracked"] == 4
    assert whole["restorer.norm.running_mean"].abs().min() > 0


def test_statistics_are_averaged_with_the_weights_and_masks_stay() -> None:
    network = nn.BatchNorm1d(2)
    network.register_buffer("mask", torch.tensor([0.0, -torch.inf]))
    ema = Ema(network, 0.9)
    network.running_mean, network.num_batches_tracked = torch.tensor([1.0, 2.0]), torch.tensor(5)
    ema.update(network)
    buffers = dict(ema.network.named_buffers())
    assert buffers["running_mean"].tolist() == pytest.approx([0.9, 1.8])  # the first decay is 0.1
    assert buffers["num_batches_tracked"] == 5
    assert buffers["mask"].tolist() == [0.0, -torch.inf]


class Grows(Fade):
    def forward(self, x0: Tensor, t: Tensor, context: Any = None) -> Tensor:
        return x0[:, :, :-1]


class Doubles(Fade):
    def forward(self, x0: Tensor, t: Tensor, context: Any = None) -> Tensor:
        return x0.double()


class Tells(Net):
    def forward(self, x_t: Tensor, t: Tensor) -> Any:
        return {"sample": super().forward(x_t, t)}


def with_degradation(degradation: Degradation) -> ColdDiffusion:
    return ColdDiffusion(degradation, Net(), build("sampler", "naive"))


X = own_images()
REFUSED: list[tuple[Any, Any, dict[str, Any], str]] = [
    (
        Net(1, 3),
        X,
        {},
        r"restorer Net: expected a tensor \(2, 1, 12, 12\) .*, got \(2, 3, 12, 12\)",
    ),
    (
        Net(3),
        X,
        {},
        r"restorer Net: cannot be called with images \(2, 1, 12, 12\) and levels \(2,\)",
    ),
    (Tells(), X, {}, r"restorer Tells: expected a tensor .*, got .*dict"),
    (nn.Identity(), X, {}, r"restorer Identity: has no weights to train"),
    (with_degradation(Grows()), X, {}, r"degradation Grows: expected a tensor .*, got \(2, 1, 11,"),
    (with_degradation(Doubles()), X, {}, r"degradation Doubles: .* got \(2, 1, 12, 12\) .*float64"),
    (
        Net(),
        255 * X,
        {},
        r"number 0 is \(1, 12, 12\) torch.float32 with values up to 2.*in \[-1, 1\]",
    ),
    (Net(), X * np.nan, {}, r"with values up to nan; expected"),
    (
        Net(),
        X[0],
        {},
        r"number 0 is \(12, 12\) torch.float32 .*expected a tensor or an array \(chan",
    ),
    (Net(), X.astype(int), {}, r"number 0 is .*torch.int64; expected"),
    (Net(), ["a.png"], {}, r"number 0 is a str; expected"),
    (Net(), [], {}, r"images: there are none"),
    (Net(), [X[0], X[1, :, 1:]], {}, r"some are \(1, 11, 12\) .* and some \(1, 12, 12\) .*; bring"),
    (Net(), X, {"step": 3}, r"settings: unknown parameter 'step'; did you mean 'steps'"),
    (Net(), X, {"batch_size": 0}, r"settings: batch_size: .*greater than or equal to 1"),
    (build("restorer", "unet", image_shape=(1, 8, 8), channels=8), X, {}, r"made for \(1, 8, 8\)"),
]


@pytest.mark.parametrize(("what", "images", "settings", "message"), REFUSED)
def test_what_does_not_fit_is_told_before_work_begins(
    what: Any, images: Any, settings: dict[str, Any], message: str, tmp_path: Path
) -> None:
    process = what if isinstance(what, ColdDiffusion) else own_process(what)
    with pytest.raises(UsageError, match=message) as refused:
        train(process, images, {**SETTINGS, **settings}, tmp_path / "m")
    assert "\n" not in str(refused.value)
    assert not (tmp_path / "m").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((own_process(), X, SETTINGS), "folder: expected the path of a folder"),
        ((own_process(), X, SETTINGS, ""), "folder: expected the path of a folder"),
        ((own_process(), X, SETTINGS, "x" * 300), "File name too long"),
        ((own_process(), None, SETTINGS, "m"), "images: expected a data set .* got a NoneType"),
        (("mnist-demo", "folder"), "folder: expected the path"),
        (("mnist-demo", X, SETTINGS, "folder"), "expected a recipe or a process, got a str"),
    ],
)
def test_mistakes_in_the_call(arguments: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        train(*arguments)


def test_a_prior_that_does_not_give_what_is_needed_is_refused(tmp_path: Path) -> None:
    process = own_process()
    process.degradation = build("degradation", "gaussian-noise", num_steps=3)
    process.prior = build("prior", "constant-color", image_shape=(1, 12, 12))
    with pytest.raises(UsageError, match=r"constant-color: does not give the endpoint that degra"):
        train(process, X, SETTINGS, tmp_path / "m")


def test_images_of_any_source_are_read(caplog: pytest.LogCaptureFixture) -> None:
    bytes_ = np.arange(3 * 16, dtype=np.uint8).reshape(3, 1, 4, 4)

    class Stream(IterableDataset[Any]):
        def __iter__(self) -> Iterator[Any]:
            return iter(bytes_)

        def __len__(self) -> int:
            return len(bytes_)

    sources = (bytes_, torch.from_numpy(bytes_), list(bytes_), (x for x in bytes_), Stream())
    for source in sources:
        data = OwnImages(source)
        assert (len(data), data.image_shape) == (3, (1, 4, 4))
        assert torch.equal(data.images([2, 0]), torch.from_numpy(bytes_[[2, 0]]))
    assert OwnImages(X).images([1]).dtype == torch.float32
    assert not caplog.records
    OwnImages(abs(X))
    assert "map them by 2 * x - 1" in caplog.text


def test_other_images_do_not_go_on_with_a_run(tmp_path: Path) -> None:
    with pytest.raises(Interrupted):
        train(own_process(), X, SETTINGS, tmp_path, on_log=stop_at_2)
    other = X.copy()
    other[-1, 0, 0, 0] *= -1
    with pytest.raises(CheckpointError, match=r"SHA-256 of the training images was '.*' and is '"):
        train(own_process(), other, SETTINGS, tmp_path)
    train(own_process(), X, SETTINGS, tmp_path)


def test_images_that_change_at_each_reading_go_on(tmp_path: Path) -> None:
    class Flipped(torch.utils.data.Dataset[Tensor]):
        def __len__(self) -> int:
            return 20

        def __getitem__(self, index: int) -> Tensor:
            return torch.rand(1, 12, 12) * 2 - 1

    with pytest.raises(Interrupted):
        train(own_process(), Flipped(), SETTINGS, tmp_path, on_log=stop_at_2)
    train(own_process(), Flipped(), SETTINGS, tmp_path)


def test_a_warm_up_is_a_tenth_of_a_short_run_and_a_longer_one_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    short = train(own_process(), X, {**SETTINGS, "steps": 20}, tmp_path / "a").recipe
    assert short is not None
    assert short.train is not None
    assert short.train.warmup_steps == 2
    assert not caplog.records
    train(own_process(), X, {**SETTINGS, "warmup_steps": 4}, tmp_path / "b")
    assert "train.warmup_steps = 4: the learning rate still rises when the run ends" in caplog.text


def test_precision_is_chosen_told_and_stays(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {**SETTINGS, "precision": "auto"}
    caplog.set_level(logging.INFO, "colddiff_core.training")
    monkeypatch.setattr(setup, "_computes_in_bf16", lambda _: True)
    with pytest.raises(Interrupted):
        train(own_process(), X, settings, tmp_path, on_log=stop_at_2)
    monkeypatch.setattr(setup, "_computes_in_bf16", lambda _: False)
    recipe = train(own_process(), X, settings, tmp_path).recipe
    assert recipe is not None
    assert recipe.train is not None
    assert recipe.train.precision == "bf16"
    assert caplog.text.count("train.precision: auto is bf16 on cpu") == 2
    recipe = train(own_process(), X, settings, tmp_path / "other").recipe
    assert recipe is not None
    assert recipe.train is not None
    assert recipe.train.precision == "fp32"


def test_a_machine_that_cannot_compile_is_told_in_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: Any) -> Any:
        raise RuntimeError("No working C++ compiler found\nand 130 lines more")

    monkeypatch.setattr(torch, "compile", broken)
    with pytest.raises(
        UsageError, match=r"train.compile: .* or leave it out: No working C\+\+ com"
    ):
        train(own_process(), X, {**SETTINGS, "compile": True}, tmp_path / "m")
    assert not (tmp_path / "m").exists()


def test_a_signal_that_is_ignored_stays_ignored(tmp_path: Path) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        train(own_process(), X, SETTINGS, tmp_path, on_log=stop_at_2)
    finally:
        signal.signal(signal.SIGHUP, before)
    assert (tmp_path / "model.safetensors").is_file()
