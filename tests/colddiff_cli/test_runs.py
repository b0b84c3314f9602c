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

from colddiff_core.contracts.recipe import Recipe
from colddiff_core.models.recipe import parse_recipe
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
    drawn = cli("runs", "show", runs / "done", "--plot", "loss.svg")
    assert drawn.out == "loss.svg\n"
    text = (runs.parent / "loss.svg").read_text()
    assert len(text.split('points="')[1].split('"')[0].split()) == 6


def test_one_damaged_run_does_not_lose_the_list(runs: Path, cli: Cli) -> None:
    for name, recipe in {"odd": "data = 3\ntrain = []\n", "no": "[" * 9}.items():
        (runs / name).mkdir()
        (runs / name / "recipe.toml").write_text(recipe)
        (runs / name / "metrics.jsonl").write_text('{"step": 1, "loss": "x", "steps": []}\n')
    (runs / "unreadable").mkdir()
    (runs / "unreadable/metrics.jsonl").symlink_to("/proc/self/mem")
    rows = {row["run"]: row for row in json.loads(cli("runs", "list", "--json").out)["runs"]}
    assert rows["runs/unreadable"]["state"] == "damaged"
    assert "cannot be read" in rows["runs/unreadable"]["error"]
    assert (rows["runs/odd"]["step"], rows["runs/odd"]["loss"]) == (1, None)
    assert rows["runs/done"]["state"] == "finished"
    for words in (["list"], ["show", "runs/odd"]):
        assert cli("runs", *words).code == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["list", "missing"], "missing: no such folder"),
        (["show", "runs/other"], "runs/other: not a run, it has no metrics.jsonl"),
        (["show", "runs/done", "--plot", "x.png"], "expected a name that ends in .svg"),
        (["show", "runs/new", "--plot", "x.svg"], "has no loss to draw yet"),
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
