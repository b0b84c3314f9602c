"""`colddiff runs`, and `colddiff train` where it does not train to the end."""

import json
import signal
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import Done
from tiny_runs import tiny_recipe

from colddiff_cli.plot import terminal_plot, write_plot
from colddiff_core.contracts.recipe import Recipe
from colddiff_core.models.recipe import parse_recipe
from colddiff_core.pictures.images import read_image
from colddiff_core.training.engine import Engine
from colddiff_core.training.lock import locked
from colddiff_core.training.trainer import train

Cli = Callable[..., Done]


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """A folder with a finished run, a stopped one, one without a line, and no run."""
    folder = tmp_path / "runs"
    recipe = tiny_recipe(tmp_path / "pictures")
    train(recipe, folder / "done")

    def stop(line: Any) -> None:
        if line.step == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(recipe, folder / "halted", on_log=stop)
    (folder / "new").mkdir()
    (folder / "new/metrics.jsonl").touch()
    (folder / "other").mkdir()
    return folder


def test_list_tells_what_is_finished_and_what_is_not(runs: Path, cli: Cli) -> None:
    listed = json.loads(cli("runs", "list", "--json").out)
    assert listed["schema_version"] == 1
    done, halted, new = listed["runs"]
    assert (done["run"], done["state"], done["step"], done["steps"]) == (
        "runs/done",
        "finished",
        6,
        6,
    )
    assert (halted["state"], halted["step"], halted["saved"]) == ("stopped", 5, [4, 2])
    assert halted["degradation"] == done["degradation"] == "gaussian-mask"
    assert halted["data"] == "folder"
    assert (new["state"], new["step"], new["steps"], new["loss"]) == ("stopped", 0, None, None)
    with locked(runs / "halted"):
        states = [run["state"] for run in json.loads(cli("runs", "list", "--json").out)["runs"]]
    assert states == ["finished", "running", "stopped"]
    table = cli("runs", "list", "runs/halted", "runs/done").out.splitlines()
    assert len(table) == 3
    assert "5/6" in table[1]
    assert "6/6" in table[2]


def test_show_prints_figures_and_a_curve(runs: Path, cli: Cli) -> None:
    shown = cli("runs", "show", "runs/halted")
    assert shown.code == 0
    assert "5 of 6" in shown.out
    assert "4, 2" in shown.out
    assert any("\u2800" < character <= "\u28ff" for character in shown.out)
    whole = json.loads(cli("runs", "show", "runs/done", "--json").out)
    assert [line["step"] for line in whole["metrics"]] == [1, 2, 3, 4, 5, 6]
    assert whole["recipe"]["train"]["steps"] == 6
    assert "nothing" not in cli("runs", "show", "runs/new").out
    drawn = cli("runs", "show", runs / "done", "--plot", "loss.png")
    assert drawn.out == "loss.png\n"
    picture = read_image(runs.parent / "loss.png")
    assert picture.shape == (400, 800, 3)
    assert ((picture == (0x1F, 0x5F, 0xBF)).all(axis=2)).sum() > 500


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["list", "missing"], "missing: no such folder"),
        (["show", "runs/other"], "runs/other: not a run, it has no metrics.jsonl"),
        (["show", "runs/done", "--plot", "x.jpg"], "expected a name that ends in .png"),
        (["show", "runs/new", "--plot", "x.png"], "has no loss to draw yet"),
    ],
)
def test_a_mistake_is_told_in_a_line(runs: Path, cli: Cli, words: list[str], message: str) -> None:
    before = sorted(runs.parent.rglob("*"))
    done = cli("runs", *words)
    assert (done.code, done.out) == (2, "")
    assert message in done.err
    assert sorted(runs.parent.rglob("*")) == before


def test_a_list_of_runs_needs_no_torch(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run/metrics.jsonl").write_text('{"step": 1, "steps": 2, "loss": 0.5}\n')
    code = (
        "import sys; sys.argv = ['colddiff', 'runs', 'list', '.']\n"
        "from colddiff_cli.main import main\n"
        "try: main()\nexcept SystemExit as end: assert not end.code\n"
        "assert not {'torch', 'numpy', 'PIL', 'safetensors'} & set(sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "1/2" in done.stdout


def dots(line: str) -> set[tuple[int, int]]:
    """(column, row) of the braille dots of a line, from its top left."""
    bits = {0: (0, 0), 1: (0, 1), 2: (0, 2), 3: (1, 0), 4: (1, 1), 5: (1, 2), 6: (0, 3), 7: (1, 3)}
    cells = enumerate(line.split("┤")[1])
    return {
        (2 * k + column, row)
        for k, cell in cells
        for bit, (column, row) in bits.items()
        if ord(cell) - 0x2800 >> bit & 1
    }


def test_an_exponential_fall_is_a_straight_line_from_corner_to_corner() -> None:
    falling = terminal_plot([(0, 1.0), (50, 0.1), (100, 0.01)], width=10, height=3)
    assert [line.split("┤")[0].strip() for line in falling[:3]] == ["1", "", "0.01"]
    assert falling[4].split() == ["0", "100"]
    drawn = {(x, y + 4 * k) for k in range(3) for x, y in dots(falling[k])}
    assert {x for x, _ in drawn} == set(range(20))
    assert all(abs(y - x * 11 / 19) <= 1.5 for x, y in drawn)
    (flat, *_) = terminal_plot([(3, 0.0)], width=5, height=1)
    assert flat.startswith("0 ┤")
    assert len(dots(flat)) == 1


def test_one_point_can_be_drawn(tmp_path: Path) -> None:
    write_plot(tmp_path / "one.png", [(1, 0.5)], title="one")
    assert (read_image(tmp_path / "one.png") == (0x1F, 0x5F, 0xBF)).all(axis=2).any()


def written(recipe: Recipe, path: Path) -> Path:
    path.write_text(recipe.to_toml())
    return path


def test_a_dry_run_prints_a_recipe_with_its_price_and_writes_nothing(
    tmp_path: Path, cli: Cli
) -> None:
    source = written(tiny_recipe(tmp_path / "pictures"), tmp_path / "tiny.toml")
    before = sorted(tmp_path.rglob("*"))
    done = cli("train", source, "-o", "run", "--dry-run", "--device", "cpu")
    assert (done.code, done.err) == (0, "")
    assert sorted(tmp_path.rglob("*")) == before
    table = tomllib.loads(done.out)
    assert table["restorer"]["blocks"] == 1  # a default
    assert table["train"]["steps"] == 6
    figures = [line for line in done.out.splitlines() if line.startswith("# ")]
    assert len(figures) == 4
    network = train(parse_recipe(table, where="printed"), tmp_path / "run").restorer
    assert f"{sum(p.numel() for p in network.parameters()):,}" in figures[0]
    assert "GiB" in figures[1]
    assert "on cpu" in figures[2]


def test_a_signal_ends_the_command_with_one_line_and_its_exit_code(
    tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = written(tiny_recipe(tmp_path / "pictures"), tmp_path / "tiny.toml")
    step = Engine.step

    def interrupted(engine: Engine, number: int, *arguments: Any) -> Any:
        if number == 3:
            signal.raise_signal(signal.SIGINT)
        return step(engine, number, *arguments)

    monkeypatch.setattr(Engine, "step", interrupted)
    done = cli("train", source, "-o", "run", "--device", "cpu")
    assert (done.code, done.out) == (130, "")
    assert done.err == (
        "colddiff: run: stopped after step 3 of 6, which is saved; "
        "the same command goes on from there\n"
    )
    monkeypatch.setattr(Engine, "step", step)
    done = cli("train", source, "-o", "run", "--device", "cpu")
    assert (done.code, done.out) == (0, "run\n")
