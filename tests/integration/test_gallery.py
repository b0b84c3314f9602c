"""The gallery lags behind nothing: the registry, the docstrings, the operators."""

import re
import runpy
import shlex
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT

from colddiff_cli.main import main
from colddiff_core.pictures.reading import read_image
from colddiff_core.registry.components import registry

PAGE = (ROOT / "docs/gallery.md").read_text(encoding="utf-8")
OPERATORS = [item.name for item in registry().components("degradation") if item.builtin]
COMMANDS = re.findall(r"^colddiff degrade .*", PAGE, re.MULTILINE)


def test_the_page_is_what_the_script_makes() -> None:
    script = runpy.run_path(str(ROOT / "scripts/make_gallery.py"))
    assert script["page"]() == PAGE, "run python scripts/make_gallery.py"
    for name, pixels in script["originals"]().items():
        committed = read_image(ROOT / f"docs/gallery/originals/{name}.png")
        assert np.abs(committed.astype(int) - pixels).max() <= 1


def test_every_degradation_is_shown() -> None:
    assert re.findall(r"^## (.*)", PAGE, re.MULTILINE) == [*OPERATORS, "The pictures"]
    for target in re.findall(r"\]\((?!http)([^)]+)\)", PAGE):
        assert (ROOT / "docs" / target).is_file(), target
    named = {ROOT / path for path in re.findall(r"docs/gallery/\S+\.png", PAGE)}
    named |= {ROOT / "docs" / path for path in re.findall(r"\((gallery/\S+\.png)\)", PAGE)}
    pictures = set((ROOT / "docs/gallery").rglob("*.png"))
    assert named == pictures
    assert sum(path.stat().st_size for path in pictures) < 600_000
    assert "Attribution-Share Alike 3.0" in PAGE


@pytest.mark.parametrize("name", OPERATORS)
def test_its_command_makes_the_picture(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (command,) = (line for line in COMMANDS if line.split()[2] == name)
    words = [
        str(ROOT / word) if word.startswith("docs/") else word for word in shlex.split(command)
    ]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", words)
    with pytest.raises(SystemExit) as end:
        main()
    assert not end.value.code
    made = read_image(tmp_path / f"{name}.png").astype(int)
    assert np.abs(made - read_image(ROOT / f"docs/gallery/{name}.png")).mean() < 0.5
