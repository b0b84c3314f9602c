"""`colddiff reproduce`, with a budget that is no more than a gesture."""

import json
import re
import signal
from collections.abc import Callable
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import pytest
from commands import succeed
from conftest import Done

from colddiff_cli.reproduce import plan
from colddiff_core import ColdDiffusion
from colddiff_core.contracts.steps import TrainingStep
from colddiff_core.evaluation.comparison import ROWS
from colddiff_core.training.metrics import MetricsFile

SETTINGS = ("restorer.channels=8", "restorer.multipliers=[1]", "degradation.num_steps=4")
TINY = tuple(word for setting in SETTINGS for word in ("--set", setting))


class Page(HTMLParser):
    """What a page shows and what it would load."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.seen: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)
        self.loads += [value or "" for name, value in attrs if name in ("src", "href")]


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("reproduced")
    printed = succeed(*command(), cwd=folder)
    assert printed.splitlines()[-1] == str(folder / "out/report.html")
    assert re.search(r"Algorithm 2 is (ahead of|behind) Algorithm 1", printed)
    assert max(map(len, printed.splitlines()[:-1])) <= 80
    return folder


def command(*more: str, budget: str = "3") -> tuple[str, ...]:
    return (
        *("reproduce", "table1", "--dataset", "mnist", "--budget", budget, "--images", "6"),
        *("-o", "out", *TINY, *more),
    )


def test_the_figures_stand_beside_the_papers(done: Path) -> None:
    results = json.loads((done / "out/results.json").read_text())
    found = results["sets"]["mnist"]
    assert results["source"] == "Table 1 of arXiv 2208.09392"
    assert found["published"]["improved"] == {"fid": 4.69, "ssim": 0.718, "rmse": 0.154}
    assert found["published"]["naive"] == {}
    assert set(found["evaluation"]["rows"]) == set(ROWS)
    assert found["evaluation"]["protocol"]["images"] == 6
    assert found["training"]["steps"] == 3
    curves = found["curves"]
    assert curves["timesteps"] == [4, 3, 2, 1, 0]
    assert curves["naive"][0] == curves["improved"][0] == 0
    assert ColdDiffusion.load(done / "out/mnist/model").num_steps == 4


def test_the_page_needs_nothing_else(done: Path) -> None:
    text = unescape((done / "out/report.html").read_text())
    page = Page(text)
    assert page.loads
    assert all(load.startswith("data:image/png;base64,") for load in page.loads)
    assert page.seen.count("img") == 5  # original, degraded, direct, Algorithms 1 and 2
    assert page.seen.count("polyline") == 3  # two algorithms, and the loss
    assert "script" not in page.seen
    assert "of the paper's 700,000" in text
    assert "<td>0.154</td>" in text
    assert "This is not the FID" in text


def test_the_same_command_takes_the_trained_model(done: Path, cli: Callable[..., Done]) -> None:
    weights = done / "out/mnist/model/model.safetensors"
    before = weights.stat().st_mtime_ns
    first = json.loads((done / "out/results.json").read_text())["sets"]["mnist"]
    again = cli(*command("--json"), cwd=done)
    assert again.code == 0
    assert "trained before" in again.err
    second = json.loads(again.out)["sets"]["mnist"]
    assert second["evaluation"]["protocol"] == first["evaluation"]["protocol"]
    for row, figures in first["evaluation"]["rows"].items():
        assert second["evaluation"]["rows"][row] == pytest.approx(figures, rel=1e-3)
    assert weights.stat().st_mtime_ns == before
    other = cli(*command(budget="4"), cwd=done)
    assert other.code == 2
    assert "budget was '3' and is '4'; name another folder with -o" in other.err


def test_a_model_from_elsewhere_is_evaluated(done: Path, cli: Callable[..., Done]) -> None:
    model = str(done / "out/mnist/model")
    options = ("--model", model, "--images", "4", "--features", "none", "--json", "-o", "other")
    options += TINY
    evaluated = cli("reproduce", "table1", *options, cwd=done)
    assert evaluated.code == 0, evaluated.err
    found = json.loads(evaluated.out)
    assert found["sets"]["mnist"]["evaluation"]["protocol"]["images"] == 4
    assert "frechet" not in found["sets"]["mnist"]["evaluation"]["rows"]["direct"]
    wrong = cli("reproduce", "table2", *options, cwd=done)
    assert wrong.code == 2
    assert "undoes another degradation than the table's: gaussian-blur" in wrong.err


def test_generation_hot_and_cold(tmp_path: Path, cli: Callable[..., Done]) -> None:
    options = ("--budget", "2", "--images", "4", *TINY)
    printed = cli("reproduce", "generation", "-o", "out", *options)
    assert printed.code == 0, printed.err
    assert "cold, broken symmetry" in printed.out
    found = json.loads((tmp_path / "out/results.json").read_text())["sets"]["mnist"]
    assert found["evaluation"]["protocol"]["images"] == 4
    rows = found["evaluation"]["rows"]
    assert list(rows) == [
        "fixed_noise",
        "estimated_noise",
        "perfect_symmetry",
        "broken_symmetry",
    ]
    assert len({row["frechet"] for row in rows.values()}) == 4  # four ways, not one of them twice
    assert found["training"]["hot"]["steps"] == found["training"]["cold"]["steps"] == 2
    page = Page((tmp_path / "out/report.html").read_text())
    assert page.seen.count("img") == 4


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["table9"], "expected table1, table2, table3, generation; got 'table9'"),
        (["table1", "--dataset", "afhq"], "table1 has mnist, cifar10, celeba; got 'afhq'"),
        (["table1", "--budget", "soon"], "--budget 'soon': expected minutes"),
        (["table1", "--dataset", "cifar10", "--budget", "1"], "cifar10 is not bundled"),
        (["table1", "--data", "cifar10=x"], "expected FOLDER for a single data set"),
        (["generation", "--model", "x"], "--model: is for one data set"),
        (["table1", "--feature-weights", "x"], "is for --features inception"),
        (["table1", "--features", "inception"], "named by --feature-weights"),
        (["table1", "--model", "x", "--budget", "1"], "nothing is trained with --model"),
        (["generation", "--features", "none"], "name what the Fréchet distances"),
        (
            ["table1", "--dataset", "mnist", "--dataset", "cifar10", "--budget", "1"],
            "cifar10 is not bundled",
        ),
    ],
)
def test_mistakes(options: list[str], message: str, cli: Callable[..., Done]) -> None:
    done = cli("reproduce", *options, "-o", "out")
    assert done.code == 2
    assert message in done.err
    assert not Path("out").exists()


def test_minutes_become_steps_and_images(
    cli: Callable[..., Done], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan, "_TIMED", 0.0)
    words = ("reproduce", "table3", "--budget", "0.2s", "-o", "out", "--seed", "7", *TINY[:4])
    done = cli(*words, "--features", "none")
    assert done.code == 0, done.err
    made = json.loads((tmp_path / "out/mnist/plan.json").read_text())
    assert made["recipe"]["train"]["steps"] >= 1
    assert made["recipe"]["train"]["seed"] == 7
    assert made["images"] == 50  # the least
    results = json.loads((tmp_path / "out/results.json").read_text())
    assert results["sets"]["mnist"]["training"]["steps"] == made["recipe"]["train"]["steps"]


def test_an_interrupted_reproduction_goes_on(
    cli: Callable[..., Done], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = command("--set", "train.log_every=1", "--features", "none", budget="4")
    show = MetricsFile.write

    def interrupt(self: MetricsFile, line: TrainingStep) -> None:
        show(self, line)
        if line.step == 2:
            signal.raise_signal(signal.SIGTERM)

    with monkeypatch.context() as patch:
        patch.setattr(MetricsFile, "write", interrupt)
        stopped = cli(*words)
    assert stopped.code == 128 + signal.SIGTERM
    assert "the same command goes on from there" in stopped.err
    assert not (tmp_path / "out/report.html").exists()
    assert cli(*words).code == 0
    training = json.loads((tmp_path / "out/results.json").read_text())["sets"]["mnist"]["training"]
    assert training["resumed_at"]
    assert training["steps"] == 4


@pytest.mark.parametrize("text", ["[[" * 5000, '{"request": "x"}', '{"images": 1e400}', "nul\0"])
def test_a_damaged_plan_is_told(text: str, cli: Callable[..., Done], tmp_path: Path) -> None:
    (tmp_path / "out/mnist").mkdir(parents=True)
    (tmp_path / "out/mnist/plan.json").write_text(text)
    done = cli(*command())
    assert done.code == 2
    assert "plan.json: damaged; remove it, or name another folder" in done.err
