"""What is printed is what things are called, whatever they are called."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from unittest.mock import Mock

import pytest
from commands import run_in_process
from conftest import Done

from colddiff_cli.console import escaped, out, show_table
from colddiff_cli.main import main
from colddiff_core.contracts.errors import UsageError

Cli = Callable[..., Done]

FOREIGN = "[/x][link=http://x]:cat:\x1b[31m\n\u202e[bold]"
SHOWN = r"[/x][link=http://x]:cat:\x1b[31m\n\u202e[bold]"


def test_what_cannot_be_seen_is_escaped() -> None:
    assert escaped(FOREIGN) == SHOWN
    assert escaped("≤ é\udce9") == r"≤ é\udce9"


def test_lines_titles_headings_and_cells_are_taken_as_they_are(
    capsys: pytest.CaptureFixture[str],
) -> None:
    out.print(FOREIGN)
    show_table([[FOREIGN, "1"]], [FOREIGN, "b"], title=FOREIGN)
    show_table([["a", FOREIGN]])
    assert capsys.readouterr().out.count(SHOWN) == 5


def test_a_table_has_a_line_for_each_row_where_nobody_sees_its_width(
    capsys: pytest.CaptureFixture[str],
) -> None:
    show_table([["a", "b " * 200], ["c", "d"]], ["x", "y"])
    assert len(capsys.readouterr().out.splitlines()) == 3


def test_names_of_runs_and_of_recipes(tmp_path: Path, cli: Cli) -> None:
    run = tmp_path / "runs" / FOREIGN.replace("/", "")
    run.mkdir(parents=True)
    (run / "metrics.jsonl").write_text('{"step": 1, "loss": 0.5}\n')
    (run / "recipe.toml").write_text(
        '[data]\nname = "[/d]"\n[degradation]\nname = "[/x]"\n[restorer]\nname = "unet"\n'
        '"[link=http://x]\\u001b" = 1\n'
    )
    shown = SHOWN.replace("/", "")
    for words in (["runs", "list"], ["runs", "show", run], ["info", run]):
        done = cli(*words)
        assert done.code == 0, done.err
        assert "\x1b" not in done.out
        assert (shown if words[0] == "runs" else r"[link=http://x]\x1b") in done.out
        assert "[/x]" in done.out
    done = cli("export", run)
    assert done.code == 2
    assert shown in done.err


def test_a_message_of_an_error_is_one_line_and_no_markup(cli: Cli) -> None:
    done = cli("train", FOREIGN)
    (line,) = done.err.splitlines()
    assert SHOWN.split(":cat:")[1] in line


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1", "cp1252", "ascii"])
def test_a_name_that_the_terminal_cannot_encode_is_no_traceback(
    tmp_path: Path, encoding: str
) -> None:
    name = os.fsdecode(b"caf\xe9-\xcf\x83")  # Latin-1, then a sigma
    (tmp_path / name).mkdir()
    (tmp_path / name / "metrics.jsonl").write_text('{"step": 1}\n')
    for words in (["runs", "list", "."], ["runs", "show", name], ["info", name]):
        done = subprocess.run(
            [sys.executable, "-c", f"import sys\n{run_in_process(*words)}"],
            env={**os.environ, "PYTHONIOENCODING": encoding},
            cwd=tmp_path,
            capture_output=True,
            check=False,
        )
        assert b"UnicodeEncodeError" not in done.stderr
        assert rb"caf\udce9-" in done.stdout + done.stderr


def test_a_path_of_the_system_is_named_in_a_line(cli: Cli) -> None:
    long = "x" * 300
    for words in (["info", long], ["runs", "list", long], ["restore", long, "a.png", "-o", "x"]):
        done = cli(*words)
        assert (done.code, done.out) == (2, "")
        assert len(done.err.splitlines()) == 1
        assert long in done.err


def test_json_has_one_envelope(cli: Cli) -> None:
    for words in (["plugins", "list"], ["plugins", "info", "snow"], ["recipes", "list"]):
        assert json.loads(cli(*words, "--json").out)["schema_version"] == 1


def test_settings_are_blamed_for_what_they_set(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(field: str, message: str) -> str:
        error = UsageError(message)
        error.fields = (field,)
        monkeypatch.setattr("colddiff_cli.main.app", Mock(side_effect=error))
        with pytest.raises(SystemExit):
            main()
        return capsys.readouterr().err

    words = ["train", "x", "--set", "data.folder=2024", "--set", "restorer.channels=8"]
    monkeypatch.setattr(sys, "argv", ["colddiff", *words])
    told = fail("folder", "dataset 'folder': folder: input should be a valid string, got 2024")
    assert told.startswith("colddiff: error: --set data.folder=2024: dataset 'folder': folder: ")
    assert told.endswith("for text, write --set 'data.folder=\"2024\"'\n")
    assert "--set" not in fail("channels", "dataset 'folder': channels: no")
    assert "--set restorer.channels=8: restorer" in fail("channels", "restorer 'unet': channels: ?")
