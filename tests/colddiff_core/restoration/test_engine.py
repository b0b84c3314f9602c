"""Pictures of any size through a model: whole or in tiles, by the memory that they take."""

from collections.abc import Iterable, Iterator

import numpy as np
import pytest
import torch
from pictures import photograph
from tiny import tiny_process

from colddiff_core import ColdDiffusion, UsageError, build
from colddiff_core.contracts.errors import ColdDiffError
from colddiff_core.contracts.model import Arrays, Images
from colddiff_core.pictures.batches import Pixels
from colddiff_core.restoration import engine
from colddiff_core.restoration.engine import Engine, Restored, Room
from colddiff_core.restoration.estimating import Estimating
from colddiff_core.restoration.process_model import ProcessModel

BLUR = {"num_steps": 4, "kernel_size": 3, "std": 0.7, "padding": "reflect"}


@pytest.fixture
def model() -> ProcessModel:
    process = ColdDiffusion(
        build("degradation", "gaussian-blur", **BLUR),
        build("restorer", "unet", image_shape=(3, 16, 16), channels=8, multipliers=(1, 2)),
        build("sampler", "improved"),
    )
    torch.manual_seed(0)
    for parameter in process.restorer.parameters():
        torch.nn.init.normal_(parameter, std=0.05)
    return ProcessModel(process, device="cpu")


def restored(model: ProcessModel, pictures: Iterable[Pixels], **room: int) -> list[Restored]:
    def results() -> Iterator[Restored]:
        start = Engine(model, model.schedule, model.num_steps, Estimating(model, {}), Room(**room))
        for result in start(pictures):
            assert isinstance(result, Restored), result
            yield result

    return list(results())


@pytest.mark.parametrize("size", [(28, 28), (33, 47), (200, 120), (2, 2), (3, 9)])
def test_pictures_come_out_in_their_own_size(model: ProcessModel, size: tuple[int, int]) -> None:
    (whole,) = restored(model, [photograph(*size)])
    assert whole.pixels.shape == (*size, 3)


def test_neighbours_of_one_size_share_a_batch_and_stay_in_order(model: ProcessModel) -> None:
    batches: list[int] = []
    run = model._restore

    def counted(x_t: Images, levels: tuple[int, ...], context: Arrays) -> Images:
        batches.append(len(x_t))
        return run(x_t, levels, context)

    model._restore = counted  # type: ignore[method-assign]
    sizes = [(16, 16)] * 3 + [(20, 16)] + [(16, 16)] * 2
    pictures = [photograph(*size) + k for k, size in enumerate(sizes)]
    found = restored(model, pictures, batch_size=2)
    assert batches == [2, 1, 1, 2]
    for one, pixels in zip(found, pictures, strict=True):
        (alone,) = restored(model, [pixels])
        assert np.abs(one.pixels.astype(int) - alone.pixels).max() <= 1


def test_the_memory_decides(model: ProcessModel, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pixel takes what was measured; a picture that does not fit goes in tiles that do."""
    monkeypatch.setattr(engine, "resident_memory", lambda: 0)
    seen: list[tuple[int, ...]] = []
    run = model._restore

    def noted(x_t: Images, levels: tuple[int, ...], context: Arrays) -> Images:
        seen.append(x_t.shape)
        return run(x_t, levels, context)

    model._restore = noted  # type: ignore[method-assign]
    pixels = photograph(150, 130)
    needed = model.memory(150, 130) + 2 * pixels.size
    (whole,) = restored(model, [pixels], memory=needed)
    assert seen == [(1, 3, 150, 130)]
    (tiled,) = restored(model, [pixels], memory=needed // 3)
    assert len(seen) > 2
    assert all(model.memory(*shape[2:]) * shape[0] < needed // 3 for shape in seen[1:])
    assert tiled.pixels.shape == whole.pixels.shape


def test_tiles_of_a_local_model_agree_with_the_whole() -> None:
    process = tiny_process("gaussian-blur", shape=(3, 16, 16), **BLUR)
    model = ProcessModel(process, device="cpu")
    pixels = photograph(90, 121)
    (whole,) = restored(model, [pixels])
    (tiled,) = restored(model, [pixels], tile=40)
    assert np.abs(whole.pixels.astype(int) - tiled.pixels).max() <= 2


def test_one_that_fails_is_found_in_its_batch(model: ProcessModel) -> None:
    run = model._restore

    def refuse_white(x_t: Images, levels: tuple[int, ...], context: Arrays) -> Images:
        found = run(x_t, levels, context)
        found[(x_t > 0.99).all((1, 2, 3))] = np.nan
        if (x_t < -0.99).all((1, 2, 3)).any():
            raise MemoryError("71.5 GiB")
        return found

    model._restore = refuse_white  # type: ignore[method-assign]
    white = np.full((8, 8, 3), 255, np.uint8)
    pictures = [photograph(8, 8), white, photograph(8, 8), 0 * white]
    source = Estimating(model, {})
    results = list(Engine(model, model.schedule, 4, source, Room())(pictures))
    assert [type(result) for result in results] == [Restored, ColdDiffError] * 2
    assert "out of memory: 71.5 GiB" in str(results[3])
    assert f"{model.name}: what it makes of the images is not finite" in str(results[1])


def test_what_is_not_local_and_does_not_fit_is_explained() -> None:
    process = ColdDiffusion(
        build("degradation", "gaussian-mask", num_steps=3),
        build("restorer", "unet", image_shape=(1, 16, 16), channels=8, multipliers=(1,)),
        build("sampler", "improved"),
    )
    model = ProcessModel(process, device="cpu")
    results = Engine(model, model.schedule, 3, Estimating(model, {}), Room(tile=8))(
        [np.zeros((20, 20, 1), np.uint8)]
    )
    (error,) = results
    assert isinstance(error, UsageError)
    assert "gaussian-mask is not local" in str(error)
