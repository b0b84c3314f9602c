"""Model folders: what is written, and what is refused."""

import json
import os
import pickle
import tomllib
from pathlib import Path

import pytest
import tomli_w
import torch
from conftest import ROOT
from safetensors.torch import load_file, save_file

from colddiff_core import ColdDiffusion
from colddiff_core.contracts.errors import ColdDiffError, ModelFolderError
from colddiff_core.models.recipe import load_recipe


@pytest.fixture
def folder(process: ColdDiffusion, tmp_path: Path) -> Path:
    return process.save(tmp_path / "model", provenance={"seed": 3})


def test_a_loaded_model_does_what_the_saved_one_did(folder: Path, process: ColdDiffusion) -> None:
    loaded = ColdDiffusion.load(folder)
    x_t = process.degrade(torch.rand(2, 1, 8, 8))
    assert torch.equal(loaded.restore(x_t), process.restore(x_t))
    assert not loaded.training


def test_the_folder_says_what_it_is(folder: Path) -> None:
    names = {path.name for path in folder.iterdir()}
    assert names == {"recipe.toml", "model.safetensors", "provenance.json"}
    recipe = load_recipe(folder / "recipe.toml")
    assert recipe.image_shape == (1, 8, 8)
    assert recipe.degradation.params["padding"] == "circular"
    facts = json.loads((folder / "provenance.json").read_text())
    assert facts["seed"] == 3
    assert [c.split("==")[0] for c in facts["components"]] == [
        "colddiff:gaussian-blur",
        "colddiff:unet",
        "colddiff:improved",
    ]


def test_what_is_not_known_is_not_claimed(folder: Path, tmp_path: Path) -> None:
    assert "train" not in tomllib.loads((folder / "recipe.toml").read_text())
    table = tomllib.loads((folder / "recipe.toml").read_text())
    table |= {"summary": "s", "data": {"name": "mnist-mini"}, "train": {"steps": 7}}
    (folder / "recipe.toml").write_text(tomli_w.dumps(table))
    again = ColdDiffusion.load(folder).save(tmp_path / "again")
    recipe = load_recipe(again / "recipe.toml")
    assert recipe.train is not None
    assert (recipe.summary, recipe.train.steps) == ("s", 7)


def test_the_degradation_is_not_in_the_weights(folder: Path) -> None:
    assert {name.split(".")[0] for name in load_file(folder / "model.safetensors")} == {"restorer"}


def damage(folder: Path, how: str) -> None:
    weights = folder / "model.safetensors"
    recipe = folder / "recipe.toml"
    if how == "weights missing":
        weights.unlink()
    elif how == "weights truncated":
        weights.write_bytes(weights.read_bytes()[:-100])
    elif how == "weights are a pickle":
        weights.write_bytes(pickle.dumps({"restorer.x": 1}))
    elif how == "weights of another net":
        save_file({"restorer.x": torch.zeros(3)}, weights)
    elif how == "weights not finite":
        state = load_file(weights)
        save_file({name: tensor * float("nan") for name, tensor in state.items()}, weights)
    elif how == "recipe missing":
        recipe.unlink()
    elif how == "recipe not toml":
        recipe.write_text("[")
    elif how == "recipe without shape":
        table = tomllib.loads(recipe.read_text())
        del table["image_shape"]
        recipe.write_text(tomli_w.dumps(table))
    elif how == "unknown component":
        recipe.write_text(recipe.read_text().replace('"unet"', '"unett"'))
    elif how == "absurd number of steps":
        recipe.write_text(recipe.read_text().replace("num_steps = 4", "num_steps = 4000000000"))
    else:
        raise AssertionError(how)


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("weights missing", "No such file"),
        ("weights truncated", "damaged"),
        ("weights are a pickle", "damaged"),
        ("weights of another net", "does not hold the weights of this recipe"),
        ("weights not finite", "not finite"),
        ("recipe missing", "not a model folder"),
        ("recipe not toml", "not a TOML file"),
        ("recipe without shape", "image_shape"),
        ("unknown component", "did you mean 'unet'"),
        ("absurd number of steps", "num_steps: expected 1 to"),
    ],
)
def test_damage_is_named(folder: Path, how: str, message: str) -> None:
    damage(folder, how)
    with pytest.raises(ColdDiffError, match=message) as caught:
        ColdDiffusion.load(folder)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("name", ["model.safetensors", "provenance.json", "recipe.toml"])
@pytest.mark.parametrize("what", ["a pipe", "a device", "too much"])
def test_what_is_no_file_of_bounded_size_is_not_read(folder: Path, name: str, what: str) -> None:
    path = folder / name
    if what == "too much":
        os.truncate(path, 1 << 31)  # a hole, no blocks
    else:
        path.unlink()
        os.mkfifo(path) if what == "a pipe" else path.symlink_to("/dev/zero")
    if name == "provenance.json" and what != "too much":
        assert ColdDiffusion.load(folder).provenance == {}
        return
    with pytest.raises(ColdDiffError, match=r"not a regular file|larger than|has no recipe.toml"):
        ColdDiffusion.load(folder)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_weights_in_half_precision_are_widened(folder: Path, dtype: torch.dtype) -> None:
    full = load_file(folder / "model.safetensors")
    save_file({k: v.to(dtype) for k, v in full.items()}, folder / "model.safetensors")
    loaded = ColdDiffusion.load(folder)
    for name, weight in loaded.restorer.state_dict().items():
        assert weight.dtype == torch.float32
        assert torch.equal(weight, full[f"restorer.{name}"].to(dtype).float())


def test_the_commit_of_a_checkout_is_recorded(folder: Path) -> None:
    commit = json.loads((folder / "provenance.json").read_text())["git_commit"]
    assert bool(commit) == (ROOT / ".git").exists()


def test_no_such_folder(tmp_path: Path) -> None:
    with pytest.raises(ModelFolderError, match="no such folder"):
        ColdDiffusion.load(tmp_path / "nowhere")
