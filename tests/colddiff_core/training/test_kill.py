"""Kill -9 loses nothing that was saved, and changes nothing that is learnt."""

import json
import subprocess
import sys
from pathlib import Path

import forks

from colddiff_core.training.metrics import read_lines


def test_ten_kills_at_random_moments_leave_the_weights_what_they_are(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, forks.__file__, "killed", tmp_path, "0"],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["codes"] == [0, *[-9] * 10, 0]
    whole, pieces = tmp_path / "whole", tmp_path / "pieces"
    for name in ("model.safetensors", "recipe.toml"):
        assert (pieces / name).read_bytes() == (whole / name).read_bytes()
    steps = [line["step"] for line in read_lines(pieces)]
    assert steps == list(range(1, len(steps) + 1)) == [line["step"] for line in read_lines(whole)]
    resumed = json.loads((pieces / "provenance.json").read_text())["training"]["resumed_at"]
    assert resumed
    assert resumed == sorted(resumed)
    assert not list(pieces.rglob(".*"))
