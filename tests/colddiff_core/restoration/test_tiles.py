"""Large images in tiles: nothing is lost, no seam is seen, memory is that of a strip."""

import tracemalloc
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pictures import photograph
from tiny import tiny_process

from colddiff_core import ColdDiffusion, build
from colddiff_core.contracts.errors import UsageError
from colddiff_core.contracts.locality import Locality
from colddiff_core.pictures.batches import Pixels, to_batch
from colddiff_core.restoration.engine import default_overlap
from colddiff_core.restoration.tiles import Images, Tiling, restore_tiled


def crop_of(pixels: Pixels) -> Callable[[slice, slice], Images]:
    return lambda rows, columns: to_batch([pixels[rows, columns]])[0]


@given(
    size=st.tuples(st.integers(1, 50), st.integers(1, 50)),
    overlap=st.integers(0, 12),
    grid=st.sampled_from([1, 2, 4]),
    batch_size=st.integers(1, 5),
)
def test_tiles_that_change_nothing_give_the_image_back(
    size: tuple[int, int], overlap: int, grid: int, batch_size: int
) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    tiling = Tiling(size, (16, 16), overlap, grid)
    assert all(span.start % grid == 0 for axis in (0, 1) for span in tiling.spans(axis))
    seen: list[int] = []
    done: list[int] = []

    def restore(tiles: Images) -> Images:
        assert tiles.shape[1] == 3
        assert max(tiles.shape[2:]) <= 16
        seen.append(len(tiles))
        return tiles

    found = restore_tiled(
        restore,
        crop_of(pixels),
        tiling,
        channels=3,
        batch_size=batch_size,
        on_pixels=done.append,
    )
    np.testing.assert_array_equal(found, pixels)
    assert max(seen) <= batch_size
    assert sum(seen) == len(tiling.spans(0)) * len(tiling.spans(1))
    assert sum(done) == size[0] * size[1]


@pytest.mark.parametrize("overlap", [-1, 16, 99])
def test_an_overlap_that_leaves_no_step_is_refused(overlap: int) -> None:
    with pytest.raises(UsageError, match="overlap: expected 0 to 15 pixels for tiles of 16x16"):
        Tiling((50, 50), (16, 16), overlap)


def test_tiles_larger_than_the_image_take_no_more_than_it() -> None:
    pixels = photograph(30, 40)
    tiling = Tiling((30, 40), (10**9, 10**9), 0)
    found = restore_tiled(lambda tiles: tiles, crop_of(pixels), tiling, channels=3)
    np.testing.assert_array_equal(found, pixels)


def test_a_tile_smaller_than_a_cell_is_refused_by_its_name() -> None:
    with pytest.raises(UsageError, match="tile: expected 8 pixels or more, got 4"):
        Tiling((50, 50), (4, 4), 0, grid=8)


def test_the_default_overlap_follows_the_reach() -> None:
    found = [default_overlap(32, Locality(reach), 0, 1, 1) for reach in (0, 6, 99)]
    assert found == [0, 12, 16]
    assert default_overlap(64, Locality(6), 4, 1, 1) == 20  # twice the reach of D and R
    assert default_overlap(64, Locality(0), 1, 1, 5) == 10  # five times as far
    assert default_overlap(256, Locality(0), 9, 1, 99) == 64  # but no farther than is felt
    assert default_overlap(8, Locality(8, 8), None, 8, 1) == 0


def test_memory_is_bounded_by_a_strip() -> None:
    pixels = photograph(1500, 1500)
    tiling = Tiling(pixels.shape[:2], (32, 32), 8)
    tracemalloc.start()
    restore_tiled(lambda tiles: tiles, crop_of(pixels), tiling, channels=3)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    picture, strip = pixels.size, 32 * 1500 * 4 * 4  # bytes: uint8; float32, three and weights
    assert peak < picture + 4 * strip  # the result, and a strip at work


def at_level(process: ColdDiffusion, pixels: Pixels) -> Images:
    """The whole picture, degraded, and restored at once."""
    x_t = process.degrade(torch.from_numpy(to_batch([pixels])))
    return np.stack([x_t.numpy()[0], process.restore(x_t).numpy()[0]])


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("pixelate", {"num_steps": 3}),
        ("desaturate", {"num_steps": 4}),
        ("gaussian-blur", {"num_steps": 4, "kernel_size": 5, "std": 1.0, "padding": "reflect"}),
    ],
)
def test_no_seam_is_seen(name: str, params: dict[str, object]) -> None:
    process = tiny_process(name, shape=(3, 32, 32), **params)
    locality = process.degradation.locality
    assert locality is not None
    pixels = photograph(96, 128)
    x_t, whole = at_level(process, pixels)

    def error(overlap: int) -> tuple[float, float]:
        """Largest difference from the whole picture at the tiles' edges, and the mean anywhere."""
        tiling = Tiling((96, 128), (32, 32), overlap, locality.grid)
        found = restore_tiled(
            lambda tiles: process.restore(torch.from_numpy(tiles)).numpy(),
            lambda rows, columns: x_t[:, rows, columns],
            tiling,
            channels=3,
        )
        off = np.abs(to_batch([found])[0] - np.clip(whole, -1, 1))
        edges = [span.start + shift for span in tiling.spans(1)[1:] for shift in (-1, 0)]
        return float(off[:, :, edges].max()), float(off.mean())

    at_edges, mean = error(default_overlap(32, locality, 1, locality.grid, process.num_steps))
    hard_edges, _ = error(0)
    assert hard_edges > 0.1  # without overlap there are seams
    assert at_edges < 0.05  # of 2: six levels of 255
    assert mean < 0.01


@pytest.mark.parametrize("name", ["gaussian-mask", "snow", "gaussian-noise"])
def test_what_is_not_local_says_so(name: str) -> None:
    assert build("degradation", name).locality is None


def test_a_blur_that_takes_the_mean_is_not_local() -> None:
    def blur(**params: object) -> Locality | None:
        return build("degradation", "gaussian-blur", **params).locality

    assert blur(final_mean=True) is None
    # Variances add up: 4 boxes of nearly (-1, 0, 1) have a variance of 4 * 2/3
    assert blur(num_steps=4, kernel_size=3, std=100.0) == Locality(reach=4)


def test_a_tile_of_the_degraded_is_the_degraded_tile() -> None:
    pixels = torch.from_numpy(to_batch([photograph(64, 64)]))
    for name, params in (("pixelate", {"filter": "area"}), ("desaturate", {})):
        whole = build("degradation", name, num_steps=3, **params)
        part = build("degradation", name, num_steps=3, **params)
        t = torch.tensor([3])
        torch.testing.assert_close(
            whole(pixels, t)[:, :, 16:48, 8:40], part(pixels[:, :, 16:48, 8:40], t)
        )
