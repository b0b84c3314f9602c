"""`colddiff restore` on pictures of any level, with contexts given or found."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import Done, make_process
from PIL import Image
from tiny import tiny_process

from colddiff_core import ColdDiffusion, build
from colddiff_core.pictures.batches import from_batch, to_batch
from colddiff_core.pictures.reading import read_image
from colddiff_core.pictures.writing import write_image
from colddiff_core.restoration.opening import open_model
from colddiff_core.restoration.simulation import Simulation

Cli = Callable[..., Done]


def save(folder: Path, degradation: str, *, identity: bool = False, **options: object) -> None:
    """A model whose restorer has random weights, or gives back what it gets."""
    process = make_process(degradation, **options)  # type: ignore[arg-type]
    if identity:
        for parameter in process.restorer.parameters():
            torch.nn.init.zeros_(parameter)
    process.save(folder)


def export(process: ColdDiffusion, path: Path) -> None:
    build("exporter", "onnx", verify=False).export(process, path)


@pytest.fixture
def blocks(tmp_path: Path) -> Path:
    """Pictures at levels 1 to 3 of a model that explains them at any level up to that."""
    save(tmp_path / "model", "pixelate", identity=True, filter="area")
    save(tmp_path / "wild", "pixelate", filter="area")
    draws = torch.Generator().manual_seed(0)
    x0 = torch.rand(3, 1, 8, 8, generator=draws) * 2 - 1
    t = torch.tensor([3, 1, 2])
    process = ColdDiffusion.load(tmp_path / "model")
    for level, pixels in zip(t.tolist(), from_batch(process.degrade(x0, t).numpy()), strict=True):
        write_image(tmp_path / f"pictures/{level}.png", pixels)
    return tmp_path


PICTURES = [f"pictures/{t}.png" for t in (3, 1, 2)]


def test_the_level_of_each_picture_is_found_and_told(blocks: Path, cli: Cli) -> None:
    done = cli("restore", "model", *PICTURES, "-o", "out", "--level", "auto", "--device", "cpu")
    assert done.code == 0
    assert done.out.split() == ["out/3.png", "out/1.png", "out/2.png"]
    told = done.err.splitlines()
    assert [line for line in told if line.startswith("pictures/3.png")] == [
        "pictures/3.png: level 3 of 3 (1 to 3 explain it about as well), consistency error 0.0000"
    ]
    assert "pictures/1.png: level 1 of 3, consistency error 0.0000" in told
    assert any("level is uncertain" in line for line in told if "pictures/3.png" in line)
    for path in PICTURES:  # the restorer changes nothing
        restored = read_image(blocks / "out" / Path(path).name).astype(int)
        assert np.abs(restored - read_image(blocks / path)).max() <= 1


@pytest.mark.parametrize("model", ["wild", "tiny.onnx"])
def test_each_is_restored_from_its_level_and_in_its_place(
    blocks: Path, cli: Cli, model: str
) -> None:
    if model == "tiny.onnx":
        export(tiny_process("pixelate"), blocks / model)
    options = ["--level", "auto", "--json", "--device", "cpu"]
    done = cli("restore", model, *PICTURES, *PICTURES[:1], "-o", "x", *options)
    assert "would both be written" in done.err
    done = cli("restore", model, *PICTURES, "-o", "auto", *options)
    rows = json.loads(done.out)["pictures"]
    assert [row["path"] for row in rows] == ["auto/3.png", "auto/1.png", "auto/2.png"]
    if model == "wild":
        assert all(row["consistency_error"] > 0.03 for row in rows)
        assert "it does not look like anything" in done.err
    for row, path in zip(rows, PICTURES, strict=True):
        done = cli("restore", model, path, "-o", "given", "--level", row["level"])
        assert done.code == 0
        alone = read_image(blocks / "given" / Path(path).name).astype(int)
        assert np.abs(alone - read_image(blocks / row["path"])).max() <= 1


@pytest.mark.usefixtures("blocks")
def test_the_curve_is_drawn_on_stderr(cli: Cli) -> None:
    done = cli("restore", "wild", PICTURES[0], "-o", "out", "--level", "auto", "--curve")
    assert done.out == "out/3.png\n"
    assert "consistency error\n" in done.err
    assert "└──" in done.err


def test_a_level_shortens_the_schedule(blocks: Path, cli: Cli) -> None:
    runs = {"given": ["--level", 2], "same": ["--timesteps", "2,1,0"], "all": []}
    runs["short"], runs["direct"] = ["--level", 2, "--steps", 1], ["--timesteps", "2,0"]
    for name, options in runs.items():
        assert cli("restore", "wild", PICTURES[2], "-o", name, *options).code == 0
    made = {name: (blocks / name / "2.png").read_bytes() for name in runs}
    assert made["given"] == made["same"] != made["all"]
    assert made["short"] == made["direct"] != made["given"]


def test_pictures_of_any_size_have_a_level_in_tiles(blocks: Path, cli: Cli) -> None:
    large = np.repeat(np.repeat(np.arange(0, 240, 8, np.uint8).reshape(5, 6), 4, 0), 4, 1)
    Image.fromarray(large).save(blocks / "large.png")
    done = cli("restore", "model", "large.png", "-o", "x", "--tile", "8", "--level", "auto")
    assert "large.png: level 2 of 3" in done.err
    assert read_image(blocks / "x/large.png").shape == (20, 24, 1)


def test_simulate_degrades_to_the_level(blocks: Path, cli: Cli) -> None:
    draws = np.random.default_rng(0)
    Image.fromarray(draws.integers(0, 255, (8, 8), np.uint8)).save(blocks / "clean.png")
    assert cli("restore", "model", "clean.png", "-o", "x", "--simulate", "--level", 1).code == 0
    degraded = read_image(blocks / "x/clean.png")[:, 10:18, 0].astype(float)
    assert np.ptp(degraded.reshape(4, 2, 4, 2), axis=(1, 3)).max() == 0
    assert np.unique(degraded).size > 10


def holes(folder: Path) -> None:
    """A model for holes anywhere, and a picture with one, with its mask."""
    save(folder / "holes", "gaussian-mask", center="random", num_steps=10)
    degradation = ColdDiffusion.load(folder / "holes").degradation
    x0 = torch.rand(1, 1, 8, 8, generator=torch.Generator().manual_seed(0)) - 1
    center = {"center": torch.tensor([[2, 5]])}
    x_t = degradation(x0, torch.tensor([5]), center)
    mask = 1 - 2 * degradation(torch.ones_like(x0), torch.tensor([5]), center)
    write_image(folder / "hole.png", from_batch(x_t.numpy())[0])
    write_image(folder / "mask.png", from_batch(mask.numpy())[0])
    Image.new("L", (8, 8)).save(folder / "black.png")
    Image.new("L", (8, 8), 255).save(folder / "white.png")
    Image.fromarray(np.arange(63, dtype=np.uint8).reshape(7, 9)).save(folder / "small.png")


@pytest.mark.parametrize("hint", [[], ["--mask", "mask.png"]])
def test_a_hole_is_found_or_given(tmp_path: Path, cli: Cli, hint: list[str]) -> None:
    holes(tmp_path)
    process = ColdDiffusion.load(tmp_path / "holes")
    expected = from_the_center(process, tmp_path / "hole.png")
    assert cli("restore", "holes", "hole.png", "-o", "out", "--level", 5, *hint).code == 0
    assert np.abs(read_image(tmp_path / "out/hole.png") - expected).max() <= 1


def test_a_hole_is_found_for_a_file(tmp_path: Path, cli: Cli) -> None:
    holes(tmp_path)
    process = tiny_process("gaussian-mask", center="random", num_steps=10)
    export(process, tmp_path / "tiny.onnx")
    expected = from_the_center(process, tmp_path / "hole.png")
    assert cli("restore", "tiny.onnx", "hole.png", "-o", "out", "--level", 5).code == 0
    assert np.abs(read_image(tmp_path / "out/hole.png") - expected).max() <= 1


def from_the_center(process: ColdDiffusion, path: Path) -> np.ndarray:
    """The picture restored as one of level 5 with a hole at (2, 5)."""
    x = torch.from_numpy(to_batch([read_image(path)]))
    x0 = process.restore(x, range(5, -1, -1), {"center": torch.tensor([[2, 5]])})
    return from_batch(x0.numpy())[0].astype(int)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--level 11", "level: expected 1 to 10 (the model's T), or auto; got 11"),
        ("--level most", "--level most: expected a number from 1 to the model's T"),
        ("--level 0", "level: expected 1 to 10"),
        ("--level 3 --steps 4", "steps: expected 1 to 3"),
        ("--level 3 --timesteps 3,0", "level and timesteps: give one of them"),
        ("--level auto --simulate", "--simulate: the level is known"),
        ("--curve", "--curve: is for --level auto"),
        ("--mask small.png", "--mask: is 7x9 (height x width), what is restored at once 8x8"),
        ("--mask black.png", "black.png: is all black; white marks what is missing"),
        ("--mask white.png", "white.png: is all white; white marks what is missing"),
        ("--mask none.png", "none.png: no such file"),
        ("--tile 4", "gaussian-mask is not local"),
        ("--mask mask.png --simulate", "simulate: draws what a hint would tell"),
        ("--endpoint mask.png", "endpoint: gaussian-mask has no use for it; it takes mask or"),
        ("--color red", "--color 'red': expected '#rrggbb'"),
        ("--color #ff0000", "--color #ff0000: the model's pictures are grey"),
    ],
)
def test_mistakes_are_explained(tmp_path: Path, cli: Cli, words: str, message: str) -> None:
    holes(tmp_path)
    done = cli("restore", "holes", "hole.png", "-o", "out", *words.split())
    assert (done.code, done.out) == (2, "")
    assert message in done.err
    assert not (tmp_path / "out").exists()


def test_a_mask_is_resized_with_the_pictures(tmp_path: Path, cli: Cli) -> None:
    holes(tmp_path)
    done = cli("restore", "holes", "small.png", "-o", "out", "--resize", "--mask", "small.png")
    assert done.code == 0, done.err


@pytest.mark.parametrize(
    ("degradation", "words", "message"),
    [
        (
            "animorph",
            "--level 9",
            "endpoint: animorph cannot tell it from a degraded picture; give it with --endpoint "
            "FILE, or --sampler ddim estimates it as it goes, or --sampler naive --steps 1 does",
        ),
        ("animorph", "--level auto", "--endpoint FILE, or without it, --level has to be a number"),
        ("color-mask", "--level 9", "color: color-mask cannot tell it from a degraded picture; "),
        ("color-mask", "--level auto", "give it with --color '#rrggbb'"),
        ("snow", "", "layer: snow cannot tell it from a degraded picture; --sampler naive"),
        ("gaussian-blur", "--mask p.png", "mask: gaussian-blur has no use for it, it needs to"),
        (
            "animorph",
            "--level 9 --sampler ddim --endpoint p.png",
            "--endpoint: the sampler restores without; leave it out, or take another",
        ),
    ],
)
def test_what_cannot_be_found_is_said_with_what_helps(
    tmp_path: Path, cli: Cli, degradation: str, words: str, message: str
) -> None:
    save(tmp_path / "model", degradation)
    Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8)).save(tmp_path / "p.png")
    done = cli("restore", "model", "p.png", "-o", "out", *words.split())
    assert (done.code, done.out) == (2, "")
    assert message in done.err


def test_one_step_of_the_naive_sampler_needs_no_context(tmp_path: Path, cli: Cli) -> None:
    save(tmp_path / "model", "snow")
    Image.new("L", (8, 8), 90).save(tmp_path / "p.png")
    one_step = ["-o", "out", "--sampler", "naive", "--steps", "1"]
    assert cli("restore", "model", "p.png", *one_step).code == 0
    process = ColdDiffusion.load(tmp_path / "model")
    x = torch.full((1, 1, 8, 8), 90 / 127.5 - 1)
    expected = from_batch(process.restorer(x, torch.tensor([200])).detach().numpy())[0]
    found = read_image(tmp_path / "out/p.png").astype(int)
    assert np.abs(found - expected).max() <= 1


@pytest.mark.parametrize(
    ("degradation", "hint"),
    [("animorph", ["--endpoint", "other.png"]), ("color-mask", ["--color", "#4080c0"])],
)
def test_what_the_user_knows_is_used(
    tmp_path: Path, cli: Cli, degradation: str, hint: list[str]
) -> None:
    save(tmp_path / "model", degradation, channels=3, num_steps=9)
    draws = np.random.default_rng(0)
    for name in ("p", "other"):
        Image.fromarray(draws.integers(0, 255, (8, 8, 3), np.uint8)).save(tmp_path / f"{name}.png")
    done = cli("restore", "model", "p.png", "-o", "out", "--level", 4, *hint)
    assert done.code == 0, done.err
    process = ColdDiffusion.load(tmp_path / "model")
    x, other = (
        torch.from_numpy(to_batch([read_image(tmp_path / f"{name}.png")]))
        for name in ("p", "other")
    )
    color = torch.tensor([0x40, 0x80, 0xC0])[None, :, None, None] / 127.5 - 1
    context = {"endpoint": other} if degradation == "animorph" else {"color": color}
    expected = from_batch(process.restore(x, range(4, -1, -1), context).numpy())[0].astype(int)
    assert np.abs(read_image(tmp_path / "out/p.png") - expected).max() <= 1
    done = cli("restore", "model", "p.png", "-o", "out", "--level", "auto", *hint)
    assert done.code == 0, done.err


def test_a_simulation_draws_from_the_prior_of_the_model(tmp_path: Path) -> None:
    process = make_process("color-mask")
    process.prior = build("prior", "constant-color", image_shape=(1, 8, 8), spread=0.01)
    process.save(tmp_path / "model")
    model = open_model(tmp_path / "model", device="cpu")
    _, context = Simulation(model, model.num_steps, 0)(np.zeros((9, 1, 8, 8), np.float32))
    assert 0 < np.abs(context["color"]).max() <= 0.01
