"""The promises of a degradation, one test for each, and what fog promises besides."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from colddiff_fog.fog import Fog
from PIL import Image

from colddiff_cli.main import main
from colddiff_core import (
    ColdDiffusion,
    ParameterError,
    build,
    load_recipe,
    parametrize_with_checks,
)


@parametrize_with_checks(Fog, cases=[{}, {"num_steps": 1, "thickness": 0.5, "air": 1.0}])
def test_conformance(check: Callable[[], None]) -> None:
    check()


def test_light_fades_with_distance_and_thickness() -> None:
    fog = Fog(num_steps=2, thickness=2.0, air=0.5)
    depth = torch.tensor([0.0, 0.5, 1.0]).view(1, 1, 1, 3)
    seen = fog(torch.full((1, 1, 1, 3), -1.0), torch.tensor([1]), {"depth": depth})
    kept = torch.tensor([1.0, 0.6065307, 0.3678794])  # exp(-d)
    torch.testing.assert_close(seen.flatten(), 0.5 - 1.5 * kept)


def test_the_landscape_is_smooth_and_rises_into_the_distance() -> None:
    fog = Fog()
    depth = fog.sample_context(torch.zeros(200, 3, 32, 32), torch.Generator().manual_seed(0))
    depth = depth["depth"]
    assert depth.min() >= 0.2
    assert depth.max() <= 1
    assert (depth.mean((0, 1, 3)).diff() < 0).all()
    assert depth.diff(dim=3).abs().max() < 0.05


@pytest.mark.parametrize("params", [{"thickness": 0.0}, {"air": 1.5}])
def test_bad_parameters_are_named(params: dict[str, float]) -> None:
    with pytest.raises(ParameterError, match=next(iter(params))):
        Fog(**params)


def test_the_recipe_names_the_fog() -> None:
    assert load_recipe("fog-demo").degradation.name == "fog"


def test_a_film_of_lifting_fog(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shape = (1, 16, 16)
    ColdDiffusion(
        build("degradation", "fog", num_steps=3),
        build("restorer", "unet", image_shape=shape, channels=8, multipliers=(1,)),
        build("sampler", "improved"),
    ).save(tmp_path / "model")
    Image.effect_noise((20, 20), 60).save(tmp_path / "a.png")
    monkeypatch.chdir(tmp_path)
    words = ["colddiff", "fog", "film", "model", "a.png", "-o", "film.gif"]
    monkeypatch.setattr("sys.argv", words)
    with pytest.raises(SystemExit) as end:
        main()
    assert not end.value.code
    with Image.open(tmp_path / "film.gif") as film:
        assert film.n_frames == 4
        assert film.size == (16, 16)
