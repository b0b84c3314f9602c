"""What docs/python.md says to type works."""

import re
from pathlib import Path

import pytest
import torch
from conftest import ROOT
from PIL import Image

from colddiff_core import load_recipe, train

PAGE = (ROOT / "docs/python.md").read_text(encoding="utf-8")
TINY = (
    "data.image_size=16",
    "degradation.num_steps=3",
    "restorer.channels=8",
    "train={steps=2, batch_size=4, sample_every=0}",
)


def test_the_page_runs_from_top_to_bottom(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    train(load_recipe("mnist-demo", TINY), "digits")
    Path("photos").mkdir()
    for k, size in enumerate(((24, 20), (33, 47))):
        Image.linear_gradient("L").resize(size).convert("RGB").save(f"photos/{k}.png")
    blocks = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    assert len(blocks) == 8
    assert set(re.findall(r"from (colddiff\S*) import", PAGE)) == {"colddiff_core"}
    names: dict[str, object] = {"__name__": "page"}
    for block in blocks:
        exec(block, names)  # noqa: S102 - our own page
    assert {path.name for path in Path("restored").iterdir()} == {"0.png", "1.png"}
    assert {path.name for path in Path("own").iterdir()} == {"0.png", "1.png"}
    assert Path("squares/model.safetensors").is_file()
    assert Path("one.png").is_file()
