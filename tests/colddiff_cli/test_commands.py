"""The table of commands, and options that many of them have."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from commands import modules_after, run_in_process
from conftest import Done
from tiny_runs import tiny_recipe

from colddiff_cli.commands import Commands, LazyCommand
from colddiff_cli.plugins import PluginCommands

Cli = Callable[..., Done]


@pytest.mark.parametrize("group", [Commands, PluginCommands])
def test_a_summary_is_the_first_line_of_the_commands_own_help(
    group: type[Commands] | type[PluginCommands],
) -> None:
    for name, command in group(name="x").commands.items():
        assert isinstance(command, LazyCommand)
        own = command.load()
        assert (own.help or "").splitlines()[0] == command.help == group.table[name]


def test_lists_import_no_torch() -> None:
    for words in (["recipes", "list"], ["runs", "--help"], ["plugins", "info", "x@y"]):
        code = run_in_process(*words).replace(
            "assert not end.code", "assert end.code in (None, 0, 2)"
        )
        assert not modules_after(code) & {"torch", "numpy", "PIL", "onnxruntime"}


def test_a_command_that_is_not_there_suggests_one(cli: Cli) -> None:
    done = cli("trian")
    assert done.code == 2
    assert "Did you mean 'train'?" in done.err


@pytest.mark.parametrize(
    "command",
    [
        *("demo", "train mnist-demo", "export x", "plugins new mist", "restore x a.png"),
        *("degrade snow a.png", "generate x", "evaluate x", "reproduce table1"),
    ],
)
@pytest.mark.parametrize(
    ("path", "message"),
    [("", "expected a path"), ("x" * 300, "too long"), ("file/x", "file is no folder")],
)
def test_an_output_is_checked_before_any_work(
    command: str, path: str, message: str, cli: Cli, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    done = cli(*command.split(), "-o", path)
    assert (done.code, done.out) == (2, "")
    (line,) = done.err.splitlines()
    assert line.startswith("colddiff: error: -o ")
    assert message in line
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


def test_a_folder_that_cannot_be_written_to(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = tmp_path / "closed"
    closed.mkdir()
    monkeypatch.setattr(os, "access", lambda path, _: Path(path).resolve() != closed)
    for path in ("closed", "closed/x"):
        assert "nothing can be written in closed" in cli("demo", "-o", path).err


def test_a_run_does_not_replace_the_recipe_it_is_of(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "exp1").mkdir()
    own = tmp_path / "exp1/recipe.toml"
    own.write_text(tiny_recipe(tmp_path / "pictures").to_toml())
    for folder in ("exp1", "./exp1/"):
        done = cli("train", "exp1/recipe.toml", "-o", folder)
        assert done.code == 2
        assert "writes its own recipe.toml there, over exp1/recipe.toml" in done.err


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("data.folder=2024", "for text, write --set 'data.folder=\"2024\"'"),
        ("train.compile=True", "write --set train.compile=true"),
        ("train.stepz=1", "--set train.stepz=1: tiny.toml: unknown parameter"),
        ("data.image_size=x", "--set data.image_size=x: dataset 'folder': image_size: "),
        ("restorer.channels=7", "--set restorer.channels=7: restorer 'unet': channels: expected"),
        ("degradation.num_steps=0", "--set degradation.num_steps=0: degradation 'gaussian-mask': "),
    ],
)
def test_a_setting_that_does_not_fit_is_blamed(
    setting: str, message: str, cli: Cli, tmp_path: Path
) -> None:
    (tmp_path / "tiny.toml").write_text(tiny_recipe(tmp_path / "pictures").to_toml())
    done = cli("train", "tiny.toml", "-o", "run", "--set", setting, "--device", "cpu")
    assert (done.code, done.out) == (2, "")
    (line,) = done.err.splitlines()
    assert line.startswith("colddiff: error: --set ")
    assert message in line
