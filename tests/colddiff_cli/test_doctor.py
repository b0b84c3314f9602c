"""`colddiff doctor`."""

import json
import sys
from pathlib import Path

import pytest

from colddiff_cli import doctor
from colddiff_cli.main import main
from colddiff_core.contracts.finding import Finding


def run(*options: str, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(sys, "argv", ["colddiff", "doctor", *options])
    with pytest.raises(SystemExit) as end:
        main()
    return int(end.value.code or 0)


def test_doctor_looks_at_everything(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code = run("--json", monkeypatch=monkeypatch)
    told = json.loads(capsys.readouterr().out)
    assert told["schema_version"] == 1
    found = {item["topic"]: item["status"] for item in told["findings"]}
    assert {"Python", "colddiff", "torch", "torch CUDA", "ONNX Runtime", "CPU"} <= found.keys()
    assert found["CPU"] == "ok"
    assert code == int("problem" in [item["status"] for item in told["findings"]])


@pytest.mark.parametrize(("status", "code"), [("note", 0), ("problem", 1)])
def test_a_problem_is_exit_code_1_and_shows_its_mend(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], status: str, code: int
) -> None:
    finding = Finding("torch", status, "[bold]broken", "mend it")  # type: ignore[arg-type]
    monkeypatch.setattr(doctor, "_findings", lambda: iter([finding]))
    assert run(monkeypatch=monkeypatch) == code
    out = capsys.readouterr().out
    assert "[bold]broken" in out
    assert "→ mend it" in out


def test_torch_is_not_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    (found,) = doctor._torch()
    assert (found.status, found.mend) == ("note", "pip install torch")


def test_the_cache_is_weighed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("COLDDIFF_CACHE", str(tmp_path / "cache"))
    assert doctor._cache().text.startswith(f"{tmp_path}/cache, 0.00 GB")
    (tmp_path / "cache/pictures").mkdir(parents=True)
    with (tmp_path / "cache/pictures/x.npy").open("wb") as file:
        file.truncate(1_230_000_000)  # takes no room
    assert doctor._cache().text.startswith(f"{tmp_path}/cache, 1.23 GB")
