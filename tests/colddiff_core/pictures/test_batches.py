"""Pictures as arrays and batches."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from colddiff_core.pictures import batches


@given(st.integers(0, 255))
def test_eight_bits_survive_the_value_range(value: int) -> None:
    pixels = np.full((1, 1, 1), value, dtype=np.uint8)
    batch = batches.to_batch([pixels])
    assert batch.dtype == np.float32
    assert -1 <= batch.min() <= batch.max() <= 1
    assert np.array_equal(batches.from_batch(batch)[0], pixels)


def test_what_is_out_of_range_is_clipped() -> None:
    batch = np.array([-3.0, 3.0]).reshape(1, 1, 1, 2)
    assert batches.from_batch(batch)[0].ravel().tolist() == [0, 255]


def test_fit_covers_and_crops() -> None:
    left_black = np.repeat(np.array([0, 255], np.uint8), 50)[None, :, None].repeat(40, 0)
    fitted = batches.fit(left_black, 20, 20)
    assert fitted.shape == (20, 20, 1)
    assert fitted[0, 0] == 0
    assert fitted[0, -1] == 255


def test_a_tile_has_every_picture_where_it_belongs() -> None:
    a, b = np.zeros((2, 2, 1), np.uint8), np.full((2, 2, 1), 9, np.uint8)
    sheet = batches.tile([[a, b], [b]], gap=1)
    assert sheet.shape == (5, 5, 1)
    assert sheet[:2, 3:5].tolist() == b.tolist()
    assert sheet[3:, :2].tolist() == b.tolist()
    assert sheet[3:, 3:].min() == 255
    assert batches.tile([[b]], zoom=3).shape == (6, 6, 1)
