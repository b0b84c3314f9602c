"""Every packaged recipe builds, learns for two steps on tiny data, and can be listed and shown."""

import json
import sys
import tomllib
from pathlib import Path

import pytest
from PIL import Image

from colddiff_cli.main import main
from colddiff_core import ColdDiffusion, train
from colddiff_core.models.recipe import load_recipe, packaged_recipes


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    for k in range(4):
        Image.new("RGB", (20, 20), (60 * k, 90, 20)).save(folder / f"{k}.png")
    return folder


@pytest.mark.parametrize("name", packaged_recipes())
def test_two_steps_on_tiny_data(name: str, pictures: Path, tmp_path: Path) -> None:
    channels = 1 if name.startswith("mnist") else 3
    tiny = f'{{name = "folder", folder = "{pictures}", image_size = 16, channels = {channels}}}'
    overrides = [
        f"data={tiny}",
        "restorer.channels=8",
        "train.steps=2",
        "train.batch_size=2",
        "train.sample_every=0",
    ]
    if "animorphosis" in name:
        overrides.append(f"prior.data={tiny}")
    recipe = load_recipe(name, overrides)
    train(recipe, tmp_path / "run")
    loaded = ColdDiffusion.load(tmp_path / "run")
    assert loaded.num_steps == recipe.degradation.params["num_steps"]
    assert (loaded.prior is not None) == ("generation" in name or "animorphosis" in name)


def printed(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> str:
    monkeypatch.setattr(sys, "argv", ["colddiff", *command.split()])
    with pytest.raises(SystemExit) as end:
        main()
    assert not end.value.code
    return capsys.readouterr().out


def test_recipes_are_listed_and_shown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    listed = json.loads(printed("recipes list --json", monkeypatch, capsys))
    assert listed["schema_version"] == 1
    assert [row["name"] for row in listed["recipes"]] == list(packaged_recipes())
    assert all(row["summary"] and row["source"] for row in listed["recipes"])
    assert "mnist-deblurring" in printed("recipes list", monkeypatch, capsys)
    text = printed("recipes show mnist-deblurring", monkeypatch, capsys)
    assert tomllib.loads(text)["degradation"]["std"] == 7.0
    assert "# Decided here:" in text
