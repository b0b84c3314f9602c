"""What docs/deployment.md says to type works."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from commands import succeed
from conftest import ROOT
from PIL import Image

from colddiff_cli.main import main
from colddiff_core.pictures.reading import read_image

PAGE = (ROOT / "docs/deployment.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a reader has at hand: a model and two pictures."""
    folder = tmp_path_factory.mktemp("deployment")
    small = ["train.steps=2", "restorer.channels=8", "train.sample_every=0", "train.batch_size=4"]
    sets = [word for setting in small for word in ("--set", setting)]
    succeed("train", "mnist-demo", "-o", "digits", *sets, cwd=folder)
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 255, (32, 32), np.uint8)).save(folder / "picture.png")
    Image.fromarray(rng.integers(0, 255, (50, 70), np.uint8)).save(folder / "photo.png")
    return folder


def test_the_page_runs_from_top_to_bottom(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commands = [line for block in blocks("sh") for line in block.splitlines()]
    assert len(commands) >= 6
    monkeypatch.chdir(place)
    for command in commands:
        if not command.startswith("colddiff "):
            assert command == "python -m http.server --directory page"
            continue
        monkeypatch.setattr(sys, "argv", shlex.split(command))
        with pytest.raises(SystemExit) as end:
            main()
        assert not end.value.code, command
    assert (place / "repository/digits/1/model.onnx").is_file()
    assert (place / "page/index.html").is_file()
    assert read_image(place / "restored-photo/photo.png").shape == (50, 70, 1)
    for snippet in blocks("python"):
        done = subprocess.run(
            [sys.executable, "-c", snippet], cwd=place, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
    by_hand = read_image(place / "restored.png").astype(int)
    by_colddiff = read_image(place / "restored/picture.png").astype(int)
    assert np.abs(by_hand - by_colddiff).max() <= 1


def test_the_page_names_real_things() -> None:
    for target in re.findall(r"\]\((?!http)([^)#]+)\)", PAGE):
        assert (ROOT / "docs" / target).exists(), target
