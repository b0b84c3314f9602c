"""What is taken as a model, and what its methods are called with."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from own import own_process

from colddiff_core import Model, UsageError, find_levels, open_model, restore_pictures

X = np.random.default_rng(0).uniform(-1, 1, (2, 1, 9, 14)).astype(np.float32)


@pytest.fixture
def model() -> Model:
    process = own_process()
    process.image_shape = (1, 12, 12)
    return open_model(process, sampler="naive", device="cpu")


def test_a_process_of_one_s_own_classes_is_a_model(model: Model, tmp_path: Path) -> None:
    assert model.restore(X).shape == X.shape
    assert find_levels(model, X.astype(">f8"))[1].level in (1, 2, 3)
    assert model.memory(20, 20) > 0
    picture = Path(__file__).parents[3] / "docs/gallery/originals/sea.png"
    for simulate in (False, True):
        done = restore_pictures(model, picture, tmp_path, level=2, simulate=simulate, resize=True)
        assert [result.error for result in done] == [None]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m: m.restore(torch.from_numpy(X)), "images: expected a NumPy array, got a Tensor"),
        (lambda m: find_levels(m, torch.from_numpy(X)), "expected a NumPy array, got a Tensor"),
        (lambda m: m.restore(X, 3), "timesteps: expected integers"),
        (lambda m: m.estimate(X, 4), "level: expected 1 to 3"),
        (lambda m: m.schedule(-1), "level: expected 1 to 3"),
        (lambda m: restore_pictures(m, [], "x", level="AUTO"), "expected 1 to 3 .*, or auto; got"),
        (lambda m: restore_pictures(m, [], "x", level=2.5), "expected 1 to 3 .*, or auto; got 2.5"),
        (lambda _: open_model(3), "model: expected the path of one, or a process, got a int"),
    ],
)
def test_mistakes(call: Callable[[Any], Any], message: str, model: Model) -> None:
    with pytest.raises(UsageError, match=message):
        call(model)
