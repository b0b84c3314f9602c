"""The command line as a person uses it, in a process of its own."""

import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from commands import colddiff, modules_after, run_in_process, succeed
from PIL import Image

from colddiff_cli import demo
from colddiff_cli.main import main
from colddiff_core import ColdDiffusion
from colddiff_core.pictures.reading import read_image
from colddiff_exporters.runtime import OnnxSampler

HEAVY = {"torch", "numpy", "onnx", "onnxruntime", "PIL", "safetensors"}


def pixels(path: Path) -> np.ndarray:
    return read_image(path)[:, :, 0].astype(int)


@pytest.mark.parametrize(
    "code",
    [
        "import colddiff_core",
        run_in_process("--help"),
        run_in_process("--version"),
        run_in_process("plugins", "list"),
    ],
)
def test_nothing_heavy_is_imported_on_the_way_to_help(code: str) -> None:
    assert not modules_after(code) & HEAVY


def test_the_help_of_restore_imports_no_torch() -> None:
    light = {"numpy", "PIL"}
    assert not modules_after(run_in_process("restore", "--help")) & (HEAVY - light)


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a trained model, its export and some pictures."""
    folder = tmp_path_factory.mktemp("work")
    settings = ["degradation.num_steps=3", "train.steps=3", "train.batch_size=4"]
    settings += ["restorer.channels=8", "restorer.multipliers=[1, 2]", "train.sample_every=0"]
    sets = [arg for setting in settings for arg in ("--set", setting)]
    out = succeed("train", "mnist-demo", "-o", "model", *sets, cwd=folder)
    assert out == "model\n"
    out = succeed("export", "model", "--format", "onnx", cwd=folder)
    assert re.search(r"batch 5, 3 steps +\d", out)
    assert (folder / "model.onnx").is_file()
    rng = np.random.default_rng(0)
    for name in ("a", "b"):
        Image.fromarray(rng.integers(0, 255, (32, 32), np.uint8)).save(folder / f"{name}.png")
    Image.fromarray(rng.integers(0, 255, (40, 50), np.uint8)).save(folder / "large.png")
    Image.new("RGB", (32, 32)).save(folder / "colour.png")
    (folder / "text.png").write_text("hello")
    whole = (folder / "model.onnx").read_bytes()
    (folder / "cut.onnx").write_bytes(whole[: len(whole) // 2])
    damaged = folder / "damaged"
    damaged.mkdir()
    (damaged / "recipe.toml").write_bytes((folder / "model/recipe.toml").read_bytes())
    (damaged / "model.safetensors").write_bytes(b"\x08\0\0\0\0\0\0\0{}")
    return folder


def test_a_file_restores_what_the_model_folder_restores(work: Path) -> None:
    for model, out in (("model", "from-folder"), ("model.onnx", "from-file")):
        printed = succeed("restore", model, "a.png", "b.png", "-o", out, cwd=work)
        assert printed.split() == [f"{out}/a.png", f"{out}/b.png"]
    for name in ("a.png", "b.png"):
        one, other = (pixels(work / out / name) for out in ("from-folder", "from-file"))
        assert one.shape == (32, 32)
        assert np.abs(one - other).max() <= 1


def test_a_file_is_restored_without_torch(work: Path) -> None:
    code = run_in_process("restore", "model.onnx", "a.png", "-o", "light")
    assert not modules_after(code, cwd=work) & {"torch", "onnx", "onnxscript", "safetensors"}


@pytest.mark.parametrize("model", ["model", "model.onnx"])
def test_simulate_shows_original_degraded_and_restored(work: Path, model: str) -> None:
    out = f"simulated-{model}"
    succeed("restore", model, "large.png", "--simulate", "--resize", "-o", out, cwd=work)
    sheet = pixels(work / out / "large.png")
    assert sheet.shape == (32, 3 * 32 + 2 * 2)
    original, degraded = sheet[:, :32], sheet[:, 34:66]
    assert degraded.std() < 0.7 * original.std()


def test_the_schedule_and_the_sampler_can_be_chosen(work: Path) -> None:
    runs = {
        "all": [],
        "short": ["--steps", "1"],
        "levels": ["--timesteps", "3,0"],
        "naive": ["--sampler", "naive"],
    }
    pictures = {}
    for name, options in runs.items():
        succeed("restore", "model", "a.png", "-o", name, *options, cwd=work)
        pictures[name] = (work / name / "a.png").read_bytes()
    assert pictures["short"] == pictures["levels"]
    assert len(set(pictures.values())) == 3


def test_degrade_draws_a_strip_from_clean_to_degraded(work: Path) -> None:
    options = ["--set", "num_steps=4", "--columns", "3"]
    printed = succeed("degrade", "pixelate", "a.png", "-o", "strip.png", *options, cwd=work)
    assert printed == "strip.png\n"
    strip = pixels(work / "strip.png")
    assert strip.shape == (32, 3 * 32 + 2 * 2)
    assert np.array_equal(strip[:, :32], pixels(work / "a.png"))
    assert len(np.unique(strip[:, -32:])) <= 4


def test_plugins_list_for_people_and_for_programs() -> None:
    table = succeed("plugins", "list")
    assert re.search(r"gaussian-blur +degradation +active", table)
    listed = json.loads(succeed("plugins", "list", "--json"))
    assert listed["schema_version"] == 1
    blur = next(row for row in listed["plugins"] if row["name"] == "gaussian-blur")
    assert blur["kind"] == "degradation"
    assert blur["status"] == "active"
    assert blur["distribution"] == "colddiff"
    assert {"version", "summary"} <= blur.keys()


def test_a_broken_distribution_has_a_row_and_the_rest_works(tmp_path: Path) -> None:
    info = tmp_path / "hostile-3.1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: hostile\nVersion: 3.1\n")
    (info / "entry_points.txt").write_text("[colddiff]\nbad = hostile_module\n")
    (tmp_path / "hostile_module.py").write_text("raise SystemExit('boo')")
    listed = json.loads(succeed("plugins", "list", "--json", cwd=tmp_path))
    (row,) = (row for row in listed["plugins"] if row["distribution"] == "hostile")
    assert (row["status"], row["version"]) == ("broken", "3.1")
    assert row["error"].startswith("SystemExit: boo (")
    assert any(row["name"] == "unet" and row["status"] == "active" for row in listed["plugins"])


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("restore model missing.png -o x --device cpu", "missing.png: no such file"),
        ("restore nothing a.png -o x", "nothing: no such file or folder"),
        ("restore a.png a.png -o x", "expected a model folder or a file that ends in .onnx"),
        ("restore damaged a.png -o x", "damaged/model.safetensors: "),
        ("restore . a.png -o x", "not a model folder, it has no recipe.toml"),
        ("restore cut.onnx a.png -o x", "cut.onnx: not a usable ONNX file"),
        ("restore model.onnx a.png -o x --sampler naive", "has its sampler inside"),
        ("restore model a.png -o x --steps 9", "expected 1 to 3"),
        ("restore model a.png -o x --timesteps 3;1", "expected e.g. 20,10,5,0"),
        ("restore model a.png -o x --timesteps 3,0 --steps 1", "give one of them"),
        ("restore model a.png -o .", "a.png is read, and would be overwritten"),
        ("restore model a.png ./a.png -o x", "would both be written to x/a.png"),
        ("restore model a.png -o a.png", "expected a folder to write to, this is a file"),
        ("restore model a.png -o x --device tpu", "expected auto, cpu, cuda"),
        ("train nothing", "no file and no recipe 'nothing'"),
        ("train mnist-demo --set train.stepz=1 -o x", "did you mean 'steps'?"),
        ("train mnist-demo --set degradation.std=wide -o x", "std: input should be a valid number"),
        ("train mnist-demo --set degradation.name=blurr -o x", "unknown degradation 'blurr'"),
        ("train mnist-demo -o model", "already holds a model"),
        ("train mnist-demo -o x --device warp", "expected auto, cpu, cuda"),
        ("train mnist-demo --set data.split=test -o x", "'split' is not for a recipe to set"),
        ("train mnist-demo --set degradation.kind=x -o x", "unknown parameter 'kind'"),
        ("train mnist-demo --set train.batch_size=9999999 -o x", "less than or equal to 65536"),
        ("train mnist-demo -o a.png", "a.png: cannot be made a folder"),
        ("export nothing", "nothing: no such folder"),
        ("export model.onnx", "model.onnx: is a file, expected a model folder"),
        ("export damaged -o x.onnx", "damaged/model.safetensors: "),
        ("export model --format onnxx", "did you mean 'onnx'?"),
        ("export model -o x.pt", "expected a name that ends in .onnx"),
        ("export model --opset 3 -o x.onnx", "opset: expected 18 to 21, got 3"),
        ("degrade blurr a.png -o x.png", "unknown degradation 'blurr'"),
        ("degrade pixelate a.png -o x.png --set num_steps=6", "can be halved 5 times, not 6"),
        ("degrade pixelate a.png -o x.png --set num_steps", "expected key=value"),
        ("degrade pixelate text.png -o x.png", "not a picture"),
        ("degrade pixelate a.png -o x.jpg", "expected a name that ends in .png"),
        ("demo -o model", "model: exists and is not from a demo"),
    ],
)
def test_a_mistake_gets_one_clear_line_and_exit_code_2(
    work: Path,
    command: str,
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    # In this process, where torch is loaded already: there are many mistakes to make
    before = sorted(work.rglob("*"))
    monkeypatch.chdir(work)
    monkeypatch.setattr(sys, "argv", ["colddiff", *command.split(" ")])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 2
    out, err = capfd.readouterr()
    assert out == ""
    (line,) = err.splitlines()
    assert line.startswith("colddiff: error: ")
    assert message in line
    assert sorted(work.rglob("*")) == before


def test_a_mistake_ends_the_real_process_with_exit_code_2(tmp_path: Path) -> None:
    done = colddiff("restore", "nothing", "a.png", "-o", "x", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "colddiff: error: nothing: no such file or folder\n"


def test_a_failed_check_is_exit_code_1_and_leaves_no_file(
    work: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(work)
    monkeypatch.setattr(sys, "argv", ["colddiff", "export", "model", "-o", "strict.onnx"])
    honest = OnnxSampler.run
    monkeypatch.setattr(OnnxSampler, "run", lambda *args: honest(*args) + np.float32(1))
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 1
    assert "no file was written" in capfd.readouterr().err
    assert not (work / "strict.onnx").exists()


@pytest.mark.parametrize(
    "command",
    [
        "",
        "demo",
        "train",
        "restore",
        "degrade",
        "export",
        "info",
        "doctor",
        "plugins",
        "plugins list",
        "plugins info",
        "plugins check",
        "plugins new",
        "runs list",
        "runs show",
        "evaluate",
        "reproduce",
    ],
)
def test_help_fits_into_80_columns(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(sys, "argv", ["colddiff", *command.split(), "--help"])
    with pytest.raises(SystemExit) as end:
        main()
    assert not end.value.code
    text = capsys.readouterr().out
    assert max(map(len, text.splitlines())) <= 80
    assert "Usage: colddiff" in text


def test_demo_leaves_pictures_model_file_and_figures(tmp_path: Path) -> None:
    printed = succeed("demo", "--steps", "2", cwd=tmp_path)
    folder = tmp_path / "colddiff-demo"
    assert printed.splitlines()[-1] == str(folder)
    results = json.loads((folder / "results.json").read_text())
    assert results["rmse"]["degraded"] >= 0.2
    assert results["onnx_max_difference"] < 1e-4
    assert results["rmse"]["onnx"] == pytest.approx(results["rmse"]["improved"], abs=1e-5)
    assert read_image(folder / "restored.png").shape == (2 * 6 * 32 + 5 * 2, 2 * 10 * 32 + 9 * 2, 1)
    assert read_image(folder / "degraded/9.png").shape == (32, 32, 1)
    assert ColdDiffusion.load(folder / "model").num_steps == 20
    assert (folder / "model.onnx").stat().st_size > 1e6
    assert demo.is_replaceable(folder)
