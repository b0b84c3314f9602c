"""`colddiff reproduce`, with a budget that is no more than a gesture."""

import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest
from commands import colddiff, succeed
from conftest import Done

from colddiff_core import ColdDiffusion
from colddiff_core.evaluation.comparison import ROWS

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
    text = (done / "out/report.html").read_text()
    page = Page(text)
    assert page.loads
    assert all(load.startswith("data:image/png;base64,") for load in page.loads)
    assert page.seen.count("img") == 5  # original, degraded, direct, Algorithms 1 and 2
    assert page.seen.count("polyline") == 3  # two algorithms, and the loss
    assert "script" not in page.seen
    assert "of the paper's 700,000" in text
    assert "<td>0.154</td>" in text
    assert "This is not the FID" in text


def test_the_same_command_takes_the_trained_model(done: Path) -> None:
    weights = done / "out/mnist/model/model.safetensors"
    before = weights.stat().st_mtime_ns
    again = colddiff(*command("--json"), cwd=done)
    assert again.returncode == 0
    assert "trained before" in again.stderr
    assert json.loads(again.stdout) == json.loads((done / "out/results.json").read_text())
    assert weights.stat().st_mtime_ns == before
    other = colddiff(*command(budget="4"), cwd=done)
    assert other.returncode == 2
    assert "budget was '3' and is '4'; name another folder with -o" in other.stderr


def test_a_model_from_elsewhere_is_evaluated(done: Path) -> None:
    model = str(done / "out/mnist/model")
    options = ("--model", model, "--images", "4", "--features", "none", "--json", "-o", "other")
    options += TINY
    found = json.loads(succeed("reproduce", "table1", *options, cwd=done))
    assert found["sets"]["mnist"]["evaluation"]["protocol"]["images"] == 4
    assert "frechet" not in found["sets"]["mnist"]["evaluation"]["rows"]["direct"]
    wrong = colddiff("reproduce", "table2", *options, cwd=done)
    assert wrong.returncode == 2
    assert "undoes another degradation than the table's: gaussian-blur" in wrong.stderr


def test_generation_hot_and_cold(tmp_path: Path) -> None:
    options = ("--budget", "2", "--images", "4", *TINY)
    printed = succeed("reproduce", "generation", "-o", "out", *options, cwd=tmp_path)
    assert "cold, broken symmetry" in printed
    found = json.loads((tmp_path / "out/results.json").read_text())["sets"]["mnist"]
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
    ],
)
def test_mistakes(options: list[str], message: str, cli: Callable[..., Done]) -> None:
    done = cli("reproduce", *options, "-o", "out")
    assert done.code == 2
    assert message in done.err
    assert not Path("out").exists()
