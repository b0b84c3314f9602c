"""From a recipe with a prior to generated pictures, by model folder and by ONNX file."""

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from colddiff_cli.main import main
from colddiff_core.pictures.reading import read_image
from colddiff_core.restoration.opening import open_model

PRIORS = {
    "gaussian-blur": "channel-mean-gmm",
    "gaussian-noise": "gaussian-noise",
    "color-mask": "constant-color",
}


@pytest.fixture
def colddiff(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[[str], tuple[int, str]]:
    """Run a command in this process: exit code and what it said."""

    def run(command: str) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["colddiff", *command.split()])
        with pytest.raises(SystemExit) as end:
            main()
        said = capsys.readouterr()
        return int(end.value.code or 0), said.out + said.err

    return run


@pytest.fixture(scope="module", params=PRIORS)
def models(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a trained model and its export, for one kind of generation."""
    folder = tmp_path_factory.mktemp(request.param)
    (folder / "recipe.toml").write_text(f"""
        [data]
        name = "mnist-mini"
        image_size = 8
        [degradation]
        name = "{request.param}"
        num_steps = 4
        [restorer]
        name = "unet"
        channels = 8
        multipliers = [1, 2]
        [prior]
        name = "{PRIORS[request.param]}"
        [train]
        steps = 3
        batch_size = 8
        sample_every = 0
    """)
    with pytest.MonkeyPatch.context() as patch:
        for command in (
            f"train {folder}/recipe.toml -o {folder}/model",
            f"export {folder}/model -o {folder}/model.onnx",
        ):
            patch.setattr(sys, "argv", ["colddiff", *command.split()])
            with pytest.raises(SystemExit) as end:
                main()
            assert not end.value.code
    return folder


def test_folder_and_file_generate_the_same_whatever_the_batch_size(
    models: Path, tmp_path: Path, colddiff: Callable[[str], tuple[int, str]]
) -> None:
    grids = {}
    for name, options in {
        "model": "",
        "model.onnx": "",
        "small": "--batch-size 3",
        "other": "--seed 1",
        "short": "--steps 2",
    }.items():
        model = name if name.startswith("model") else "model"
        grid = tmp_path / f"{name}.png"
        assert colddiff(f"generate {models}/{model} -n 7 -o {grid} {options}")[0] == 0
        grids[name] = read_image(grid).astype(int)
    assert grids["model"].shape == (3 * 10 - 2, 3 * 10 - 2, 1)
    for name in ("model.onnx", "small"):
        assert np.abs(grids[name] - grids["model"]).max() <= 1
    assert np.abs(grids["other"] - grids["model"]).max() > 1
    assert grids["short"].shape == grids["model"].shape


def test_64_images_of_one_seed_agree_within_a_thousandth(models: Path) -> None:
    images = []
    for name in ("model", "model.onnx"):
        opened = open_model(models / name, device="cpu")
        x_t, context = opened.prior.sample(64, torch.Generator().manual_seed(0))
        arrays = {key: value.numpy() for key, value in context.items()}
        images.append(opened.restore(x_t.numpy(), context=arrays))
    np.testing.assert_allclose(*images, atol=1e-3, rtol=0)


def test_separate_pictures_are_those_of_the_grid(
    models: Path, tmp_path: Path, colddiff: Callable[[str], tuple[int, str]]
) -> None:
    colddiff(f"generate {models}/model -n 2 -o {tmp_path}/grid.png")
    options = f"--separate --device cpu -o {tmp_path}/out"
    code, said = colddiff(f"generate {models}/model -n 2 {options}")
    assert (code, said.split()) == (0, [f"{tmp_path}/out/0.png", f"{tmp_path}/out/1.png"])
    grid = read_image(tmp_path / "grid.png")
    assert np.array_equal(read_image(tmp_path / "out/1.png"), grid[:, 10:18])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("-o {tmp}/x.gif", "a grid needs a name that ends in .png"),
        ("-o {models}/recipe.toml --separate", "expected a folder, this is a file"),
        ("-o {tmp}/x.png --timesteps 3,0", "generation starts at T = 4"),
        ("-o {tmp}/x.png --steps 5", "expected 1 to 4"),
    ],
)
def test_mistakes_get_exit_code_2(
    models: Path,
    tmp_path: Path,
    colddiff: Callable[[str], tuple[int, str]],
    options: str,
    message: str,
) -> None:
    options = options.format(tmp=tmp_path, models=models)
    code, said = colddiff(f"generate {models}/model {options}")
    assert code == 2
    assert message in said
    assert not list(tmp_path.iterdir())
