"""Where torch is not installed, an exported file restores all the same."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT, make_process
from PIL import Image

from colddiff_core import build

LEFT_OUT = (
    "torch",
    "functorch",
    "onnx-",
    "onnx.",
    "onnx_ir",
    "onnxscript",
    "safetensors",
    "openvino",
)


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site folder with everything but torch, onnx and what belongs to them."""
    import pydantic

    site = tmp_path_factory.mktemp("site")
    for entry in Path(pydantic.__file__).parent.parent.iterdir():
        kept = not entry.name.startswith(LEFT_OUT) and entry.name != "onnx"
        if kept and entry.suffix != ".pth":
            (site / entry.name).symlink_to(entry)
    return site


def run(site: Path, *args: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    sources = [ROOT, *(ROOT / name for name in ("plugins", "exporters", "cli"))]
    path = os.pathsep.join(map(str, [*sources, site]))
    code = (
        "import importlib.util, sys\n"
        "assert not any(map(importlib.util.find_spec, ('torch', 'onnx', 'safetensors')))\n"
        "from colddiff_cli.main import main\n"
        "main()"
    )
    return subprocess.run(
        [sys.executable, "-S", "-c", code, *args],  # -S: no site-packages but ours
        capture_output=True,
        text=True,
        cwd=cwd,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": path},
        check=False,
    )


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("work")
    build("exporter", "onnx", verify=False).export(make_process(), folder / "model.onnx")
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 255, (8, 8), np.uint8)).save(folder / "a.png")
    Image.fromarray(rng.integers(0, 255, (21, 30), np.uint8)).save(folder / "large.png")
    return folder


@pytest.mark.parametrize(
    "command",
    [
        "restore model.onnx a.png -o out",
        "restore model.onnx large.png -o out",
        "restore model.onnx a.png --level 2 -o out",
        "info model.onnx",
    ],
)
def test_an_exported_file_needs_no_torch(bare: Path, work: Path, command: str) -> None:
    done = run(bare, *command.split(), cwd=work)
    assert done.returncode == 0, done.stderr
    assert done.stdout


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("restore model.onnx a.png --simulate -o x", "--simulate: degrading takes torch"),
        ("restore model.onnx a.png --level auto -o x", "how a picture was degraded takes torch"),
        ("generate model.onnx -o x.png", "colddiff generate takes torch"),
    ],
)
def test_what_takes_torch_says_so(bare: Path, work: Path, command: str, message: str) -> None:
    done = run(bare, *command.split(), cwd=work)
    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    assert message in done.stderr


def test_doctor_notes_that_torch_is_missing(bare: Path, work: Path) -> None:
    done = run(bare, "doctor", cwd=work)
    assert "not installed; exported files run without it" in done.stdout, done.stderr
