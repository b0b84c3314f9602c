"""`colddiff export` and `colddiff info`, as a person uses them."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from commands import modules_after, run_in_process, succeed
from PIL import Image

from colddiff_cli.main import main
from colddiff_core.pictures.reading import read_image


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a trained model and a picture."""
    folder = tmp_path_factory.mktemp("work")
    settings = ["degradation.num_steps=3", "train.steps=3", "train.batch_size=4"]
    settings += ["restorer.channels=8", "restorer.multipliers=[1, 2]", "train.sample_every=0"]
    sets = [arg for setting in settings for arg in ("--set", setting)]
    succeed("train", "mnist-demo", "-o", "model", *sets, cwd=folder)
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 255, (32, 32), np.uint8)).save(folder / "a.png")
    return folder


def run(
    command: str, folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> tuple[int, str, str]:
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "argv", ["colddiff", *command.split()])
    with pytest.raises(SystemExit) as end:
        main()
    code = end.value.code
    return (code if isinstance(code, int) else 0), *capfd.readouterr()


def test_export_prints_the_comparison_and_info_what_the_file_says(
    work: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = run("export model --trajectory -o full.onnx", work, monkeypatch, capfd)
    assert code == 0
    header, *rows, last = out.splitlines()
    assert header.split() == [
        "Checked",
        "against",
        "torch",
        "Largest",
        "difference",
        "Mean",
        "torch",
        "ms",
        "file",
        "ms",
    ]
    assert [row.split()[0] for row in rows] == [
        "batch",
        "batch",
        "batch",
        "x0_direct,",
        "trajectory,",
    ]
    assert last.startswith("full.onnx  ")
    code, out, _ = run("info full.onnx --json", work, monkeypatch, capfd)
    facts = json.loads(out)
    assert code == 0
    assert facts["image_shape"] == [1, 32, 32]
    assert facts["num_steps"] == 3
    assert facts["color_order"] == "grey"
    assert facts["training"]["steps"] == 3
    assert facts["recipe"]["degradation"]["name"] == "gaussian-blur"
    assert [item["name"] for item in facts["outputs"]] == ["x0", "x0_direct", "trajectory"]
    code, out, _ = run("info full.onnx", work, monkeypatch, capfd)
    assert "recipe.degradation.num_steps" in out
    assert "training.final_loss" in out
    code, out, _ = run("info model --json", work, monkeypatch, capfd)
    folder = json.loads(out)
    shared = ("image_shape", "num_steps", "components", "training")
    assert {name: folder[name] for name in shared} == {name: facts[name] for name in shared}


@pytest.mark.parametrize("path", ["model", "full.onnx"])
def test_info_imports_nothing_heavy(work: Path, path: str) -> None:
    assert not modules_after(run_in_process("info", path), cwd=work) & {
        "torch",
        "onnx",
        "onnxruntime",
    }


def test_no_verify_says_so(
    work: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    code, out, err = run("export model --no-verify -o quick.onnx", work, monkeypatch, capfd)
    assert code == 0
    assert "Checked" not in out
    assert "not checked against torch" in err


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("export model --graph loop", "graph: input should be 'sampler', 'step' or 'restorer'"),
        ("export model --graph step --static-steps 2", "static_steps: a step graph has no loop"),
        ("export model --static-steps 9 -o x.onnx", "static_steps: expected 1 to 3"),
        ("export model --set opsett=20", "did you mean 'opset'?"),
        ("export model --images text.png -o x.onnx", "text.png: no such file"),
        ("info nothing", "nothing: no such file or folder"),
        ("info a.png", "expected a model folder or a file that ends in .onnx"),
    ],
)
def test_mistakes_are_explained(
    work: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    command: str,
    message: str,
) -> None:
    code, out, err = run(command, work, monkeypatch, capfd)
    assert (code, out) == (2, "")
    assert message in err


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model of a local degradation, its file, and a photograph."""
    folder = tmp_path_factory.mktemp("local")
    settings = ["train.steps=3", "train.batch_size=4", "restorer.channels=8"]
    settings += ["restorer.multipliers=[1, 2]", "train.sample_every=0", "degradation.num_steps=2"]
    sets = [arg for setting in settings for arg in ("--set", setting)]
    sets += ["--set", 'degradation={name="pixelate", num_steps=2}']
    succeed("train", "mnist-demo", "-o", "model", *sets, cwd=folder)
    succeed("export", "model", "--no-verify", cwd=folder)
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 255, (70, 101), np.uint8)).save(folder / "photo.png")
    Image.fromarray(rng.integers(0, 255, (9, 12), np.uint8)).save(folder / "stamp.png")
    return folder


def test_photographs_of_any_size_are_restored(local: Path) -> None:
    """Without an option: whole by the folder, in tiles by the file, which has one size."""
    pictures = []
    for model, options in {"model": ("--tile", "32"), "model.onnx": ()}.items():
        out = f"tiled-{model}"
        succeed("restore", model, "photo.png", "stamp.png", *options, "-o", out, cwd=local)
        pictures.append(read_image(local / out / "photo.png").astype(int))
        assert read_image(local / out / "stamp.png").shape == (9, 12, 1)
    assert pictures[0].shape == (70, 101, 1)
    # only where the last tiles stand over the picture do the two see another reflection
    assert np.abs(pictures[0] - pictures[1])[:56, :88].max() <= 1
    succeed("restore", "model", "photo.png", "-o", "whole", cwd=local)
    assert read_image(local / "whole/photo.png").shape == (70, 101, 1)
    options = ["--simulate", "--overlap", "4"]
    succeed("restore", "model.onnx", "photo.png", *options, "-o", "shown", cwd=local)
    assert read_image(local / "shown/photo.png").shape == (70, 3 * 101 + 2 * 2, 1)


def test_what_cannot_be_tiled_is_explained(
    local: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    for command, message in {
        "restore model photo.png --tile 32 --overlap 30 -o x": "overlap: expected 0 to 28 pixels",
        "restore model photo.png --memory much -o x": "--memory much: expected e.g. 2G or 800M",
    }.items():
        code, out, err = run(command, local, monkeypatch, capfd)
        assert (code, out) == (2, "")
        assert message in err


def test_auto_says_on_stderr_what_it_took(
    work: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    code, out, err = run("restore model a.png -o told", work, monkeypatch, capfd)
    assert (code, out) == (0, "told/a.png\n")
    assert "colddiff: computing on c" in err
    code, _, err = run("restore model a.png --device cpu -o told", work, monkeypatch, capfd)
    assert (code, err) == (0, "")
